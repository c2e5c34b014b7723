/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pods of nodes that are drained: all that a person's kubectl drain would evict. Each must be
 * an instance of the agent's topology on that node, so that its share was counted (admission.h);
 * evictions honour disruption budgets, and are tried again as long as the lease lasts, which nobody
 * renews before the fault is active. Each of the two ends with fault_step_done.
 */
#ifndef CHAOS_NODE_DRAIN_H
#define CHAOS_NODE_DRAIN_H

#include "node_set.h"

struct fault_drain;

/* The set outlives it. NULL with err. */
struct fault_drain *fault_drain_new(const struct fault_node_set *set, const struct topo *topo,
                                    struct base_error *err);
void fault_drain_free(struct fault_drain *drain); /* accepts NULL */
/* Whether what runs there may be evicted; changes nothing. */
void fault_drain_prepare(struct fault_drain *drain);
/* Evicts, and waits until all of them are gone. */
void fault_drain_run(struct fault_drain *drain);
void fault_drain_cancel(struct fault_drain *drain); /* accepts NULL */

#endif
