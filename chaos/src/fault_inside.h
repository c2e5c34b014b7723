/* SPDX-License-Identifier: Apache-2.0 */
/* What a fault is made of: for engine.c (its course), await.c (what the disk holds of it) and
 * fault.c (what it tells) alone. */
#ifndef CHAOS_FAULT_INSIDE_H
#define CHAOS_FAULT_INSIDE_H

#include "engine.h"

/* What the disk has to hold before a fault goes on. */
enum awaited {
    AWAITS_NOTHING,
    AWAITS_REQUEST, /* who asked for it, and its id */
    AWAITS_ENTRY,   /* by which it can be reverted: nothing is applied before */
    AWAITS_UPDATE,  /* the same, after it was verified */
    AWAITS_REMOVAL
};

struct fault {
    struct fault_env *env;
    struct fault_spec spec;
    struct fault_record record;
    const struct fault_ops *ops;
    void *state;
    struct fault_lease lease;
    bool halted;  /* somebody waits for its end: nothing but its absence is worth waiting for */
    bool applied; /* journaled, and perhaps in place */
    bool renewal_due;
    bool hold; /* before its apply */
    bool held;
    bool verify_due; /* after the next renewal */
    unsigned verified;
    struct mono_ns promised; /* its first lease ends by then; 0: as its spec says */
    bool reverted_again;     /* the first revert had failed */
    bool unknown;            /* its journal entry did not tell how to revert: it stays stuck */
    bool refused;            /* what was asked for could not be written down; step_error says why */
    enum awaited awaits;
    struct agent_ticket ticket;
    enum fault_step step;
    bool step_over; /* the outcome is known, its timer is about to fire */
    enum fault_outcome outcome;
    struct base_error step_error;
    struct io_timer lease_timer;
    struct io_timer deadline_timer;
    struct io_timer next_timer; /* goes on in a turn of its own: a step may report from inside */
};

/* --- await.c: one thing is waited for at a time; on_done's ctx is the fault --- */
void fault_await_nothing(struct fault *fault);
void fault_await_request(struct fault *fault,
                         void (*on_done)(void *ctx, const struct base_error *err));
/* The entry as the fault is now; false: it cannot be written as JSON, and nothing is waited for. */
bool fault_await_entry(struct fault *fault, enum awaited what,
                       void (*on_done)(void *ctx, const struct base_error *err),
                       struct base_error *err);
void fault_await_removal(struct fault *fault,
                         void (*on_done)(void *ctx, const struct base_error *err));
/* An update is waited for no more; err: why the entry is as it was before. */
void fault_updated(struct fault *fault, const struct base_error *err);

#endif
