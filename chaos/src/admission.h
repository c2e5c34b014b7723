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

/* A fault that has not ended (a stuck one stands), and whom it hits: of one with `track` all that
 * have joined, also while one of them is another process and is about to be hit anew. All borrowed.
 */
struct agent_standing {
    const struct fault_spec *spec;
    char *const *targets;
    size_t target_count;
};

/* BASE_INVALID: the request is wrong in itself; anything else: refused here and now. */
bool agent_admit(const struct fault_spec *spec, const struct topo *topo,
                 const struct agent_limits *limits, const struct agent_standing *standing,
                 size_t standing_count, struct base_error *err);

/* The body of a renewal: {"leaseNs":N}. */
bool agent_read_renewal(const json_t *body, const struct agent_limits *limits,
                        struct dur_ns *out_lease, struct base_error *err);

#endif
