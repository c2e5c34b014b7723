/* SPDX-License-Identifier: Apache-2.0 */
#include "used.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

struct agent_used {
    char *path;
    int dir_fd;
    struct dur_ns keep;
    size_t count;
};

struct agent_used *agent_used_open(const char *dir, struct dur_ns keep, struct base_error *err)
{
    struct agent_used *used = base_calloc(1, sizeof *used);
    *used =
        (struct agent_used){.path = base_str_printf("%s/used", dir), .dir_fd = -1, .keep = keep};
    if (base_dir_make(used->path, 0700, err)) {
        used->dir_fd = open(used->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (used->dir_fd >= 0) {
            agent_used_prune(used);
            return used;
        }
        (void)base_fail_errno(err, "journal: cannot open %s", used->path);
    }
    agent_used_close(used);
    return NULL;
}

void agent_used_close(struct agent_used *used)
{
    if (used == NULL)
        return;
    base_fd_close(&used->dir_fd);
    free(used->path);
    free(used);
}

static bool deny(const struct agent_used *used, const char *id, struct base_error *err)
{
    struct stat seen;
    char when[BASE_WALL_TEXT] = "an unknown time";
    if (fstatat(used->dir_fd, id, &seen, AT_SYMLINK_NOFOLLOW) == 0)
        base_wall_format((struct wall_ns){(int64_t)seen.st_mtim.tv_sec * BASE_NS_PER_S}, when);
    return base_fail(err, BASE_DENIED,
                     "fault %s was taken once already, at %s, and is not taken again: is somebody "
                     "repeating a request that he captured? A new fault needs an id of its own",
                     id, when);
}

bool agent_used_check(const struct agent_used *used, const char *id, struct base_error *err)
{
    if (faccessat(used->dir_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return deny(used, id, err);
    return errno == ENOENT ||
           base_fail_errno(err, "journal: cannot look for %s/%s", used->path, id);
}

bool agent_used_take(struct agent_used *used, const char *id, struct base_error *err)
{
    if (used->count >= AGENT_USED_MAX)
        return base_fail(err, BASE_LIMIT,
                         "%s holds %zu ids of faults; the oldest go by themselves, and new faults "
                         "are taken then",
                         used->path, used->count);
    int fd = openat(used->dir_fd, id, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return deny(used, id, err);
    if (fd < 0)
        return base_fail_errno(err, "journal: cannot make %s/%s", used->path, id);
    base_fd_close(&fd);
    used->count++;
    return true;
}

bool agent_used_sync(const struct agent_used *used, struct base_error *err)
{
    return fsync(used->dir_fd) == 0 || base_fail_errno(err, "journal: cannot sync %s", used->path);
}

void agent_used_give_back(struct agent_used *used, const char *id)
{
    if (unlinkat(used->dir_fd, id, 0) == 0)
        used->count--;
}

/* One that is from the future, by a clock that was set back, is kept. */
static bool is_old(const struct agent_used *used, const char *name, struct wall_ns now)
{
    struct stat seen;
    if (fstatat(used->dir_fd, name, &seen, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(seen.st_mode))
        return false;
    return (int64_t)seen.st_mtim.tv_sec * BASE_NS_PER_S < now.ns - used->keep.ns;
}

void agent_used_prune(struct agent_used *used)
{
    struct wall_ns now = base_wall_now();
    DIR *dir = opendir(used->path);
    used->count = 0;
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        if (!is_old(used, entry->d_name, now) || unlinkat(used->dir_fd, entry->d_name, 0) < 0)
            used->count++;
    }
    if (dir != NULL)
        (void)closedir(dir);
}
