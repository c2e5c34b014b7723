/* SPDX-License-Identifier: Apache-2.0 */
/* Was the generator itself the limit? Then what it measured is no evidence about the target. */
#ifndef LOAD_CLIENT_LIMITS_H
#define LOAD_CLIENT_LIMITS_H

#include "model/hdr.h"
#include "model/load.h"

/* How busy one thread was. */
struct load_busy {
    struct load_thread time;
    struct dur_ns streak; /* of intervals in a row above the limit */
    bool saturated;       /* the streak was long enough once */
};

struct load_evidence {
    const struct hdr *own_late;   /* lateness by timers and a busy loop, not by the target */
    const struct hdr *timer_late; /* of it, by timers */
    struct dur_ns max_late;
    uint64_t intended;
    uint64_t missed_busy; /* missed for want of a free connection while the target answered */
    uint64_t out_of_ports;
    const struct load_busy *threads;
    size_t thread_count;
};

/* What kept a thread, that last slept between two times, from a request that was due at a third and
 * is sent now: the timer, if it was asleep then, and more of the delay passed until it woke than
 * since; otherwise its other work. */
enum load_delay load_delay_of(int64_t slept_at, int64_t woke_at, int64_t due, int64_t now);

void load_busy_add(struct load_busy *busy, const struct load_thread *time);
/* LOAD_LIMIT_NONE: the generator was not the limit, *why is NULL. Otherwise the reason with what to
 * do about it, free() it. */
enum load_limit load_limits_judge(const struct load_evidence *evidence, char **why);

#endif
