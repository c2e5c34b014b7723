/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who comes into the network namespace of a target that was found while a fault of that namespace
 * stands, and is hit as well. Before, whoever is neither found so nor a child of one that is would
 * have been refused (zone.h); now it ends the fault as failed. Where the topology names the
 * namespace all who live there are meant, and nobody looks. An agent sees there only whom it may
 * look at, which without CAP_SYS_PTRACE are few (ptrace(2)).
 */
#ifndef CHAOS_NEIGHBOURS_H
#define CHAOS_NEIGHBOURS_H

#include "engine.h"
#include "zone.h"

/* All of an agent's: one look through /proc a second serves every fault that stands, and without
 * one nobody looks. Never NULL. Freed after all faults; accepts NULL. */
struct fault_neighbourhood *fault_neighbourhood_new(struct io_loop *loop);
void fault_neighbourhood_free(struct fault_neighbourhood *hood);

/* Of one fault, until it is stopped. zones: borrowed. NULL: each of their namespaces is named. */
struct fault_neighbours *fault_neighbours_new(struct fault *fault, const struct fault_zone *zones,
                                              size_t count);
void fault_neighbours_stop(struct fault_neighbours *neighbours); /* accepts NULL, as free */
void fault_neighbours_free(struct fault_neighbours *neighbours);

#endif
