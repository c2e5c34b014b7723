/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app: what the target does to itself, through its /api/chaos endpoints. The TTL given there is
 * what is left of the lease, so that the fault ends inside the target whatever becomes of the
 * agent. Proven from outside: app.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "app_control.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "step.h"
#include "undo.h"

enum { retry_ms = 100 };

struct app_state {
    struct app_subject *subjects;
    size_t count;
    struct app_sample sample;
    const struct app_order *order;
    enum fault_step round;
    struct mono_ns patient_until;
    struct app_control *control; /* the calls under way; NULL: none */
    struct io_timer retry;
};

static const struct app_order *const orders[FAULT_APP_ORDERS] = {
    [FAULT_APP_ANSWERS] = &app_answers,       [FAULT_APP_READINESS] = &app_readiness,
    [FAULT_APP_DEPENDENCY] = &app_dependency, [FAULT_APP_CPU] = &app_cpu,
    [FAULT_APP_MEMORY] = &app_memory,
};

static bool app_platform(const struct topo *topo, struct base_error *err)
{
    for (size_t i = 0; i < topo->service_count; i++)
        if (topo->services[i].admin_token_file != NULL)
            return true;
    return base_fail(err, BASE_UNAVAILABLE,
                     "app needs services with /api/chaos endpoints: no service of the platform "
                     "\"%s\" has an adminTokenFile",
                     topo->name);
}

/* --- before anything --- */

static void on_retry(void *ctx);

static struct app_state *state_new(struct fault *fault, size_t count)
{
    struct app_state *state = base_calloc(1, sizeof *state);
    state->subjects = base_calloc(count, sizeof *state->subjects);
    state->count = count;
    state->order = orders[fault_app_order_of(fault_spec_of(fault))];
    for (size_t i = 0; i < count; i++) {
        state->subjects[i].fault = fault;
        state->subjects[i].sample = &state->sample;
    }
    io_timer_init(&state->retry, fault_env_of(fault)->loop, on_retry, fault);
    fault_set_state(fault, state);
    return state;
}

/* Errors and latency take a number of requests; the others are seen at once. */
static bool plan_sample(const struct fault *fault, struct app_state *state, struct base_error *err)
{
    return state->order != &app_answers ||
           app_sample_plan(fault_spec_of(fault), &state->sample, err);
}

static bool app_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct app_state *state = state_new(fault, spec->target_count);
    if (!plan_sample(fault, state, err))
        return false;
    for (size_t i = 0; i < state->count; i++) {
        struct app_subject *subject = &state->subjects[i];
        if (!fault_target_resolve(topo, spec->targets[i], &subject->target, err))
            return false;
        if (subject->target.admin_token_file == NULL)
            return base_fail(err, BASE_UNAVAILABLE,
                             "%s: its service has no adminTokenFile in the topology, so no "
                             "/api/chaos endpoints",
                             subject->target.name);
        /* Only a help for telling later whether the process that had the fault is gone. */
        if (subject->target.status_file != NULL &&
            !fault_target_process(&subject->target, &subject->process, NULL, NULL))
            subject->process = (struct fault_process){0};
        if (state->order->check != NULL && !state->order->check(subject, err))
            return false;
    }
    return true;
}

/* --- measuring --- */

static void round_finish(struct fault *fault);

void app_measured(struct app_subject *subject)
{
    const struct app_state *state = fault_state_of(subject->fault);
    subject->measured = true;
    for (size_t i = 0; i < state->count; i++)
        if (!state->subjects[i].measured)
            return;
    round_finish(subject->fault);
}

static void app_cancel(struct fault *fault)
{
    struct app_state *state = fault_state_of(fault);
    io_timer_stop(&state->retry);
    app_control_cancel(state->control);
    state->control = NULL;
    for (size_t i = 0; i < state->count; i++)
        state->order->cancel(&state->subjects[i]);
}

