/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "step.h"
#include "undo.h"

enum { retry_ms = 100, gone_s = 5, revert_s = 2 };

struct store_state {
    const struct fault_store_ops *ops;
    struct fault_store_subject *subjects;
    size_t count;
    enum fault_step round;
    bool beginning; /* steps of subjects may end at once: all have begun first */
    struct io_timer retry;
};

/* --- before anything --- */

bool fault_store_platform(const struct fault_store_ops *ops, const struct topo *topo,
                          struct base_error *err)
{
    for (size_t i = 0; i < topo->service_count; i++)
        if (base_str_eq(topo->services[i].kind, ops->kind) &&
            topo->services[i].credentials_file != NULL)
            return true;
    return base_fail(err, BASE_UNAVAILABLE,
                     "no service of the platform \"%s\" is of the kind \"%s\" and has a "
                     "credentialsFile",
                     topo->name, ops->kind);
}

static void on_retry(void *ctx);

static struct store_state *state_new(struct fault *fault, const struct fault_store_ops *ops,
                                     size_t count)
{
    struct store_state *state = base_calloc(1, sizeof *state);
    *state = (struct store_state){
        .ops = ops, .count = count, .subjects = base_calloc(count, sizeof *state->subjects)};
    for (size_t i = 0; i < count; i++)
        state->subjects[i].fault = fault;
    io_timer_init(&state->retry, fault_env_of(fault)->loop, on_retry, fault);
    fault_set_state(fault, state);
    return state;
}

bool fault_store_credentials(const struct fault_target *target, const char *kind,
                             struct fault_credentials *out, struct base_error *err)
{
    if (!base_str_eq(target->kind, kind))
        return base_fail(err, BASE_INVALID, "%s is of the kind \"%s\", expected \"%s\"",
                         target->name, target->kind, kind);
    if (target->credentials_file == NULL)
        return base_fail(err, BASE_UNAVAILABLE,
                         "%s: its service has no credentialsFile in the topology", target->name);
    return fault_credentials_read(target->credentials_file, out, err) ||
           base_fail_context(err, "%s", target->name);
}

static bool subject_open(struct fault_store_subject *subject, const struct fault_store_ops *ops,
                         struct base_error *err)
{
    const struct fault_target *target = &subject->target;
    if (!fault_store_credentials(target, ops->kind, &subject->credentials, err))
        return false;
    /* Only a help for telling later whether the process that had the fault is gone. */
    if (target->status_file != NULL && !fault_target_process(target, &subject->process, NULL, NULL))
        subject->process = (struct fault_process){0};
    subject->own = ops->open(subject);
    return true;
}

bool fault_store_open(struct fault *fault, const struct fault_store_ops *ops,
                      const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct store_state *state = state_new(fault, ops, spec->target_count);
    for (size_t i = 0; i < state->count; i++)
        if (!fault_target_resolve(topo, spec->targets[i], &state->subjects[i].target, err) ||
            !subject_open(&state->subjects[i], ops, err))
            return false;
    return true;
}

/* --- a step of all --- */

void fault_store_evidence(struct fault_store_subject *subject, const char *metric,
                          const char *value, const char *expected, bool ok)
{
    const struct store_state *state = fault_state_of(subject->fault);
    fault_evidence(subject->fault, subject->target.name, fault_step_when(state->round), metric,
                   value, expected, ok);
}

bool fault_store_is_injecting(const struct fault_store_subject *subject)
{
    const struct store_state *state = fault_state_of(subject->fault);
    return state->round == FAULT_STEP_PREPARE || state->round == FAULT_STEP_APPLY;
}

static bool all_ended(const struct store_state *state)
{
    for (size_t i = 0; i < state->count; i++)
        if (state->subjects[i].busy)
            return false;
    return !state->beginning;
}

static const struct fault_store_subject *worst(const struct store_state *state)
{
    for (size_t i = 0; i < state->count; i++)
        if (state->subjects[i].outcome != FAULT_OUTCOME_OK)
            return &state->subjects[i];
    return NULL;
}

static void round_finish(struct fault *fault)
{
    struct store_state *state = fault_state_of(fault);
    const struct fault_store_subject *bad = worst(state);
    if (bad == NULL)
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
    else if (state->round == FAULT_STEP_VERIFY_GONE)
        io_timer_start(&state->retry, base_dur_ms(retry_ms)); /* until the deadline */
    else
        fault_step_done(fault, bad->outcome, &bad->error);
}

/* What a process holds in its memory is gone with it: it does not have to answer for that. */
static bool died(struct fault_store_subject *subject)
{
    char value[64];
    if (subject->process.pid <= 0 || fault_process_alive(&subject->process))
        return false;
    (void)snprintf(value, sizeof value, "pid %d has exited", (int)subject->process.pid);
    fault_store_evidence(subject, "process that held the fault", value, "gone", true);
    return true;
}

