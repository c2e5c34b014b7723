/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that reads one queue of packets (netqueue.h), asks what becomes of each (impair.h),
 * holds it and lets it go in time. A thread of its own, since the agent's loop now and then waits
 * for a disk or for a transaction of the kernel, and every packet would wait with it.
 *
 * Calls are for the thread that owns the holder.
 */
#ifndef CHAOS_HOLDER_H
#define CHAOS_HOLDER_H

#include "impair.h"
#include "netns.h"

struct fault_holder;

/* Until rules lead to its queue nothing happens. netns NULL: in a new namespace. */
struct fault_holder *fault_holder_new(const struct fault_netns *netns,
                                      const struct fault_impairment *what, uint64_t seed,
                                      struct base_error *err);
/* Lets every packet go that is held, at once, and ends the thread. Accepts NULL. */
void fault_holder_free(struct fault_holder *holder);

uint16_t fault_holder_queue(const struct fault_holder *holder);
uint32_t fault_holder_mark(const struct fault_holder *holder); /* of the copies it sends */
bool fault_holder_works(const struct fault_holder *holder);    /* false: its queue broke */
/* Since this was asked last, to half a millisecond. */
struct impair_lateness fault_holder_late(struct fault_holder *holder);

#endif
