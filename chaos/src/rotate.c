/* SPDX-License-Identifier: Apache-2.0 */
#include "rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

int agent_rotate_open(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* number 0: the file itself; free() it. */
static char *name_of(const char *path, unsigned number)
{
    return number == 0 ? base_str_dup(path) : base_str_printf("%s.%u", path, number);
}

static bool exists(const char *path, unsigned number)
{
    struct stat ignored;
    BASE_AUTO_FREE char *name = name_of(path, number);
    return lstat(name, &ignored) == 0 || errno != ENOENT;
}

/* The oldest first: no name is taken before what bears it has another one. */
static bool shift(const char *path, unsigned keep, struct base_error *err)
{
    unsigned free_number = 1;
    while (free_number < keep && exists(path, free_number))
        free_number++;
    for (unsigned number = free_number; number > 0; number--) {
        BASE_AUTO_FREE char *from = name_of(path, number - 1);
        BASE_AUTO_FREE char *to = name_of(path, number);
        if (rename(from, to) < 0)
            return base_fail_errno(err, "cannot rename %s to %s", from, to);
    }
    return true;
}

static bool is_at(int fd, const char *path)
{
    struct stat ours;
    struct stat there;
    return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

bool agent_rotate(int *fd, const char *path, unsigned keep, struct base_error *err)
{
    if (fdatasync(*fd) < 0 && errno != EROFS)
        return base_fail_errno(err, "cannot sync %s", path);
    if (is_at(*fd, path) && !shift(path, keep, err))
        return false;
    int fresh = agent_rotate_open(path);
    if (fresh < 0)
        return base_fail_errno(err, "cannot make %s anew", path);
    base_fd_close(fd);
    *fd = fresh;
    return base_file_sync_name(path, err);
}
