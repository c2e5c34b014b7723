/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the effect of the fault network is shown, and whether a measurement shows it. Pure.
 *
 * `delay` is one way. A round trip from the target takes it once for each impaired direction, so
 * what is expected of a round trip is their sum.
 */
#ifndef CHAOS_EFFECT_H
#define CHAOS_EFFECT_H

#include "impair.h"
#include "probe.h"

struct effect_plan {
    struct fault_probe_plan paced; /* everything but the rate */
    struct fault_probe_plan train; /* back to back, for the rate; count 0: none */
    struct fault_probe_plan swift; /* paced, fewer and faster: for before and after */
};

struct effect_line { /* one thing that was measured */
    const char *metric;
    char value[120];
    char expected[120];
    bool ok;
};
enum { EFFECT_MAX_LINES = 8 };

struct effect_verdict {
    struct effect_line lines[EFFECT_MAX_LINES];
    size_t count;
};

struct effect_measured { /* along one path */
    struct fault_probe_result paced;
    struct fault_probe_result train; /* zero when there was none */
};
void effect_measured_fini(struct effect_measured *measured); /* accepts a zeroed value */

/* false: it cannot be shown within budget; err says what would help.
 * paths: so many are measured at once. */
bool effect_plan(const struct fault_network *network, size_t paths, struct dur_ns budget,
                 struct effect_plan *out, struct base_error *err);
/* Before: that the peer answers, and fast enough, so that what is missing later means something. */
void effect_before(const struct fault_network *network, const struct effect_plan *plan,
                   const struct effect_measured *before, struct effect_verdict *out);
/* late: what we held packets longer than asked meanwhile, one way, as we know ourselves. Round
 * trips must be long enough without the least of it, and may be longer by the most of it; when that
 * is more than half of what is expected, nothing is shown. */
void effect_during(const struct fault_network *network, const struct effect_plan *plan,
                   const struct effect_measured *before, const struct effect_measured *during,
                   struct impair_lateness late, struct effect_verdict *out);
/* After: as before again. Nothing answered before: not known (an agent that died measured it). */
void effect_after(const struct fault_network *network, const struct effect_plan *plan,
                  const struct effect_measured *before, const struct effect_measured *after,
                  struct effect_verdict *out);
bool effect_shown(const struct effect_verdict *verdict);
/* The first line that is not as expected; NULL: none. */
const struct effect_line *effect_odd(const struct effect_verdict *verdict);

#endif
