/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a connection that keeps failing waits before it is tried again: 10 ms doubled at each
 * failure in a row, 1 s at most, and drawn from the upper half of that so that many connections
 * that failed together do not come back together.
 */
#ifndef LOAD_BACKOFF_H
#define LOAD_BACKOFF_H

#include "base/clock.h"
#include "base/random.h"

struct load_backoff {
    uint32_t failures; /* in a row */
};

struct dur_ns load_backoff_fail(struct load_backoff *backoff, struct base_rng *rng);
void load_backoff_reset(struct load_backoff *backoff);

#endif
