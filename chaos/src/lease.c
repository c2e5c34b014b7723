/* SPDX-License-Identifier: Apache-2.0 */
#include "lease.h"

/* Far beyond any accepted duration, and a sum of two of them still fits. */
static const int64_t longest_ns = INT64_MAX / 4;

static struct mono_ns add(struct mono_ns now, struct dur_ns length)
{
    if (length.ns < 0)
        length.ns = 0;
    if (length.ns > longest_ns)
        length.ns = longest_ns;
    return base_mono_add(now, length);
}

static struct mono_ns end_of(const struct fault_lease *lease)
{
    return base_mono_before(lease->lapses, lease->expires) ? lease->lapses : lease->expires;
}

struct fault_lease fault_lease_start(struct mono_ns now, struct dur_ns lease,
                                     struct dur_ns duration)
{
    return (struct fault_lease){.lapses = add(now, lease), .expires = add(now, duration)};
}

enum fault_end fault_lease_check(const struct fault_lease *lease, struct mono_ns now)
{
    if (base_mono_before(now, end_of(lease)))
        return FAULT_END_NONE;
    return base_mono_before(lease->lapses, lease->expires) ? FAULT_END_LEASE : FAULT_END_EXPIRED;
}

bool fault_lease_renew(struct fault_lease *lease, struct mono_ns now, struct dur_ns length)
{
    if (fault_lease_check(lease, now) != FAULT_END_NONE)
        return false;
    lease->lapses = add(now, length);
    return true;
}

struct dur_ns fault_lease_left(const struct fault_lease *lease, struct mono_ns now)
{
    struct dur_ns left = base_mono_sub(end_of(lease), now);
    return left.ns > 0 ? left : (struct dur_ns){0};
}
