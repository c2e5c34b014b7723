/* SPDX-License-Identifier: Apache-2.0 */
#include "toll.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { more_ms = 100, longest_ms = 2000 };

struct dur_ns fault_toll_rest(const struct fault_store_subject *subject, struct dur_ns every)
{
    int64_t rest = base_dur_to_ms(every);
    if (rest > longest_ms)
        rest = longest_ms;
    if (fault_is_halted(subject->fault))
        rest = 0;
    return base_dur_ms(rest + more_ms);
}

void fault_toll_over(struct fault_store_subject *subject, const struct fault_toll *toll,
                     struct mono_ns since, const char *what)
{
    int64_t ms = base_dur_to_ms(base_mono_sub(base_mono_now(), since));
    BASE_AUTO_FREE char *lived = base_str_printf("lives after %" PRId64 " ms", ms);
    BASE_AUTO_FREE char *total =
        base_str_printf("%" PRId64 ", by %" PRId64 " strikes", toll->ended, toll->strikes);
    fault_store_evidence(subject, "a new session", lived, "lives", true);
    if (toll->strikes > 0)
        fault_store_evidence(subject, what, total, "at least 1", toll->ended > 0);
}
