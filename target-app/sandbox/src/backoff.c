/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

enum { FIRST_MS = 200, MOST_MS = 10000, STABLE_MS = 10000, DOUBLINGS = 6 };

struct dur_ns sandbox_backoff_next(struct sandbox_backoff *backoff, struct dur_ns lived)
{
    if (base_dur_to_ms(lived) >= STABLE_MS)
        backoff->failures = 0;
    unsigned doublings = backoff->failures < DOUBLINGS ? backoff->failures : DOUBLINGS;
    int64_t ms = (int64_t)FIRST_MS << doublings;
    if (backoff->failures < UINT32_MAX)
        backoff->failures++;
    return base_dur_ms(ms < MOST_MS ? ms : MOST_MS);
}
