/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a fault that a watchdog (guard.h) undoes: it is there before anything is changed,
 * its word is waited for whenever the lease is renewed, it ends after all was put back. Should it
 * die before that, the agent undoes at once. Each step here ends with fault_step_done.
 */
#ifndef CHAOS_WATCHDOG_H
#define CHAOS_WATCHDOG_H

#include "engine.h"

struct fault_guard;

struct fault_watchdog_ops {
    void (*change)(struct fault *fault); /* the rest of the step apply, once it is there */
    /* From the agent or, as of a guard, from the watchdog; harmless when repeated. ctx: the state
     * of the fault. false with errno: to be tried again. */
    bool (*undo)(void *state);
    const char *undoing; /* for messages: "thaw a target" */
    const char *undone;  /* "thawed it" */
    const char *changed; /* "frozen" */
};

struct fault_watchdog { /* part of the state of the fault */
    struct fault *fault;
    const struct fault_watchdog_ops *ops;
    struct fault_guard *guard; /* NULL: none yet, or the fault was found in the journal */
    bool waits;                /* a step, for its word */
};

void fault_watchdog_init(struct fault_watchdog *watchdog, struct fault *fault,
                         const struct fault_watchdog_ops *ops);
void fault_watchdog_fini(struct fault_watchdog *watchdog); /* as if the agent had died */
void fault_watchdog_cancel(struct fault_watchdog *watchdog);

/* keep: the descriptors that undo needs. */
void fault_watchdog_apply(struct fault_watchdog *watchdog, const int *keep, size_t count);
void fault_watchdog_renew(struct fault_watchdog *watchdog);
void fault_watchdog_revert(struct fault_watchdog *watchdog);

#endif
