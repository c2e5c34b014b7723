/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog of a fault for which the kernel has no timeout: undoes it when its deadline passes
 * or the agent is no more. Started before the fault is applied, killed after it was reverted.
 */
#ifndef CHAOS_GUARD_H
#define CHAOS_GUARD_H

#include "satellite.h"

struct fault_guard;

struct fault_guard_spec {
    /* Runs in the watchdog: async-signal-safe functions only. false: to be tried again. */
    bool (*undo)(void *undo_ctx);
    void *undo_ctx;
    const int *keep; /* descriptors that undo needs */
    size_t keep_count;
    void (*on_held)(void *ctx);    /* as of a satellite */
    void (*on_lost)(void *ctx);    /* it is no more, without having been asked to end */
    void (*on_stopped)(void *ctx); /* it is no more, as asked */
    void *ctx;
};

/* left: until it undoes. It waits a little longer, so that an agent that is well comes first. */
struct fault_guard *fault_guard_start(struct io_loop *loop, const struct fault_guard_spec *spec,
                                      struct dur_ns left, struct base_error *err);
bool fault_guard_renew(struct fault_guard *guard, struct dur_ns left, struct base_error *err);
/* Ends without undoing anything; on_stopped follows. */
void fault_guard_stop(struct fault_guard *guard);
pid_t fault_guard_pid(const struct fault_guard *guard); /* these two: as of a satellite */
const struct base_error *fault_guard_why(const struct fault_guard *guard);
/* One that was not stopped undoes now, as if the agent had died. Accepts NULL. */
void fault_guard_free(struct fault_guard *guard);

#endif
