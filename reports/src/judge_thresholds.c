/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds on what the generator measured. */
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "judge_internal.h"

/* Of the whole run, or of a phase and route. missing: why there is none; NULL when there is. */
static struct load_measure of_latency(const struct report *report, const struct plan_threshold *t,
                                      const char **missing)
{
    const struct load_counts none = {.intended = 0};
    struct hdr hdr = {0};
    bool added = report_histogram(report, t->phase, t->route, "response", &hdr, NULL);
    struct load_measure out = load_measure(&t->expect, &none, added ? &hdr : NULL, 0);
    *missing = !added           ? "the histograms cannot be added"
               : hdr.total == 0 ? "latency.hlog holds no response of it"
                                : NULL;
    hdr_fini(&hdr);
    return out;
}

static struct load_measure of_counts(const struct report *report, const struct plan_threshold *t,
                                     const char **missing)
{
    struct load_counts counts = report_counts(report, t->phase, t->route);
    double seconds = report_phase_seconds(report, t->phase);
    bool timeless = t->expect.stat == EXPECT_RATE && !(seconds > 0);
    *missing = counts.intended == 0 ? "load.json counts no request of it"
               : timeless           ? "it is not known how long it lasted"
                                    : NULL;
    return load_measure(&t->expect, &counts, NULL, seconds);
}

static char *say_measure(const struct plan_threshold *t, const struct load_measure *m,
                         const char *why)
{
    char value[EXPECT_TEXT] = "none";
    if (!isnan(m->value))
        expectation_format_value(&t->expect, m->value, value);
    return base_str_printf("%s over %.15g %s%s%s", value, m->events,
                           load_measure_is_latency(t->expect.stat) ? "responses" : "requests",
                           why == NULL ? "" : "; ", why == NULL ? "" : why);
}

static char *say_expected(const struct plan_threshold *t)
{
    char text[EXPECT_TEXT];
    expectation_format(&t->expect, text);
    char over[BASE_DUR_TEXT];
    const char *phase = t->phase;
    const char *route = t->route;
    base_dur_format(t->over, over);
    return base_str_printf("%s%s%s%s%s%s%s", text, phase == NULL ? "" : " in phase ",
                           phase == NULL ? "" : phase, route == NULL ? "" : " on route ",
                           route == NULL ? "" : route, t->over.ns > 0 ? " over every " : "",
                           t->over.ns > 0 ? over : "");
}

static void judge_whole(const struct report *report, const struct plan_threshold *t,
                        struct verdict *verdict)
{
    bool latency = load_measure_is_latency(t->expect.stat);
    const char *missing;
    struct load_measure m =
        latency ? of_latency(report, t, &missing) : of_counts(report, t, &missing);
    bool log_whole = report->sources[REPORT_HLOG].state == REPORT_WHOLE;
    struct finding f = {.status = VERDICT_INSUFFICIENT, .value = m.value};
    const char *why = judge_load_void(report, &f.reason);
    if (why == NULL && latency && !log_whole) {
        f.reason = REASON_NO_DATA;
        why = "latency.hlog is not whole";
    } else if (why == NULL && missing != NULL) {
        f.reason = REASON_NO_DATA;
        why = missing;
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

/* "worst 312ms; 2 of 27 windows failed, the first 12.0s after the start with 260ms". */
static char *say_windows(const struct report *report, const struct plan_threshold *t,
                         const struct load_window_sum *sum, const char *why)
{
    char worst[EXPECT_TEXT] = "none";
    char first[EXPECT_TEXT] = "";
    BASE_AUTO_FREE char *when = NULL;
    if (!isnan(sum->worst))
        expectation_format_value(&t->expect, sum->worst, worst);
    if (sum->failed > 0) {
        int64_t after = sum->failed_at.ns - report->load.intervals[0].start_mono.ns;
        expectation_format_value(&t->expect, sum->first_failed.value, first);
        when = base_str_printf(", the first %.1fs after the start with %s",
                               base_dur_to_s((struct dur_ns){after}), first);
    }
    return base_str_printf("worst %s; %llu of %llu windows failed%s%s%s", worst,
                           (unsigned long long)sum->failed, (unsigned long long)sum->full,
                           when != NULL ? when : "", why != NULL ? "; " : "",
                           why != NULL ? why : "");
}

/* A window that failed has failed, also when the load was ended for it; what is not known of the
 * others can only make it worse. To hold, every one of them must be known. */
static void judge_windows(const struct report *report, const struct plan_threshold *t,
                          const struct load_window_sum *sum, struct verdict *verdict)
{
    bool log_whole = report->sources[REPORT_HLOG].state == REPORT_WHOLE;
    struct finding f = {.status = VERDICT_INSUFFICIENT, .value = sum->worst};
    const char *why = judge_load_void(report, &f.reason);
    bool limited = report->load.client_limited;
    if (sum->failed > 0 && !limited) {
        f.status = VERDICT_FAIL;
        f.reason = REASON_NOT_MET;
        why = NULL;
    } else if (why == NULL && load_measure_is_latency(t->expect.stat) && !log_whole) {
        f.reason = REASON_NO_DATA;
        why = "latency.hlog is not whole";
    } else if (why == NULL && sum->full == 0) {
        f.reason = REASON_NO_DATA;
        why = "no window was ever full";
    } else if (why == NULL && sum->starved > 0) {
        f.reason = REASON_TOO_FEW_EVENTS;
        why = sum->starved == sum->full ? "too few events in every one of them"
                                        : "too few events in some of them";
    } else if (why == NULL) {
        f.status = VERDICT_PASS;
        f.reason = REASON_MET;
    }
    f.expected = say_expected(t);
    f.measured = say_windows(report, t, sum, why);
    judge_add(verdict, VERDICT_THRESHOLD, t->name, f);
}

void judge_thresholds(const struct report *report, struct verdict *verdict)
{
    for (size_t i = 0; i < report->plan.threshold_count; i++) {
        const struct plan_threshold *t = &report->plan.thresholds[i];
        const struct report_left *left = judge_skipped_phase(report, t->phase);
        if (left != NULL)
            judge_add_skipped(verdict, VERDICT_THRESHOLD, t->name, say_expected(t), left->name,
                              left->why);
        else if (t->over.ns > 0)
            judge_windows(report, t, &report->windows[i], verdict);
        else
            judge_whole(report, t, verdict);
    }
}
