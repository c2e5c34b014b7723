/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What faults of stores have in common, which speak a store's own protocol over the loop: the
 * targets with what the agent needs to speak to each (credentials.h), steps that end when those of
 * all targets have ended, and an absence that is asked for until it is shown.
 */
#ifndef CHAOS_STORE_H
#define CHAOS_STORE_H

#include "credentials.h"
#include "engine.h"
#include "resolve.h"

struct fault_store_subject { /* one target */
    struct fault *fault;
    struct fault_target target;
    struct fault_process process; /* of the store; pid 0: not known */
    struct fault_credentials credentials;
    void *own; /* of the kind */
    bool busy;
    enum fault_outcome outcome;
    struct base_error error;
};

struct fault_store_ops {
    const char *kind; /* of the service, in the topology */
    void *(*open)(struct fault_store_subject *subject);
    void (*close)(void *own);
    void (*cancel)(void *own); /* whatever a step waits for */
    /* Each ends with fault_store_done. NULL: there is nothing to do. In FAULT_STEP_VERIFY_GONE what
     * is not OK is asked again, until the deadline, and evidence is what shows the absence. */
    void (*const *(*steps)(const struct fault_spec *spec))(void *own);
};

bool fault_store_platform(const struct fault_store_ops *ops, const struct topo *topo,
                          struct base_error *err);
bool fault_store_open(struct fault *fault, const struct fault_store_ops *ops,
                      const struct topo *topo, struct base_error *err);
/* fault_ops that are the same for all stores. */
json_t *fault_store_undo(const struct fault *fault);
bool fault_store_reopen(struct fault *fault, const struct fault_store_ops *ops, const json_t *undo,
                        struct base_error *err);
void fault_store_prepare(struct fault *fault);
void fault_store_apply(struct fault *fault);
void fault_store_verify(struct fault *fault);
void fault_store_renew(struct fault *fault);
void fault_store_revert(struct fault *fault);
void fault_store_gone(struct fault *fault);
struct dur_ns fault_store_deadline(const struct fault *fault, enum fault_step step);
void fault_store_late(struct fault *fault, enum fault_step step);
void fault_store_cancel(struct fault *fault);
void fault_store_close(struct fault *fault);

#define FAULT_STORE_STEPS                                                                          \
    .undo = fault_store_undo,                                                                      \
    .step =                                                                                        \
        {[FAULT_STEP_PREPARE] = fault_store_prepare, [FAULT_STEP_APPLY] = fault_store_apply,       \
         [FAULT_STEP_VERIFY] = fault_store_verify,   [FAULT_STEP_RENEW] = fault_store_renew,       \
         [FAULT_STEP_REVERT] = fault_store_revert,   [FAULT_STEP_VERIFY_GONE] = fault_store_gone}, \
    .deadline = fault_store_deadline, .late = fault_store_late, .cancel = fault_store_cancel,      \
    .close = fault_store_close

/* Of the target's service, which is of that kind; fault_credentials_fini. */
bool fault_store_credentials(const struct fault_target *target, const char *kind,
                             struct fault_credentials *out, struct base_error *err);

/* --- for the kinds --- */
/* Once for each step; err (may be NULL when OK) gets the target's name in front. */
void fault_store_done(struct fault_store_subject *subject, enum fault_outcome outcome,
                      const struct base_error *err);
/* The step under way measures before, or applies: what it has opened is of use to the next. */
bool fault_store_is_injecting(const struct fault_store_subject *subject);
/* Of the step under way: before, during or after. */
void fault_store_evidence(struct fault_store_subject *subject, const char *metric,
                          const char *value, const char *expected, bool ok);

#endif
