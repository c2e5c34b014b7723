/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors and latency, proven by requests straight to the instance (measure.h): the share of
 * injected errors lies in the binomial interval of the rate asked for, which is made narrow enough,
 * by asking often enough, to keep out half and twice of it; the median is later by the latency
 * asked for.
 */
#include <stdio.h>

#include "app.h"
#include "statistics.h"
#include "step.h"

enum { slack_ms = 25 /* of a busy machine, on top of the latency asked for */ };

static bool errors_ok(struct app_subject *subject, bool record)
{
    enum fault_step round = subject->round;
    const struct fault_measure_result *result = &subject->series.result;
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
    app_sample_describe(subject->sample, rate, expected, want, sizeof want);
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
static struct range latency_expected(const struct app_subject *subject, enum fault_step round)
{
    int64_t asked = fault_spec_of(subject->fault)->app.latency.ns;
    int64_t slack = slack_ms * BASE_NS_PER_MS;
    int64_t base = subject->series.median_before;
    if (round == FAULT_STEP_VERIFY)
        return (struct range){asked / 10 * 9, base + asked + asked / 2 + slack};
    int64_t half = asked / 2 > slack ? asked / 2 : asked * 4 / 5;
    return (struct range){0, base + half};
}

static bool latency_ok(struct app_subject *subject, bool record)
{
    enum fault_step round = subject->round;
    const struct fault_measure_result *result = &subject->series.result;
    bool any = result->answered > 0;
    if (round == FAULT_STEP_PREPARE && any)
        subject->series.median_before = result->median_ns;
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

static bool answers_ok(struct app_subject *subject, bool record)
{
    const struct fault_spec *spec = fault_spec_of(subject->fault);
    bool ok = true;
    if (spec->app.error_rate > 0.0)
        ok = errors_ok(subject, record);
    if (spec->app.latency.ns > 0)
        ok = latency_ok(subject, record) && ok;
    return ok;
}

static void on_measured(void *ctx, const struct fault_measure_result *result)
{
    struct app_subject *subject = ctx;
    subject->series.measure = NULL;
    subject->series.result = *result;
    subject->answered = result->answered > 0;
    app_measured(subject);
}

static bool answers_start(struct app_subject *subject, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(subject->fault);
    const struct app_sample *sample = subject->sample;
    struct dur_ns timeout = {spec->app.latency.ns + 2 * BASE_NS_PER_S};
    size_t size = subject->round == FAULT_STEP_VERIFY ? sample->size : sample->absent;
    subject->series.result = (struct fault_measure_result){0};
    subject->series.measure = fault_measure_start(
        fault_env_of(subject->fault)->http, subject->target.address, subject->target.port, size,
        sample->parallel, timeout, on_measured, subject, err);
    return subject->series.measure != NULL;
}

static void answers_cancel(struct app_subject *subject)
{
    fault_measure_cancel(subject->series.measure);
    subject->series.measure = NULL;
}

const struct app_order app_answers = {
    .start = answers_start,
    .cancel = answers_cancel,
    .ok = answers_ok,
};
