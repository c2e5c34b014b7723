/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who comes into the network namespaces of a fault's targets while it stands, and is hit as well.
 * Where a namespace is that of a target that was found, whoever is neither found so nor a child of
 * one that is would have been refused before (zone.h): it ends the fault as failed. Where the
 * topology names the namespace, all who live there are meant: who came is evidence. An agent sees
 * there only whom it may look at, which without CAP_SYS_PTRACE are few (ptrace(2)).
 */
#ifndef CHAOS_NEIGHBOURS_H
#define CHAOS_NEIGHBOURS_H

#include "engine.h"
#include "zone.h"

struct fault_neighbours;

/* Looks at /proc again and again until it is stopped. zones: borrowed. Never NULL. */
struct fault_neighbours *fault_neighbours_new(struct fault *fault, const struct fault_zone *zones,
                                              size_t count);
void fault_neighbours_stop(struct fault_neighbours *neighbours); /* accepts NULL, as free */
void fault_neighbours_free(struct fault_neighbours *neighbours);

#endif
