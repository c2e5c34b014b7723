/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before starting an instance again (pure). */
#ifndef SANDBOX_BACKOFF_H
#define SANDBOX_BACKOFF_H

#include <stdint.h>

#include "base/clock.h"

struct sandbox_backoff {
    unsigned failures; /* in a row */
};

/* The first restart after 200 ms, each further one after twice the time, 10 s at most. One that
 * lived for 10 s starts the count anew. */
struct dur_ns sandbox_backoff_next(struct sandbox_backoff *backoff, struct dur_ns lived);

#endif
