/* SPDX-License-Identifier: Apache-2.0 */
/* Loops of either kind, and what their callbacks note. */
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

/* Everything here but signals holds for either kind of loop. */
static bool direct;

static inline struct io_loop *new_loop(void)
{
    struct base_error err;
    if (!direct)
        return io_test_loop();
    struct io_loop *loop = io_loop_new_direct(&err);
    assert_non_null(loop);
    return loop;
}

static inline int use_libev(void **state)
{
    (void)state;
    direct = false;
    return 0;
}

static inline int use_direct(void **state)
{
    (void)state;
    direct = true;
    return 0;
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

/* The tests on either kind of loop; how many failed. */
#define RUN_ON_BOTH(tests)                                                                         \
    (cmocka_run_group_tests_name("libev", tests, use_libev, NULL) +                                \
     cmocka_run_group_tests_name("direct", tests, use_direct, NULL))

#endif
