/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the steps of several kinds of faults share: which measurement is theirs, and how they wait
 * for the word of satellites (satellite.h). The fault keeps a flag, whether a step waits; it is
 * cleared here, so that each word ends one step at the most.
 */
#ifndef CHAOS_STEP_H
#define CHAOS_STEP_H

#include "engine.h"

/* "before", "during" or "after": when that step measures. */
const char *fault_step_when(enum fault_step step);

/* The end of a step that measured; odd: not what it should be, err says how. Before the fault
 * nothing can be shown then; during it the fault has no effect. */
void fault_step_measured(struct fault *fault, enum fault_step step, bool odd,
                         const struct base_error *err);
/* Of the one that measures it gone; explained: by something else than the fault's still being
 * there, as when a peer is down by itself, which is put on record. */
void fault_step_absent(struct fault *fault, bool odd, bool explained, const struct base_error *err);

/* They hold the deadline: a step that waits for that is done. */
void fault_step_held(struct fault *fault, bool *waits);
/* One is no more, unasked: a step that waits fails, and a fault that is active ends as failed. Not
 * so when the lease had lapsed: then it did what it is for, and the engine's own timer is due. */
void fault_step_lost(struct fault *fault, bool *waits, bool lapsed, const struct base_error *why);
/* `deadline` of fault_ops: a satellite that is silent for longer than that is none. */
struct dur_ns fault_step_deadline(const struct fault *fault, enum fault_step step);

#endif
