/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/slo.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"

/* Targets are decimal fractions that binary cannot hold: 1 - 0.9 is below 0.1. What is that near to
 * a limit has reached it. */
static const double rounding = 1e-9;

/* Prometheus spreads its scrapes but keeps their distance within milliseconds; half an interval
 * tells one scrape from the next. */
static double half_scrape(const struct slo_window *window)
{
    return window->scrape / 2;
}

static bool inside(const struct slo_window *window, double time)
{
    return time >= window->start && time <= window->end;
}

enum earlier { /* what is known of a target before a moment */
               EARLIER_NOTHING,
               EARLIER_FAILED, /* scraped in vain */
               EARLIER_SCRAPED
};

static enum earlier known_before(const struct slo_set *up, const struct slo_series *series,
                                 double time)
{
    enum earlier found = EARLIER_NOTHING;
    for (size_t i = 0; i < up->series_count; i++) {
        const struct slo_series *scrapes = &up->series[i];
        if (!base_str_eq(scrapes->instance, series->instance) ||
            !base_str_eq(scrapes->job, series->job))
            continue;
        for (size_t k = 0; k < scrapes->sample_count && scrapes->samples[k].time < time; k++) {
            if (scrapes->samples[k].value >= 1)
                return EARLIER_SCRAPED;
            found = EARLIER_FAILED;
        }
    }
    return found;
}

/* How the first sample of a series inside the window counts: design notes in slo.h. */
static double first_counts(const struct slo_series *series, size_t first, const struct slo_set *up,
                           const struct slo_window *window, struct slo_increase *sum)
{
    if (first > 0)
        return 0; /* it was there before the window */
    const struct slo_sample *sample = &series->samples[first];
    enum earlier earlier = known_before(up, series, sample->time - half_scrape(window));
    if (earlier == EARLIER_FAILED) {
        sum->unseen++;
        return 0;
    }
    if (earlier == EARLIER_NOTHING && sample->time <= window->start + 1.5 * window->scrape)
        return 0;
    sum->started++;
    return sample->value;
}

static void add_series(const struct slo_series *series, const struct slo_set *up,
                       const struct slo_window *window, struct slo_increase *sum)
{
    size_t first = 0;
    while (first < series->sample_count && series->samples[first].time < window->start)
        first++;
    if (first == series->sample_count || !inside(window, series->samples[first].time))
        return;
    sum->series++;
    sum->events += first_counts(series, first, up, window, sum);
    for (size_t i = first + 1; i < series->sample_count; i++) {
        if (!inside(window, series->samples[i].time))
            break;
        double before = series->samples[i - 1].value;
        double now = series->samples[i].value;
        if (now < before)
            sum->resets++;
        sum->events += now < before ? now : now - before;
    }
}

struct slo_increase slo_increase(const struct slo_set *counters, const struct slo_set *up,
                                 const struct slo_window *window, enum slo_traffic traffic)
{
    struct slo_increase sum = {0};
    for (size_t i = 0; i < counters->series_count; i++) {
        const struct slo_series *series = &counters->series[i];
        bool ours = series->traffic[0] == '\0' || base_str_eq(series->traffic, "load");
        if (traffic == SLO_ALL_TRAFFIC || ours)
            add_series(series, up, window, &sum);
    }
    return sum;
}

struct slo_coverage slo_coverage(const struct slo_set *up, size_t instances,
                                 const struct slo_window *window)
{
    struct slo_coverage coverage = {0};
    double whole = floor((window->end - window->start) / window->scrape + rounding);
    size_t each = whole >= 1 ? (size_t)whole : 1;
    if (__builtin_mul_overflow(each, instances, &coverage.expected))
        coverage.expected = SIZE_MAX;
    for (size_t i = 0; i < up->series_count; i++) {
        const struct slo_series *scrapes = &up->series[i];
        size_t present = 0;
        for (size_t k = 0; k < scrapes->sample_count; k++) {
            if (inside(window, scrapes->samples[k].time) && scrapes->samples[k].value >= 1)
                present++;
        }
        coverage.instances_seen += present > 0 ? 1 : 0;
        coverage.present += present < each ? present : each;
    }
    if (coverage.present > coverage.expected)
        coverage.present = coverage.expected;
    if (coverage.expected > 0)
        coverage.share = (double)coverage.present / (double)coverage.expected;
    return coverage;
}

static void settle(struct slo_result *result, enum verdict_status status,
                   enum verdict_reason reason, const char *why)
{
    result->status = status;
    result->reason = reason;
    result->why = why;
}

