/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app: the target's own error rate and latency, through its /api/chaos endpoints. The TTL given
 * there is what is left of the lease, so that the fault ends inside the target whatever becomes of
 * the agent. Proven by requests straight to the instance (measure.h): the share of injected errors
 * lies in the binomial interval of the rate asked for, which is made narrow enough, by asking often
 * enough, to keep out half and twice of it; the median is later by the latency asked for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app_control.h"
#include "app_sample.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "engine.h"
#include "measure.h"
#include "resolve.h"
#include "statistics.h"
#include "step.h"
#include "undo.h"

enum {
    retry_ms = 100,
    slack_ms = 25 /* of a busy machine, on top of the latency asked for */
};
struct subject { /* one target */
    struct fault *fault;
    struct fault_target target;
    struct fault_process process; /* that holds the fault; pid 0: not known */
    int64_t median_before;
    struct fault_measure *measure; /* NULL: not under way */
    struct fault_measure_result result;
    bool measured;
};

struct app_state {
    struct subject *subjects;
    size_t count;
    struct app_sample sample;
    enum fault_step round;
    struct app_control *control; /* the calls under way; NULL: none */
    struct io_timer retry;
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
    for (size_t i = 0; i < count; i++)
        state->subjects[i].fault = fault;
    io_timer_init(&state->retry, fault_env_of(fault)->loop, on_retry, fault);
    fault_set_state(fault, state);
    return state;
}

static bool app_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct app_state *state = state_new(fault, spec->target_count);
    if (!app_sample_plan(spec, &state->sample, err))
        return false;
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
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
    }
    return true;
}

/* --- measuring --- */

static bool errors_ok(struct subject *subject, enum fault_step round, bool record)
{
    const struct fault_measure_result *result = &subject->result;
    double rate = round == FAULT_STEP_VERIFY ? fault_spec_of(subject->fault)->app.error_rate : 0.0;
    struct fault_interval expected;
    bool ok = fault_rate_shown(rate, APP_SAMPLE_MISS, result->asked, result->answered,
                               result->injected, &expected);
    if (!record)
        return ok;
    char value[384];
    char want[128];
    char unknown[320] = "";
    double n = result->answered > 0 ? (double)result->answered : 1.0;
    if (result->answered < result->asked)
        (void)snprintf(unknown, sizeof unknown, ", %zu without an answer: %s",
                       result->asked - result->answered, result->error);
    (void)snprintf(value, sizeof value, "%zu of %zu requests (%.1f %%)%s", result->injected,
                   result->answered, 100.0 * (double)result->injected / n, unknown);
    const struct app_state *state = fault_state_of(subject->fault);
    app_sample_describe(&state->sample, rate, expected, want, sizeof want);
    fault_evidence(subject->fault, subject->target.name, fault_step_when(round),
                   "injected error rate", value, want, ok);
    return ok;
}

struct range {
    int64_t low;
    int64_t high;
};

/* During: later by 90 % to 150 % of what was asked, so that a fault of the wrong size (off by 2, by
 * 1000) is seen. After: less than half of it is left. Both with a slack for a busy machine. */
static struct range latency_expected(const struct subject *subject, enum fault_step round)
{
    int64_t asked = fault_spec_of(subject->fault)->app.latency.ns;
    int64_t slack = slack_ms * BASE_NS_PER_MS;
    int64_t base = subject->median_before;
    if (round == FAULT_STEP_VERIFY)
        return (struct range){asked / 10 * 9, base + asked + asked / 2 + slack};
    int64_t half = asked / 2 > slack ? asked / 2 : asked * 4 / 5;
    return (struct range){0, base + half};
}

static bool latency_ok(struct subject *subject, enum fault_step round, bool record)
{
    const struct fault_measure_result *result = &subject->result;
    bool any = result->answered > 0;
    if (round == FAULT_STEP_PREPARE && any)
        subject->median_before = result->median_ns;
    struct range range = latency_expected(subject, round);
    bool ok = any && (round == FAULT_STEP_PREPARE ||
                      (result->median_ns >= range.low && result->median_ns <= range.high));
    if (!record)
        return ok;
    char value[320];
    char want[96];
    if (any)
        (void)snprintf(value, sizeof value, "%.2f ms", (double)result->median_ns / 1e6);
    else
        (void)snprintf(value, sizeof value, "no answer: %s", result->error);
    if (round == FAULT_STEP_PREPARE)
        (void)snprintf(want, sizeof want, "an answer");
    else
        (void)snprintf(want, sizeof want, "%.2f to %.2f ms", (double)range.low / 1e6,
                       (double)range.high / 1e6);
    fault_evidence(subject->fault, subject->target.name, fault_step_when(round), "median latency",
                   value, want, ok);
    return ok;
}

