/* SPDX-License-Identifier: Apache-2.0 */
/* Reads lines from a descriptor on the loop: the pipes between squall and its children. */
#ifndef IO_LINES_H
#define IO_LINES_H

#include "base/buf.h"
#include "io/loop.h"

struct io_lines {
    struct io_watch watch;
    struct base_buf pending;
    int fd;
    bool overlong;  /* the rest of a line over the maximum is being skipped */
    bool *finished; /* set by io_lines_fini while a callback runs */
    void *ctx;
    /* A line without its newline, NUL-terminated, valid during the call. */
    void (*on_line)(void *ctx, char *line, size_t len);
    /* Once: end of file (err NULL) or a read error. An unterminated last line comes before it. */
    void (*on_end)(void *ctx, const struct base_error *err);
};

/* Takes ownership of fd and makes it non-blocking; when it fails, fd stays the caller's. Lines over
 * max bytes are dropped whole. Callbacks may finish the reader and free what holds it. */
bool io_lines_init(struct io_lines *lines, struct io_loop *loop, int fd, size_t max,
                   void (*on_line)(void *ctx, char *line, size_t len),
                   void (*on_end)(void *ctx, const struct base_error *err), void *ctx,
                   struct base_error *err);
void io_lines_fini(struct io_lines *lines); /* closes fd; accepts a zeroed value */

#endif
