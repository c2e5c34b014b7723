/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

static const int64_t first = 10 * BASE_NS_PER_MS;
static const int64_t ceiling = BASE_NS_PER_S;

struct dur_ns load_backoff_fail(struct load_backoff *backoff, struct base_rng *rng)
{
    int64_t wait = first;
    for (uint32_t i = 0; i < backoff->failures && wait < ceiling; i++)
        wait *= 2;
    if (wait > ceiling)
        wait = ceiling;
    if (backoff->failures < UINT32_MAX)
        backoff->failures++;
    uint64_t spread = base_rng_below(rng, (uint64_t)wait / 2 + 1);
    return (struct dur_ns){wait / 2 + (int64_t)spread};
}

void load_backoff_reset(struct load_backoff *backoff)
{
    backoff->failures = 0;
}
