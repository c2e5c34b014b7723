/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics in Prometheus' text exposition format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). A family has a declared maximum
 * of series: a label set past it lands in one series whose labels all read "overflow", and
 * kit_metrics_overflow_total counts it, so that hostile input cannot grow memory. One thread.
 */
#ifndef KIT_METRICS_H
#define KIT_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct kit_metrics;
struct kit_family;
struct kit_series;

enum kit_metric_type { KIT_COUNTER, KIT_GAUGE, KIT_HISTOGRAM };
enum { KIT_LABELS_MAX = 8, KIT_BUCKETS_MAX = 32 };

struct kit_family_spec {
    enum kit_metric_type type;
    const char *name; /* snake_case with its unit; counters end in _total */
    const char *help;
    const char *labels[KIT_LABELS_MAX + 1]; /* NULL-terminated */
    size_t max_series;                      /* 0 means 256 */
    const double *buckets;                  /* histogram: rising upper bounds, without +Inf */
    size_t bucket_count;
};

/* Seconds: 0.001 .. 10, among them 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5. */
extern const double kit_seconds_buckets[];
extern const size_t kit_seconds_bucket_count;

struct kit_metrics *kit_metrics_new(void);
void kit_metrics_free(struct kit_metrics *metrics);
/* Strings of the spec are copied. The same name again gives the same family. A name or label that
 * the format forbids is a bug of the caller: NULL, and every call below accepts NULL. */
struct kit_family *kit_metrics_add(struct kit_metrics *metrics, const struct kit_family_spec *spec);
/* The series with these label values, in the order of the spec; made when missing. It lives as
 * long as the registry. */
struct kit_series *kit_family_get(struct kit_family *family, const char *const *values);
/* A shorthand: kit_series_of(family, "GET", "/x"). */
#define kit_series_of(family, ...)                                                                 \
    kit_family_get((family), (const char *const[]){__VA_ARGS__, NULL})
struct kit_series *kit_series_plain(struct kit_family *family); /* of a family without labels */

void kit_series_add(struct kit_series *series, double amount); /* counters refuse < 0 */
void kit_series_set(struct kit_series *series, double value);  /* gauges; counters from elsewhere */
void kit_series_observe(struct kit_series *series, double value); /* histograms */
double kit_series_value(const struct kit_series *series); /* histograms: the count of values */

/* Called before each exposition, to set gauges. */
void kit_metrics_on_collect(struct kit_metrics *metrics, void (*collect)(void *ctx), void *ctx);
/* false when out reached its maximum. */
bool kit_metrics_render(struct kit_metrics *metrics, struct base_buf *out);

#endif