static bool subject_ok(struct subject *subject, enum fault_step round, bool record)
{
    const struct fault_spec *spec = fault_spec_of(subject->fault);
    bool ok = true;
    if (spec->app.error_rate > 0.0)
        ok = errors_ok(subject, round, record);
    if (spec->app.latency.ns > 0)
        ok = latency_ok(subject, round, record) && ok;
    return ok;
}

static void round_finish(struct fault *fault);

static void on_measured(void *ctx, const struct fault_measure_result *result)
{
    struct subject *subject = ctx;
    const struct app_state *state = fault_state_of(subject->fault);
    subject->measure = NULL;
    subject->result = *result;
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
    for (size_t i = 0; i < state->count; i++) {
        fault_measure_cancel(state->subjects[i].measure);
        state->subjects[i].measure = NULL;
    }
}

static void round_begin(struct fault *fault, enum fault_step round)
{
    struct app_state *state = fault_state_of(fault);
    struct base_error err = {0};
    struct dur_ns timeout = {fault_spec_of(fault)->app.latency.ns + 2 * BASE_NS_PER_S};
    size_t size = round == FAULT_STEP_VERIFY ? state->sample.size : state->sample.absent;
    state->round = round;
    for (size_t i = 0; i < state->count; i++) {
        state->subjects[i].measured = false;
        state->subjects[i].result = (struct fault_measure_result){0};
    }
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        subject->measure = fault_measure_start(fault_env_of(fault)->http, subject->target.address,
                                               subject->target.port, size, state->sample.parallel,
                                               timeout, on_measured, subject, &err);
        if (subject->measure == NULL) {
            app_cancel(fault);
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
}

/* The fault lives in the memory of a process: when that one is gone, so is the fault. */
static bool holder_is_gone(const struct subject *subject)
{
    return subject->process.pid > 0 && !fault_process_alive(&subject->process);
}

static bool subject_is_clear(struct subject *subject, bool record)
{
    if (subject_ok(subject, FAULT_STEP_VERIFY_GONE, false))
        return !record || subject_ok(subject, FAULT_STEP_VERIFY_GONE, true);
    if (subject->result.answered > 0 || !holder_is_gone(subject))
        return !record ? false : subject_ok(subject, FAULT_STEP_VERIFY_GONE, true);
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
        struct subject *subject = &state->subjects[i];
        if (!subject_is_clear(subject, true) && all) {
            all = false;
            (void)base_fail(&err, BASE_IO,
                            "%s was not measured to be free of the fault (%s); look at GET "
                            "/api/chaos there, or restart it",
                            subject->target.name,
                            subject->result.answered > 0 ? "it still shows" : "it does not answer");
        }
    }
    fault_step_done(fault, all ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
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
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        if (subject_ok(subject, state->round, true) || !all)
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
    round_begin(ctx, FAULT_STEP_VERIFY_GONE);
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
    const struct fault_spec *spec = fault_spec_of(fault);
    struct app_control_order order = {
        .on = on,
        .insist = insist,
        .error_rate = spec->app.error_rate,
        .error_status = spec->app.error_status,
        .latency = spec->app.latency,
        .fault = fault,
    };
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
            (void)subject_ok(&state->subjects[i], step, true);
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
        const struct subject *subject = &state->subjects[i];
        json_t *one = json_object();
        json_object_set_new(one, "target", fault_target_to_json(&subject->target));
        json_object_set_new(one, "process", fault_process_to_json(&subject->process));
        json_object_set_new(one, "medianBeforeNs", json_integer(subject->median_before));
        json_array_append_new(list, one);
    }
    return list;
}

static bool app_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct app_state *state = state_new(fault, json_array_size(undo));
    if (!app_sample_plan(fault_spec_of(fault), &state->sample, err))
        return false;
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        const json_t *one = json_array_get(undo, i);
        if (!fault_target_from_json(json_object_get(one, "target"), &subject->target, err) ||
            !fault_process_from_json(json_object_get(one, "process"), &subject->process, err) ||
            !model_get_i64(one, "undo", "medianBeforeNs", 0, INT64_MAX, &subject->median_before,
                           err))
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
