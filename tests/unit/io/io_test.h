/* SPDX-License-Identifier: Apache-2.0 */
/* What the io tests share: turning the loop until something is true, or a deadline has passed. */
#ifndef IO_TEST_H
#define IO_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/loop.h"

enum { IO_TEST_DEADLINE_S = 20 };

static inline void io_test_tick(void *ctx)
{
    (void)ctx;
}

/* Turns the loop until *flag; a timer bounds each turn, so that a lost event fails the test. */
static inline void io_test_until(struct io_loop *loop, const bool *flag)
{
    struct mono_ns deadline = base_mono_add(base_mono_now(), base_dur_s(IO_TEST_DEADLINE_S));
    struct io_timer tick;
    io_timer_init(&tick, loop, io_test_tick, NULL);
    while (!*flag) {
        assert_true(base_mono_before(base_mono_now(), deadline));
        io_timer_start(&tick, base_dur_ms(100));
        io_loop_run_once(loop);
    }
    io_timer_fini(&tick);
}

static inline struct io_loop *io_test_loop(void)
{
    struct base_error err;
    struct io_loop *loop = io_loop_new(&err);
    assert_non_null(loop);
    return loop;
}

#endif
