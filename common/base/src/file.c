/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/random.h"
#include "base/text.h"

void base_fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

bool base_fd_set_nonblocking(int fd, struct base_error *err)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return base_fail_errno(err, "cannot make descriptor %d non-blocking", fd);
    return true;
}

bool base_fd_write_all(int fd, const void *data, size_t len, struct base_error *err)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return base_fail_errno(err, "write of %zu bytes", len);
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* As if nothing had been appended since len was what it is given as. */
static void take_back(struct base_buf *buf, size_t len, bool failed)
{
    buf->len = len;
    buf->failed = failed;
    if (buf->cap > 0)
        buf->data[len] = '\0';
}

bool base_file_read(const char *path, struct base_buf *buf, struct base_error *err)
{
    BASE_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return base_fail_errno(err, "cannot open %s", path);
    size_t before = buf->len;
    bool failed_before = buf->failed;
    for (;;) {
        char chunk[16384];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            return true;
        if (n < 0) {
            (void)base_fail_errno(err, "cannot read %s", path);
            take_back(buf, before, failed_before);
            return false;
        }
        if (!base_buf_append(buf, chunk, (size_t)n)) {
            take_back(buf, before, failed_before);
            return base_fail(err, BASE_LIMIT, "%s is larger than the %zu bytes that are accepted",
                             path, buf->max - before);
        }
    }
}

static bool sync_parent(const char *path)
{
    BASE_AUTO_FREE char *copy = base_str_dup(path);
    char *slash = strrchr(copy, '/');
    const char *parent = ".";
    if (slash == copy)
        parent = "/";
    else if (slash != NULL) {
        *slash = '\0';
        parent = copy;
    }
    BASE_AUTO_FD int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

bool base_file_sync_name(const char *path, struct base_error *err)
{
    return sync_parent(path) || base_fail_errno(err, "cannot sync the folder of %s", path);
}

static int open_temporary(const char *path, mode_t mode, char **temporary, struct base_error *err)
{
    char id[BASE_ID_TEXT];
    base_random_id(id);
    char *name = base_str_printf("%s.%s.tmp", path, id);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        (void)base_fail_errno(err, "cannot create %s", name);
        free(name);
        return -1;
    }
    *temporary = name;
    return fd;
}

/* linkat(2) replaces nothing; rename(2) does. */
static bool link_over(const char *file, const char *path)
{
    char id[BASE_ID_TEXT];
    base_random_id(id);
    BASE_AUTO_FREE char *name = base_str_printf("%s.%s.tmp", path, id);
    if (linkat(AT_FDCWD, file, AT_FDCWD, name, 0) < 0)
        return false;
    if (rename(name, path) == 0)
        return true;
    int sys = errno;
    (void)unlink(name);
    errno = sys;
    return false;
}

/* The first name last: until then the file has one that says it is unfinished. */
static bool put_in_place(const char *temporary, const char *const *paths, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (!link_over(temporary, paths[i]))
            return false;
    return rename(temporary, paths[0]) == 0 && sync_parent(paths[0]);
}

bool base_file_write_as(const char *const *paths, size_t count, const void *data, size_t len,
                        mode_t mode, struct base_error *err)
{
    BASE_AUTO_FREE char *temporary = NULL;
    BASE_AUTO_FD int fd = open_temporary(paths[0], mode, &temporary, err);
    if (fd < 0)
        return false;
    if (!base_fd_write_all(fd, data, len, err)) {
        (void)unlink(temporary);
        return base_fail_context(err, "cannot write %s", paths[0]);
    }
    if (fsync(fd) < 0 || !put_in_place(temporary, paths, count)) {
        (void)base_fail_errno(err, "cannot put %s in place", paths[0]);
        (void)unlink(temporary);
        return false;
    }
    return true;
}

bool base_file_write(const char *path, const void *data, size_t len, mode_t mode,
                     struct base_error *err)
{
    return base_file_write_as(&path, 1, data, len, mode, err);
}

bool base_staged_open(struct base_staged *staged, const char *path, mode_t mode,
                      struct base_error *err)
{
    struct stat st;
    struct base_staged made = BASE_STAGED_NONE;
    bool exists = stat(path, &st) == 0;
    if (exists && !S_ISREG(st.st_mode)) {
        made.fd = open(path, O_WRONLY | O_CLOEXEC);
        if (made.fd < 0)
            return base_fail_errno(err, "cannot write %s", path);
    } else {
        made.final = exists ? realpath(path, NULL) : base_str_dup(path);
        if (made.final == NULL)
            return base_fail_errno(err, "cannot write %s", path);
        made.fd = open_temporary(made.final, mode, &made.temporary, err);
        if (made.fd < 0) {
            free(made.final);
            return base_fail_context(err, "cannot write %s", path);
        }
    }
    made.path = base_str_dup(path);
    *staged = made;
    return true;
}

bool base_staged_commit(struct base_staged *staged, struct base_error *err)
{
    bool done;
    if (staged->final != NULL)
        done = fsync(staged->fd) == 0 && rename(staged->temporary, staged->final) == 0 &&
               sync_parent(staged->final);
    else /* EINVAL: not something that can be synchronised, such as a pipe (fsync(2)) */
        done = fsync(staged->fd) == 0 || errno == EINVAL || errno == EROFS;
    if (!done)
        (void)base_fail_errno(err, "cannot put %s in place", staged->path);
    base_staged_abandon(staged); /* the temporary name is gone when all went well */
    return done;
}

void base_staged_abandon(struct base_staged *staged)
{
    if (staged->fd >= 0 && staged->temporary != NULL)
        (void)unlink(staged->temporary);
    base_fd_close(&staged->fd);
    free(staged->path);
    free(staged->final);
    free(staged->temporary);
    *staged = BASE_STAGED_NONE;
}

bool base_dir_make(const char *path, mode_t mode, struct base_error *err)
{
    BASE_AUTO_FREE char *copy = base_str_dup(path);
    for (char *p = copy + 1; *copy != '\0'; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return base_fail_errno(err, "cannot make the folder %s", copy);
        *p = kept;
        if (kept == '\0')
            break;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return base_fail_errno(err, "cannot make the folder %s", path);
    if (!S_ISDIR(st.st_mode))
        return base_fail(err, BASE_IO, "%s exists and is not a folder", path);
    return true;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    /* What somebody else removed meanwhile is gone too; an error would end the walk early. */
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

bool base_dir_remove(const char *path, struct base_error *err)
{
    enum { OPEN_FOLDERS = 16 };
    if (nftw(path, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 &&
        errno != ENOENT)
        return base_fail_errno(err, "cannot remove %s", path);
    return true;
}
