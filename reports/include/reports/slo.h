/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service level indicator from the raw samples of Prometheus counters. Pure: no clock, no file.
 *
 * Design notes. PromQL's increase() extrapolates to the edges of its window and takes the first
 * sample of a new series as its zero (prometheus issues 1673, 17824), so that events are invented
 * at the edges and lost whenever a process starts: the very moments a chaos experiment is about.
 * Here the increase of one series is the sum of the differences of its samples inside the window:
 *   - a sample below the one before it is a counter reset: it counts from zero;
 *   - a series that first appears inside the window counts from zero, when the target it belongs to
 *     was scraped earlier without it, or was not known earlier at all;
 *   - a series that first appears after scrapes that failed, or in the first scrape of the window,
 *     counts from its first sample: what it counted before was counted elsewhen;
 *   - nothing is extrapolated; a gap costs nothing while the counter goes on.
 * That only holds for what was asked for: an answer that begins behind the window's start tells a
 * series that is new from one that is old no more, and is not judged.
 * Numerator and denominator are summed over all series before they are divided, once: a mean of
 * ratios is nobody's experience.
 */
#ifndef REPORTS_SLO_H
#define REPORTS_SLO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "model/plan.h"
#include "model/verdict.h"

struct slo_sample {
    double time; /* seconds since 1970; Prometheus keeps milliseconds */
    double value;
};

struct slo_series {
    char *labels;   /* all labels, as sorted compact JSON: its identity */
    char *instance; /* labels of their own; "" when absent */
    char *job;
    char *traffic;
    struct slo_sample *samples; /* ascending, one for each time */
    size_t sample_count;
};

struct slo_set {
    struct slo_series *series;
    size_t series_count;
};

/* Adds what Prometheus answered: its "data" object (resultType "matrix") or the whole answer. Equal
 * series of several answers are merged; samples of the same time are one. BASE_CORRUPT, with the
 * set unchanged but for whole series before the damage, when it is not a matrix. NaN samples are
 * left out: they are no count. */
bool slo_set_add(struct slo_set *set, const json_t *result, struct base_error *err);
void slo_set_fini(struct slo_set *set); /* accepts a zeroed value */

struct slo_window {
    double start; /* seconds since 1970, both ends included */
    double end;
    double scrape; /* seconds between scrapes, > 0 */
};

/* Which series of a set are summed. */
enum slo_traffic {
    SLO_ALL_TRAFFIC,
    SLO_LOAD_TRAFFIC /* label traffic="load", and series without that label */
};

struct slo_increase {
    double events;
    size_t series;  /* with a sample in the window */
    size_t resets;  /* counter resets */
    size_t started; /* series that count from zero because they began inside the window */
    size_t unseen;  /* series that began behind failed scrapes: what they had is not counted */
};

/* up tells which scrapes took place; it may be empty. */
struct slo_increase slo_increase(const struct slo_set *counters, const struct slo_set *up,
                                 const struct slo_window *window, enum slo_traffic traffic);

struct slo_coverage {
    size_t present;  /* scrapes that succeeded, at most the expected number of each instance */
    size_t expected; /* instances x whole scrape intervals in the window */
    size_t instances_seen;
    double share; /* 0..1; 0 when nothing is expected */
};
struct slo_coverage slo_coverage(const struct slo_set *up, size_t instances,
                                 const struct slo_window *window);

/* Everything that is known of one objective. Sets may be empty; failed says why a query failed. */
struct slo_evidence {
    struct slo_set total;
    struct slo_set part; /* bad (availability) or good (latency) */
    struct slo_set up;
    bool asked;        /* at least the total, the part and the scrapes were asked for */
    double asked_from; /* seconds since 1970: each of them at least from then on */
    char *failed;
    char **warnings; /* of Prometheus */
    size_t warning_count;
};
void slo_evidence_fini(struct slo_evidence *evidence);

struct slo_result {
    enum verdict_status status;
    enum verdict_reason reason;
    const char *why; /* static text; "" when the numbers speak for themselves */
    struct slo_increase total_increase;
    struct slo_increase part_increase;
    struct slo_coverage coverage;
    double total;
    double bad;
    double sli;          /* good/total; NaN when there is no event */
    double allowed;      /* (1-target) total */
    double budget_spent; /* bad over allowed; NaN when there is no event */
    double min_events;   /* 10/(1-target) */
    double load_total;   /* the same for the generator's own traffic */
    double load_bad;
};

/* Judges by what Prometheus holds alone. Missing data is insufficient, never a pass: no error
 * series means no errors only while the total is there and the coverage is proven. */
struct slo_result slo_judge(const struct plan_slo *slo, const struct slo_evidence *evidence,
                            const struct slo_window *window);

#endif
