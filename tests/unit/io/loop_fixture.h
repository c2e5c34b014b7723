/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes to watch, and what callbacks of a loop note. */
#ifndef IO_LOOP_FIXTURE_H
#define IO_LOOP_FIXTURE_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "io_test.h"

static inline void make_pipe(int fds[2])
{
    assert_int_equal(pipe(fds), 0);
    struct base_error err;
    assert_true(base_fd_set_nonblocking(fds[0], &err));
    assert_true(base_fd_set_nonblocking(fds[1], &err));
}

static inline void close_pipe(int fds[2])
{
    base_fd_close(&fds[0]);
    base_fd_close(&fds[1]);
}

struct seen {
    struct io_watch *watch;
    unsigned events;
    int calls;
    bool any;
    bool finish; /* finish and free the watcher from its own callback */
};

static inline void on_ready(void *ctx, unsigned events)
{
    struct seen *seen = ctx;
    seen->events |= events;
    seen->calls++;
    seen->any = true;
    if (seen->finish) {
        io_watch_fini(seen->watch);
        memset(seen->watch, 0x5a, sizeof *seen->watch);
        free(seen->watch);
    }
}

static inline void on_stop(void *ctx)
{
    io_loop_stop(ctx);
}

#endif
