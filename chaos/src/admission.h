/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the agent takes a fault: its own ceiling, cap and topology decide. Pure. */
#ifndef CHAOS_ADMISSION_H
#define CHAOS_ADMISSION_H

#include "model/fault.h"
#include "model/topology.h"

struct agent_limits {
    struct dur_ns max_duration;
    double max_affected;
};

/* standing: specs of the faults that have not ended (a stuck one stands). BASE_INVALID: the request
 * is wrong in itself; anything else: refused here and now. */
bool agent_admit(const struct fault_spec *spec, const struct topo *topo,
                 const struct agent_limits *limits, const struct fault_spec *const *standing,
                 size_t standing_count, struct base_error *err);

/* The body of a renewal: {"leaseNs":N}. */
bool agent_read_renewal(const json_t *body, const struct agent_limits *limits,
                        struct dur_ns *out_lease, struct base_error *err);

#endif
