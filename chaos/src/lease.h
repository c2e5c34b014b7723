/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a fault may still stay: until its lease lapses or its `for` has passed, whichever comes
 * first. Pure arithmetic: the caller brings the time, on the monotonic clock.
 */
#ifndef CHAOS_LEASE_H
#define CHAOS_LEASE_H

#include "model/fault.h"

struct fault_lease {
    struct mono_ns lapses;  /* without renewal until then: end=lease */
    struct mono_ns expires; /* `for` has passed: end=expired */
};

struct fault_lease fault_lease_start(struct mono_ns now, struct dur_ns lease,
                                     struct dur_ns duration);
/* FAULT_END_NONE while it holds. When both have passed, whichever passed first is the reason. */
enum fault_end fault_lease_check(const struct fault_lease *lease, struct mono_ns now);
/* false, and nothing changed, when it has ended already: a lapsed lease is never revived. */
bool fault_lease_renew(struct fault_lease *lease, struct mono_ns now, struct dur_ns length);
/* From now until it ends; never negative. The kernel's timeouts and the targets' TTLs. */
struct dur_ns fault_lease_left(const struct fault_lease *lease, struct mono_ns now);

#endif
