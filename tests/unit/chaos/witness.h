/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of satellites have seen of them, on a loop of their own. */
#ifndef TEST_CHAOS_WITNESS_H
#define TEST_CHAOS_WITNESS_H

#include "io/loop.h"

struct witness {
    struct io_loop *loop;
    struct io_timer patience;
    unsigned held;
    unsigned lost;
    unsigned stopped;
    bool late;
};

/* on_held, on_lost and on_stopped of a satellite; ctx is a struct witness. */
static inline void witness_held(void *ctx)
{
    ((struct witness *)ctx)->held++;
}
static inline void witness_lost(void *ctx)
{
    ((struct witness *)ctx)->lost++;
}
static inline void witness_stopped(void *ctx)
{
    ((struct witness *)ctx)->stopped++;
}
static inline void witness_late(void *ctx)
{
    ((struct witness *)ctx)->late = true;
}

static inline void witness_init(struct witness *seen)
{
    struct base_error err = {0};
    *seen = (struct witness){.loop = io_loop_new(&err)};
    assert_non_null(seen->loop);
    io_timer_init(&seen->patience, seen->loop, witness_late, seen);
    io_timer_start(&seen->patience, base_dur_s(10));
}

static inline void witness_fini(struct witness *seen)
{
    io_timer_fini(&seen->patience);
    io_loop_free(seen->loop);
}

/* Until it is one more. */
static inline void witness_until(struct witness *seen, const unsigned *count)
{
    unsigned before = *count;
    while (*count == before && !seen->late)
        io_loop_run_once(seen->loop);
    assert_false(seen->late);
}

#endif
