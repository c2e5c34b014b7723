/* SPDX-License-Identifier: Apache-2.0 */
/* Scope cleanup: what is declared with these is released when the scope ends, on every path. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdlib.h>

#include "base/buf.h"
#include "base/file.h"

static inline void base_cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}
static inline void base_cleanup_fd(int *fd)
{
    base_fd_close(fd);
}
static inline void base_cleanup_buf(struct base_buf *buf)
{
    base_buf_fini(buf);
}

#define BASE_AUTO_FREE __attribute__((cleanup(base_cleanup_free)))
#define BASE_AUTO_FD   __attribute__((cleanup(base_cleanup_fd)))
#define BASE_AUTO_BUF  __attribute__((cleanup(base_cleanup_buf)))

#endif