static void count_events(const struct plan_slo *slo, const struct slo_evidence *evidence,
                         const struct slo_window *window, struct slo_result *out)
{
    const struct slo_set *up = &evidence->up;
    out->total_increase = slo_increase(&evidence->total, up, window, SLO_ALL_TRAFFIC);
    out->part_increase = slo_increase(&evidence->part, up, window, SLO_ALL_TRAFFIC);
    struct slo_increase total = slo_increase(&evidence->total, up, window, SLO_LOAD_TRAFFIC);
    struct slo_increase part = slo_increase(&evidence->part, up, window, SLO_LOAD_TRAFFIC);
    bool part_is_good = slo->kind == PLAN_SLO_LATENCY;
    out->coverage = slo_coverage(up, slo->instances, window);
    out->total = out->total_increase.events;
    out->bad = part_is_good ? out->total - out->part_increase.events : out->part_increase.events;
    out->load_total = total.events;
    out->load_bad = part_is_good ? total.events - part.events : part.events;
    out->min_events = 10 / (1 - slo->objective);
    out->allowed = (1 - slo->objective) * out->total;
    out->sli = out->total > 0 ? (out->total - out->bad) / out->total : (double)NAN;
    out->budget_spent = out->total > 0 ? out->bad / out->allowed : (double)NAN;
}

/* The reasons for which the numbers must not be judged; the first that holds is the answer. */
static bool unusable(const struct plan_slo *slo, const struct slo_evidence *evidence,
                     const struct slo_window *window, struct slo_result *out)
{
    bool latency = slo->kind == PLAN_SLO_LATENCY;
    const struct {
        bool holds;
        enum verdict_status status;
        enum verdict_reason reason;
        const char *why;
    } rules[] = {
        {evidence->failed != NULL, VERDICT_INSUFFICIENT, REASON_QUERY_FAILED,
         "a query to Prometheus failed"},
        {!evidence->asked, VERDICT_INSUFFICIENT, REASON_NO_DATA,
         "Prometheus was not asked for all of total, part and scrapes"},
        {evidence->asked_from > window->start, VERDICT_INSUFFICIENT, REASON_NO_DATA,
         "Prometheus was asked for less than the window"},
        {evidence->warning_count > 0, VERDICT_INSUFFICIENT, REASON_NO_DATA,
         "Prometheus warned that its answer may not be whole"},
        {out->total_increase.series == 0, VERDICT_INSUFFICIENT, REASON_NO_DATA,
         "Prometheus holds no series of the total in the window"},
        {out->coverage.share < slo->min_coverage - rounding, VERDICT_INSUFFICIENT,
         REASON_LOW_COVERAGE, "too many scrapes are missing"},
        {latency && out->part_increase.series == 0, VERDICT_INSUFFICIENT, REASON_NO_DATA,
         "there is no bucket whose le is the limit"},
        {!(out->total > 0), VERDICT_INSUFFICIENT, REASON_TOO_FEW_EVENTS,
         "there was no event: 0/0 is no ratio"},
        {out->total * (1 - slo->objective) < 10 * (1 - rounding), VERDICT_INSUFFICIENT,
         REASON_TOO_FEW_EVENTS, "fewer than 10/(1 - target) events"},
        {out->bad > out->total * (1 + rounding) || out->bad < -out->total * rounding, VERDICT_ERROR,
         REASON_TOOL_ERROR, "the part is larger than the total: the selectors do not match"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].holds) {
            settle(out, rules[i].status, rules[i].reason, rules[i].why);
            return true;
        }
    }
    return false;
}

struct slo_result slo_judge(const struct plan_slo *slo, const struct slo_evidence *evidence,
                            const struct slo_window *window)
{
    struct slo_result out = {.why = ""};
    count_events(slo, evidence, window, &out);
    if (unusable(slo, evidence, window, &out))
        return out;
    if (out.bad <= out.allowed * (1 + rounding))
        settle(&out, VERDICT_PASS, REASON_MET, "");
    else
        settle(&out, VERDICT_FAIL, REASON_NOT_MET, "the error budget is overspent");
    return out;
}

void slo_evidence_fini(struct slo_evidence *evidence)
{
    slo_set_fini(&evidence->total);
    slo_set_fini(&evidence->part);
    slo_set_fini(&evidence->up);
    free(evidence->failed);
    for (size_t i = 0; i < evidence->warning_count; i++)
        free(evidence->warnings[i]);
    free(evidence->warnings);
    *evidence = (struct slo_evidence){0};
}