static void round_begin(struct fault *fault, enum fault_step round)
{
    struct app_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->round = round;
    for (size_t i = 0; i < state->count; i++) {
        state->subjects[i].measured = false;
        state->subjects[i].answered = false;
        state->subjects[i].round = round;
    }
    for (size_t i = 0; i < state->count; i++) {
        if (!state->order->start(&state->subjects[i], &err)) {
            app_cancel(fault);
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
}

/* The fault lives in the memory of a process: when that one is gone, so is the fault. */
static bool holder_is_gone(const struct app_subject *subject)
{
    return subject->process.pid > 0 && !fault_process_alive(&subject->process);
}

static bool subject_ok(struct app_subject *subject, bool record)
{
    const struct app_state *state = fault_state_of(subject->fault);
    return state->order->ok(subject, record);
}

static bool subject_is_clear(struct app_subject *subject, bool record)
{
    if (subject_ok(subject, false))
        return !record || subject_ok(subject, true);
    if (subject->answered || !holder_is_gone(subject))
        return !record ? false : subject_ok(subject, true);
    if (record) {
        char value[96];
        (void)snprintf(value, sizeof value, "pid %d has exited", (int)subject->process.pid);
        fault_evidence(subject->fault, subject->target.name, "after", "process that held the fault",
                       value, "gone", true);
    }
    return true;
}

static void gone_finish(struct fault *fault)
{
    struct app_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool all = true;
    for (size_t i = 0; i < state->count; i++) {
        struct app_subject *subject = &state->subjects[i];
        if (!subject_is_clear(subject, true) && all) {
            all = false;
            (void)base_fail(&err, BASE_IO,
                            "%s was not measured to be free of the fault (%s); look at GET "
                            "/api/chaos there, or restart it",
                            subject->target.name,
                            subject->answered ? "it still shows" : "it does not answer");
        }
    }
    fault_step_done(fault, all ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

/* What grows may not be whole yet. */
static bool may_wait(struct app_state *state)
{
    bool all = true;
    if (state->round != FAULT_STEP_VERIFY ||
        !base_mono_before(base_mono_now(), state->patient_until))
        return false;
    for (size_t i = 0; i < state->count; i++)
        all = subject_ok(&state->subjects[i], false) && all;
    return !all;
}

static void round_finish(struct fault *fault)
{
    struct app_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool all = true;
    if (state->round == FAULT_STEP_VERIFY_GONE) {
        for (size_t i = 0; i < state->count; i++)
            all = all && subject_is_clear(&state->subjects[i], false);
        if (all)
            gone_finish(fault);
        else
            io_timer_start(&state->retry, base_dur_ms(retry_ms)); /* until the deadline */
        return;
    }
    if (may_wait(state)) {
        io_timer_start(&state->retry, base_dur_ms(retry_ms));
        return;
    }
    for (size_t i = 0; i < state->count; i++) {
        struct app_subject *subject = &state->subjects[i];
        if (subject_ok(subject, true) || !all)
            continue;
        all = false;
        (void)base_fail(&err, BASE_UNAVAILABLE, "%s: %s; see the evidence", subject->target.name,
                        state->round == FAULT_STEP_PREPARE
                            ? "not in a fit state before the fault"
                            : "the measured effect is not what was asked for");
    }
    bool verify = state->round == FAULT_STEP_VERIFY;
    fault_step_done(fault,
                    all      ? FAULT_OUTCOME_OK
                    : verify ? FAULT_OUTCOME_NO_EFFECT
                             : FAULT_OUTCOME_FAILED,
                    &err);
}

static void on_retry(void *ctx)
{
    const struct app_state *state = fault_state_of(ctx);
    round_begin(ctx, state->round);
}

/* --- the steps --- */

static void on_control_done(void *ctx, const struct base_error *err)
{
    struct fault *fault = ctx;
    struct app_state *state = fault_state_of(fault);
    state->control = NULL;
    fault_step_done(fault, err == NULL ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, err);
}

static void control_begin(struct fault *fault, bool on, bool insist)
{
    struct app_state *state = fault_state_of(fault);
    struct app_control_order order = {.on = on, .insist = insist, .fault = fault};
    app_control_cancel(state->control);
    state->control = app_control_new(fault_env_of(fault), &order, on_control_done, fault);
    for (size_t i = 0; i < state->count; i++)
        app_control_add(state->control, &state->subjects[i].target);
    app_control_start(state->control);
}

static void app_prepare(struct fault *fault)
{
    round_begin(fault, FAULT_STEP_PREPARE);
}
static void app_apply(struct fault *fault)
{
    control_begin(fault, true, false);
}
static void app_verify(struct fault *fault)
{
    struct app_state *state = fault_state_of(fault);
    struct dur_ns patience = {0};
    if (state->order->patience != NULL)
        patience = state->order->patience(fault_spec_of(fault));
    state->patient_until = base_mono_add(base_mono_now(), patience);
    round_begin(fault, FAULT_STEP_VERIFY);
}
static void app_renew(struct fault *fault)
{
    control_begin(fault, true, true);
}
static void app_revert(struct fault *fault)
{
    control_begin(fault, false, true);
}
static void app_gone(struct fault *fault)
{
    round_begin(fault, FAULT_STEP_VERIFY_GONE);
}

/* --- housekeeping --- */

static struct dur_ns app_deadline(const struct fault *fault, enum fault_step step)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    if (step == FAULT_STEP_REVERT)
        return base_dur_s(2);           /* then the TTL does it */
    if (step == FAULT_STEP_VERIFY_GONE) /* one whole TTL, and a series that is slowed down once */
        return (struct dur_ns){spec->lease.ns + spec->app.latency.ns + 5 * BASE_NS_PER_S};
    return (struct dur_ns){0};
}

static void app_late(struct fault *fault, enum fault_step step)
{
    struct app_state *state = fault_state_of(fault);
    if (step == FAULT_STEP_VERIFY_GONE)
        gone_finish(fault);
    else if (step == FAULT_STEP_PREPARE || step == FAULT_STEP_VERIFY)
        for (size_t i = 0; i < state->count; i++)
            (void)subject_ok(&state->subjects[i], true);
    else
        app_control_describe(state->control, fault);
}

static void app_close(struct fault *fault)
{
    struct app_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++)
        fault_target_fini(&state->subjects[i].target);
    io_timer_fini(&state->retry);
    free(state->subjects);
    free(state);
    fault_set_state(fault, NULL);
}

static json_t *app_undo(const struct fault *fault)
{
    const struct app_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++) {
        const struct app_subject *subject = &state->subjects[i];
        json_t *one = json_object();
        json_object_set_new(one, "target", fault_target_to_json(&subject->target));
        json_object_set_new(one, "process", fault_process_to_json(&subject->process));
        json_object_set_new(one, "medianBeforeNs", json_integer(subject->series.median_before));
        json_object_set_new(one, "usedBefore", json_integer(subject->use.before));
        json_array_append_new(list, one);
    }
    return list;
}

/* Not in what an agent has left that knew of errors and latency only. */
static bool read_used(const json_t *one, struct app_subject *subject, struct base_error *err)
{
    return json_object_get(one, "usedBefore") == NULL ||
           model_get_i64(one, "undo", "usedBefore", 0, INT64_MAX, &subject->use.before, err);
}

static bool app_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct app_state *state = state_new(fault, json_array_size(undo));
    if (!plan_sample(fault, state, err))
        return false;
    for (size_t i = 0; i < state->count; i++) {
        struct app_subject *subject = &state->subjects[i];
        const json_t *one = json_array_get(undo, i);
        if (!fault_target_from_json(json_object_get(one, "target"), &subject->target, err) ||
            !fault_process_from_json(json_object_get(one, "process"), &subject->process, err) ||
            !model_get_i64(one, "undo", "medianBeforeNs", 0, INT64_MAX,
                           &subject->series.median_before, err) ||
            !read_used(one, subject, err))
            return false;
    }
    return true;
}

const struct fault_ops fault_app_ops = {
    .platform = app_platform,
    .open = app_open,
    .undo = app_undo,
    .place = FAULT_PLACE_ADDRESS,
    .reopen = app_reopen,
    .step = {[FAULT_STEP_PREPARE] = app_prepare,
             [FAULT_STEP_APPLY] = app_apply,
             [FAULT_STEP_VERIFY] = app_verify,
             [FAULT_STEP_RENEW] = app_renew,
             [FAULT_STEP_REVERT] = app_revert,
             [FAULT_STEP_VERIFY_GONE] = app_gone},
    .deadline = app_deadline,
    .late = app_late,
    .cancel = app_cancel,
    .close = app_close,
};