void fault_store_done(struct fault_store_subject *subject, enum fault_outcome outcome,
                      const struct base_error *err)
{
    const struct store_state *state = fault_state_of(subject->fault);
    if (!subject->busy)
        return;
    subject->busy = false;
    subject->outcome = outcome;
    if (outcome != FAULT_OUTCOME_OK && err != NULL) {
        subject->error = *err;
        (void)base_fail_context(&subject->error, "%s", subject->target.name);
    }
    if (outcome != FAULT_OUTCOME_OK && state->round == FAULT_STEP_VERIFY_GONE && died(subject))
        subject->outcome = FAULT_OUTCOME_OK;
    if (all_ended(state))
        round_finish(subject->fault);
}

static void begin_those_due(struct fault *fault)
{
    struct store_state *state = fault_state_of(fault);
    void (*const *steps)(void *own) = state->ops->steps(fault_spec_of(fault));
    state->beginning = true;
    for (size_t i = 0; i < state->count; i++) {
        struct fault_store_subject *subject = &state->subjects[i];
        if (!subject->busy)
            continue;
        if (steps[state->round] != NULL)
            steps[state->round](subject->own);
        else
            fault_store_done(subject, FAULT_OUTCOME_OK, NULL);
    }
    state->beginning = false;
    if (all_ended(state))
        round_finish(fault);
}

static void round_begin(struct fault *fault, enum fault_step round)
{
    struct store_state *state = fault_state_of(fault);
    state->round = round;
    for (size_t i = 0; i < state->count; i++)
        state->subjects[i].busy = true;
    begin_those_due(fault);
}

static void on_retry(void *ctx)
{
    struct store_state *state = fault_state_of(ctx);
    for (size_t i = 0; i < state->count; i++)
        state->subjects[i].busy = state->subjects[i].outcome != FAULT_OUTCOME_OK;
    begin_those_due(ctx);
}

void fault_store_prepare(struct fault *fault)
{
    round_begin(fault, FAULT_STEP_PREPARE);
}
void fault_store_apply(struct fault *fault)
{
    round_begin(fault, FAULT_STEP_APPLY);
}
void fault_store_verify(struct fault *fault)
{
    round_begin(fault, FAULT_STEP_VERIFY);
}
void fault_store_renew(struct fault *fault)
{
    round_begin(fault, FAULT_STEP_RENEW);
}
void fault_store_revert(struct fault *fault)
{
    round_begin(fault, FAULT_STEP_REVERT);
}
void fault_store_gone(struct fault *fault)
{
    round_begin(fault, FAULT_STEP_VERIFY_GONE);
}

/* --- housekeeping --- */

struct dur_ns fault_store_deadline(const struct fault *fault, enum fault_step step)
{
    if (step == FAULT_STEP_REVERT)
        return base_dur_s(revert_s); /* then the store's own timeouts do it */
    if (step == FAULT_STEP_VERIFY_GONE)
        return (struct dur_ns){fault_spec_of(fault)->lease.ns + gone_s * BASE_NS_PER_S};
    return (struct dur_ns){0};
}

void fault_store_late(struct fault *fault, enum fault_step step)
{
    struct store_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++) {
        struct fault_store_subject *subject = &state->subjects[i];
        bool failed = !subject->busy && subject->outcome != FAULT_OUTCOME_OK;
        if (!subject->busy && !failed)
            continue;
        if (step == FAULT_STEP_VERIFY_GONE && died(subject))
            continue;
        if (step != FAULT_STEP_APPLY && step != FAULT_STEP_RENEW && step != FAULT_STEP_REVERT)
            fault_store_evidence(subject, "answer of the store",
                                 failed ? subject->error.message : "none in time", "one", false);
    }
}

void fault_store_cancel(struct fault *fault)
{
    struct store_state *state = fault_state_of(fault);
    io_timer_stop(&state->retry);
    for (size_t i = 0; i < state->count; i++) {
        state->subjects[i].busy = false;
        if (state->subjects[i].own != NULL)
            state->ops->cancel(state->subjects[i].own);
    }
}

void fault_store_close(struct fault *fault)
{
    struct store_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++) {
        struct fault_store_subject *subject = &state->subjects[i];
        if (subject->own != NULL)
            state->ops->close(subject->own);
        fault_credentials_fini(&subject->credentials);
        fault_target_fini(&subject->target);
    }
    io_timer_fini(&state->retry);
    free(state->subjects);
    free(state);
    fault_set_state(fault, NULL);
}

json_t *fault_store_undo(const struct fault *fault)
{
    const struct store_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++) {
        const struct fault_store_subject *subject = &state->subjects[i];
        json_t *one = json_object();
        json_object_set_new(one, "target", fault_target_to_json(&subject->target));
        json_object_set_new(one, "process", fault_process_to_json(&subject->process));
        json_array_append_new(list, one);
    }
    return list;
}

bool fault_store_reopen(struct fault *fault, const struct fault_store_ops *ops, const json_t *undo,
                        struct base_error *err)
{
    struct store_state *state = state_new(fault, ops, json_array_size(undo));
    for (size_t i = 0; i < state->count; i++) {
        struct fault_store_subject *subject = &state->subjects[i];
        const json_t *one = json_array_get(undo, i);
        struct fault_process process = {0};
        if (!fault_target_from_json(json_object_get(one, "target"), &subject->target, err) ||
            !fault_process_from_json(json_object_get(one, "process"), &process, err) ||
            !subject_open(subject, ops, err))
            return false;
        subject->process = process;
    }
    return true;
}
