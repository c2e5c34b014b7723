/* SPDX-License-Identifier: Apache-2.0 */
/* The branch of the table that says what must hold: thresholds, objectives, abort conditions. */
#include "fields_parts.h"

#define AT(member) .offset = offsetof(struct scn_threshold, member)
static const struct scn_field threshold_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "steady-p99",
     .help = "Names the threshold in reports."},
    {.key = "expect",
     .type = SCN_CONDITION,
     AT(expect),
     .required = true,
     .help = "What the load generator must have measured: a percentile such as p99.9, mean, max, "
             "errors, achieved_rate, rate or count; < <= > >=; a value with its unit."},
    {.key = "phase",
     .type = SCN_NAME,
     AT(phase),
     .example = "steady",
     .help = "Only in this phase: steady, a fault's name, or after- and a fault's name."},
    {.key = "route",
     .type = SCN_ROUTE,
     AT(route),
     .example = "list-users",
     .help = "Only for this route of the load, or this step of a flow: FLOW.STEP."},
    {.key = "over",
     .type = SCN_DURATION,
     AT(over),
     .min = "1s",
     .max = "1h",
     .example = "10s",
     .help = "It must hold in every window of this length, which slides by load.interval, instead "
             "of over the whole."},
    {.key = "abort",
     .type = SCN_BOOLEAN,
     AT(abort),
     .fallback = "false",
     .help = "With over: the run is given up as soon as a window fails."},
};
const struct scn_shape scn_threshold_shape = {
    .size = sizeof(struct scn_threshold), FIELDS(threshold_fields), .named = true};
#undef AT

#define AT(member) .offset = offsetof(struct scn_slo, indicator.member)
#define INDICATOR_SERVICE                                                                          \
    {                                                                                              \
        .key = "service", .type = SCN_NAME, AT(service), .required = true, .example = "gateway",   \
        .help = "Service whose metrics are judged."                                                \
    }
#define INDICATOR_UP                                                                               \
    {                                                                                              \
        .key = "up", .type = SCN_SELECTOR, AT(up), .example = "up{job=\"users\"}",                 \
        .help = "Scrape health of the same instances, instead of the platform's own."              \
    }
#define INDICATOR_TOTAL                                                                            \
    {                                                                                              \
        .key = "total", .type = SCN_SELECTOR, AT(total),                                           \
        .help = "Counter of all events, instead of the platform's own."                            \
    }

static const struct scn_field availability_fields[] = {
    INDICATOR_SERVICE,
    INDICATOR_TOTAL,
    {.key = "bad",
     .type = SCN_SELECTOR,
     AT(bad),
     .help = "Counter of the bad events, instead of the platform's own."},
    INDICATOR_UP,
};
static const struct scn_shape availability_shape = {FIELDS(availability_fields)};

static const struct scn_field latency_fields[] = {
    INDICATOR_SERVICE,
    {.key = "within",
     .type = SCN_DURATION,
     AT(within),
     .required = true,
     .min = "1ms",
     .max = "10m",
     .help = "A request answered within this is good. A bound of the histogram: 5ms, 10ms, 25ms, "
             "50ms, 100ms, 250ms, 500ms, 1s, 2.5s or 5s, unless total and good are given."},
    INDICATOR_TOTAL,
    {.key = "good",
     .type = SCN_SELECTOR,
     AT(good),
     .help = "Counter of the good events, instead of the platform's own."},
    INDICATOR_UP,
};
static const struct scn_shape latency_shape = {FIELDS(latency_fields)};
#undef AT

#define AT(member) .offset = offsetof(struct scn_slo, member)
static const struct scn_field slo_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "availability",
     .help = "Names the objective in reports."},
    {.key = "objective",
     .type = SCN_PERCENT,
     AT(objective),
     .required = true,
     .min = "0%",
     .max = "100%",
     .open = true,
     .example = "99.9%",
     .help = "Share of the events that must be good."},
    {.key = "minCoverage",
     .type = SCN_PERCENT,
     AT(min_coverage),
     .fallback = "90%",
     .min = "0%",
     .max = "100%",
     .help = "With fewer of the expected scrapes there, the answer is: insufficient."},
    {.key = "availability",
     .type = SCN_OBJECT,
     .shape = &availability_shape,
     .choice = PLAN_SLO_AVAILABILITY + 1,
     .help = "Good is what did not fail."},
    {.key = "latency",
     .type = SCN_OBJECT,
     .shape = &latency_shape,
     .choice = PLAN_SLO_LATENCY + 1,
     .help = "Good is what was answered in time."},
};
const struct scn_shape scn_slo_shape = {.size = sizeof(struct scn_slo),
                                        FIELDS(slo_fields),
                                        .choice_of = "a kind of objective",
                                        .choice_offset = offsetof(struct scn_slo, kind),
                                        .named = true};
#undef AT

#define AT(member) .offset = offsetof(struct scn_abort, member)
static const struct scn_field abort_fields[] = {
    {.key = "name",
     .type = SCN_NAME,
     AT(name),
     .required = true,
     .example = "too-many-errors",
     .help = "Names the condition in reports."},
    {.key = "when",
     .type = SCN_CONDITION,
     AT(when),
     .required = true,
     .example = "\"errors > 60%\"",
     .help = "The run is aborted when this holds; written as the thresholds are."},
    {.key = "over",
     .type = SCN_DURATION,
     AT(over),
     .fallback = "5s",
     .min = "1s",
     .max = "10m",
     .help = "Length of the sliding window in which it is judged."},
};
const struct scn_shape scn_abort_shape = {
    .size = sizeof(struct scn_abort), FIELDS(abort_fields), .named = true};
#undef AT
