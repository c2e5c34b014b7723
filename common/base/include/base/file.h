/* SPDX-License-Identifier: Apache-2.0 */
/* Files and folders, with errors that name the path. Blocking; not for the load path. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends the file to buf; BASE_LIMIT when it would exceed buf->max. */
bool base_file_read(const char *path, struct base_buf *buf, struct base_error *err);
/* Replaces path atomically (temporary file beside it, fsync, rename, fsync of the folder): a reader
 * sees the old or the new bytes, and after return they are on disk. */
bool base_file_write(const char *path, const void *data, size_t len, mode_t mode,
                     struct base_error *err);
/* Renames and removals of path's name are on disk when this returns. */
bool base_file_sync_name(const char *path, struct base_error *err);
/* The same under several names in one folder: one file with as many links. On failure a name has
 * either what it had or the new bytes. base_error.sys EPERM: no links on this file system. */
bool base_file_write_as(const char *const *paths, size_t count, const void *data, size_t len,
                        mode_t mode, struct base_error *err);
/* A file that grows beside its final name and gets it when it is whole: nobody ever sees half of it
 * there, whatever happens on the way. What is no regular file (a pipe, a device) is written
 * directly; a symbolic link is followed. */
struct base_staged {
    int fd;          /* write here; -1: not open */
    char *path;      /* as given, for messages */
    char *final;     /* NULL: written directly */
    char *temporary; /* beside it */
};
#define BASE_STAGED_NONE ((struct base_staged){.fd = -1})
bool base_staged_open(struct base_staged *staged, const char *path, mode_t mode,
                      struct base_error *err);
/* Bytes to disk, then the name; closed in any case, and removed when that fails. */
bool base_staged_commit(struct base_staged *staged, struct base_error *err);
void base_staged_abandon(struct base_staged *staged); /* accepts BASE_STAGED_NONE; idempotent */
/* As `mkdir -p`; an existing folder is fine. */
bool base_dir_make(const char *path, mode_t mode, struct base_error *err);
/* Removes the folder and all below it, never following symbolic links nor crossing into another
 * file system; a missing folder is fine. */
bool base_dir_remove(const char *path, struct base_error *err);
/* Writes all of data, over short writes and EINTR; for blocking descriptors. */
bool base_fd_write_all(int fd, const void *data, size_t len, struct base_error *err);
void base_fd_close(int *fd); /* closes if >= 0 and sets -1 */
bool base_fd_set_nonblocking(int fd, struct base_error *err);

#endif
