/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds on what the generator measured. */
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "judge_internal.h"

/* A statistic with what it rests on. */
struct measure {
    double value;        /* NaN: there is none */
    double events;       /* that it rests on */
    double need;         /* fewer make it no estimate */
    const char *missing; /* why there is none; NULL when there is */
};

static struct measure nothing(const char *why)
{
    return (struct measure){.value = (double)NAN, .missing = why};
}

static struct measure of_latency(const struct report *report, const struct plan_threshold *t)
{
    const struct expectation *expect = &t->expect;
    struct hdr hdr = {0};
    if (!report_histogram(report, t->phase, t->route, "response", &hdr, NULL)) {
        hdr_fini(&hdr);
        return nothing("the histograms cannot be added");
    }
    struct measure out = {.events = (double)hdr.total, .need = 1, .value = (double)NAN};
    if (expect->stat == EXPECT_QUANTILE && expect->quantile < 1)
        out.need = 10 / (1 - expect->quantile) * (1 - 1e-9);
    if (hdr.total > 0)
        out.value = expect->stat == EXPECT_MEAN ? hdr_mean(&hdr)
                    : expect->stat == EXPECT_MAX
                        ? (double)hdr_max(&hdr)
                        : (double)hdr_value_at_quantile(&hdr, expect->quantile);
    else
        out.missing = "latency.hlog holds no response of it";
    hdr_fini(&hdr);
    return out;
}

static struct measure of_counts(const struct report *report, const struct plan_threshold *t)
{
    struct load_counts counts = report_counts(report, t->phase, t->route);
    double intended = (double)counts.intended;
    double seconds = report_phase_seconds(report, t->phase);
    if (counts.intended == 0)
        return nothing("load.json counts no request of it");
    if (t->expect.stat == EXPECT_RATE && !(seconds > 0))
        return nothing("it is not known how long it lasted");
    double bad = (double)(load_counts_failed(&counts) + counts.missed);
    double value = (double)counts.ok;
    if (t->expect.stat == EXPECT_ERRORS)
        value = bad / intended;
    else if (t->expect.stat == EXPECT_ACHIEVED_RATE)
        value = (double)load_counts_delivered(&counts) / intended;
    else if (t->expect.stat == EXPECT_RATE)
        value = (double)counts.ok / seconds;
    return (struct measure){.value = value, .events = intended};
}

static bool is_latency(enum expect_stat stat)
{
    return stat == EXPECT_QUANTILE || stat == EXPECT_MEAN || stat == EXPECT_MAX;
}

static char *say_measure(const struct plan_threshold *t, const struct measure *m, const char *why)
{
    char value[EXPECT_TEXT] = "none";
    if (!isnan(m->value))
        expectation_format_value(&t->expect, m->value, value);
    return base_str_printf("%s over %.15g %s%s%s", value, m->events,
                           is_latency(t->expect.stat) ? "responses" : "requests",
                           why == NULL ? "" : "; ", why == NULL ? "" : why);
}

static char *say_expected(const struct plan_threshold *t)
{
    char text[EXPECT_TEXT];
    expectation_format(&t->expect, text);
    const char *phase = t->phase;
    const char *route = t->route;
    return base_str_printf("%s%s%s%s%s", text, phase == NULL ? "" : " in phase ",
                           phase == NULL ? "" : phase, route == NULL ? "" : " on route ",
                           route == NULL ? "" : route);
}

static void judge_threshold(const struct report *report, const struct plan_threshold *t,
                            struct verdict *verdict)
{
    bool latency = is_latency(t->expect.stat);
    struct measure m = latency ? of_latency(report, t) : of_counts(report, t);
    bool log_whole = report->sources[REPORT_HLOG].state == REPORT_WHOLE;
    struct finding f = {.status = VERDICT_INSUFFICIENT, .value = m.value};
    const char *why = judge_load_void(report, &f.reason);
    if (why == NULL && latency && !log_whole) {
        f.reason = REASON_NO_DATA;
        why = "latency.hlog is not whole";
    } else if (why == NULL && m.missing != NULL) {
        f.reason = REASON_NO_DATA;
        why = m.missing;
    } else if (why == NULL && m.events < m.need) {
        f.reason = REASON_TOO_FEW_EVENTS;
        why = "fewer than 10/(1 - q): no estimate";
    } else if (why == NULL) {
        bool holds = expectation_holds(&t->expect, m.value);
        f.status = holds ? VERDICT_PASS : VERDICT_FAIL;
        f.reason = holds ? REASON_MET : REASON_NOT_MET;
    }
    f.expected = say_expected(t);
    f.measured = say_measure(t, &m, why);
    judge_add(verdict, VERDICT_THRESHOLD, t->name, f);
}

void judge_thresholds(const struct report *report, struct verdict *verdict)
{
    for (size_t i = 0; i < report->plan.threshold_count; i++)
        judge_threshold(report, &report->plan.thresholds[i], verdict);
}
