/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/metrics.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/utf8.h"
#include "kit/envelope.h"

enum { HASH_SLOTS = 128, COLLECTORS_MAX = 16, DEFAULT_SERIES = 256 };

struct kit_series {
    struct kit_series *next;    /* in the family, in order of making */
    struct kit_series *chained; /* in the hash slot */
    const struct kit_family *family;
    char *values[KIT_LABELS_MAX];
    double value; /* counter, gauge; histogram: sum */
    uint64_t count;
    uint64_t *buckets; /* not cumulative */
};

struct kit_family {
    struct kit_family *next;
    struct kit_metrics *metrics;
    enum kit_metric_type type;
    char *name;
    char *help;
    char *labels[KIT_LABELS_MAX];
    size_t label_count;
    double buckets[KIT_BUCKETS_MAX];
    size_t bucket_count;
    size_t max_series;
    size_t series_count;
    struct kit_series *first;
    struct kit_series **tail;
    struct kit_series *slots[HASH_SLOTS];
};

struct kit_metrics {
    struct kit_family *first;
    struct kit_family **tail;
    struct kit_series *overflow;
    struct {
        void (*collect)(void *ctx);
        void *ctx;
    } collectors[COLLECTORS_MAX];
    size_t collector_count;
};

const double kit_seconds_buckets[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                      0.25,  0.5,    1,     2.5,  5,     10};
const size_t kit_seconds_bucket_count = sizeof kit_seconds_buckets / sizeof kit_seconds_buckets[0];

struct kit_metrics *kit_metrics_new(void)
{
    struct kit_metrics *metrics = base_calloc(1, sizeof *metrics);
    metrics->tail = &metrics->first;
    metrics->overflow = kit_series_plain(
        kit_metrics_add(metrics, &(struct kit_family_spec){
                                     .type = KIT_COUNTER,
                                     .name = "kit_metrics_overflow_total",
                                     .help = "Label sets refused because their family was full.",
                                 }));
    return metrics;
}

static void series_free(struct kit_series *series)
{
    for (size_t i = 0; i < KIT_LABELS_MAX; i++)
        free(series->values[i]);
    free(series->buckets);
    free(series);
}

static void family_free(struct kit_family *family)
{
    for (struct kit_series *s = family->first, *next; s != NULL; s = next) {
        next = s->next;
        series_free(s);
    }
    for (size_t i = 0; i < KIT_LABELS_MAX; i++)
        free(family->labels[i]);
    free(family->name);
    free(family->help);
    free(family);
}

void kit_metrics_free(struct kit_metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (struct kit_family *f = metrics->first, *next; f != NULL; f = next) {
        next = f->next;
        family_free(f);
    }
    free(metrics);
}

/* [a-zA-Z_][a-zA-Z0-9_]*; the colon is reserved for recording rules, "__" for Prometheus. */
static bool name_valid(const char *name)
{
    if (name == NULL || *name == '\0' || isdigit((unsigned char)*name) ||
        base_str_starts(name, "__"))
        return false;
    for (const char *p = name; *p != '\0'; p++) {
        if (!isalnum((unsigned char)*p) && *p != '_')
            return false;
    }
    return true;
}

static bool spec_valid(const struct kit_family_spec *spec)
{
    if (!name_valid(spec->name) || spec->help == NULL || spec->bucket_count > KIT_BUCKETS_MAX)
        return false;
    for (const char *const *label = spec->labels; *label != NULL; label++) {
        if (!name_valid(*label) || strcmp(*label, "le") == 0)
            return false;
    }
    for (size_t i = 1; i < spec->bucket_count; i++) {
        if (!(spec->buckets[i] > spec->buckets[i - 1]))
            return false;
    }
    return true;
}

struct kit_family *kit_metrics_add(struct kit_metrics *metrics, const struct kit_family_spec *spec)
{
    if (!spec_valid(spec))
        return NULL;
    for (struct kit_family *f = metrics->first; f != NULL; f = f->next) {
        if (strcmp(f->name, spec->name) == 0)
            return f;
    }
    struct kit_family *family = base_calloc(1, sizeof *family);
    family->metrics = metrics;
    family->type = spec->type;
    family->name = base_str_dup(spec->name);
    family->help = base_str_dup(spec->help);
    family->max_series = spec->max_series > 0 ? spec->max_series : DEFAULT_SERIES;
    family->bucket_count = spec->bucket_count;
    for (size_t i = 0; i < spec->bucket_count; i++)
        family->buckets[i] = spec->buckets[i];
    while (spec->labels[family->label_count] != NULL) {
        family->labels[family->label_count] = base_str_dup(spec->labels[family->label_count]);
        family->label_count++;
    }
    family->tail = &family->first;
    *metrics->tail = family;
    metrics->tail = &family->next;
    return family;
}

static size_t slot_of(const char *const *values, size_t count)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (size_t i = 0; i < count; i++) {
        for (const char *p = values[i]; *p != '\0'; p++)
            hash = (hash ^ (unsigned char)*p) * 16777619U;
        hash = (hash ^ 0xffU) * 16777619U; /* so that "a","b" differs from "ab","" */
    }
    return hash % HASH_SLOTS;
}

static struct kit_series *lookup(const struct kit_family *family, const char *const *values,
                                 size_t slot)
{
    for (struct kit_series *s = family->slots[slot]; s != NULL; s = s->chained) {
        size_t i = 0;
        while (i < family->label_count && strcmp(s->values[i], values[i]) == 0)
            i++;
        if (i == family->label_count)
            return s;
    }
    return NULL;
}

static struct kit_series *insert(struct kit_family *family, const char *const *values, size_t slot)
{
    struct kit_series *series = base_calloc(1, sizeof *series);
    series->family = family;
    for (size_t i = 0; i < family->label_count; i++)
        series->values[i] = base_str_dup(values[i]);
    series->buckets = base_calloc(family->bucket_count + 1, sizeof *series->buckets);
    series->chained = family->slots[slot];
    family->slots[slot] = series;
    *family->tail = series;
    family->tail = &series->next;
    family->series_count++;
    return series;
}

struct kit_series *kit_family_get(struct kit_family *family, const char *const *values)
{
    static const char *const overflow[KIT_LABELS_MAX] = {"overflow", "overflow", "overflow",
                                                         "overflow", "overflow", "overflow",
                                                         "overflow", "overflow"};
    if (family == NULL)
        return NULL;
    size_t slot = slot_of(values, family->label_count);
    struct kit_series *series = lookup(family, values, slot);
    if (series != NULL)
        return series;
    if (family->series_count >= family->max_series) {
        kit_series_add(family->metrics->overflow, 1);
        slot = slot_of(overflow, family->label_count);
        series = lookup(family, overflow, slot);
        return series != NULL ? series : insert(family, overflow, slot);
    }
    return insert(family, values, slot);
}

struct kit_series *kit_series_plain(struct kit_family *family)
{
    static const char *const none[] = {"", "", "", "", "", "", "", "", NULL};
    return kit_family_get(family, none);
}

void kit_series_add(struct kit_series *series, double amount)
{
    if (series != NULL && (series->family->type == KIT_GAUGE || amount >= 0))
        series->value += amount;
}

void kit_series_set(struct kit_series *series, double value)
{
    if (series != NULL)
        series->value = value;
}

void kit_series_observe(struct kit_series *series, double value)
{
    if (series == NULL)
        return;
    const struct kit_family *family = series->family;
    size_t i = 0;
    while (i < family->bucket_count && value > family->buckets[i])
        i++;
    series->buckets[i]++;
    series->count++;
    series->value += value;
}

double kit_series_value(const struct kit_series *series)
{
    if (series == NULL)
        return 0;
    return series->family->type == KIT_HISTOGRAM ? (double)series->count : series->value;
}

void kit_metrics_on_collect(struct kit_metrics *metrics, void (*collect)(void *ctx), void *ctx)
{
    if (metrics->collector_count < COLLECTORS_MAX) {
        metrics->collectors[metrics->collector_count].collect = collect;
        metrics->collectors[metrics->collector_count].ctx = ctx;
        metrics->collector_count++;
    }
}

/* --- exposition --- */

static void put_escaped(struct base_buf *out, const char *text, bool quotes)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n')
            base_buf_str(out, "\\n");
        else if (*p == '\\' || (*p == '"' && quotes))
            base_buf_printf(out, "\\%c", *p);
        else
            base_buf_char(out, *p);
    }
}

static void put_number(struct base_buf *out, double value)
{
    if (isnan(value))
        base_buf_str(out, "NaN");
    else if (isinf(value))
        base_buf_str(out, value > 0 ? "+Inf" : "-Inf");
    else if (value == floor(value) && fabs(value) < 1e15)
        base_buf_printf(out, "%.0f", value);
    else
        base_buf_printf(out, "%.12g", value);
}

static void put_labels(struct base_buf *out, const struct kit_series *series, const char *le)
{
    const struct kit_family *family = series->family;
    if (family->label_count == 0 && le == NULL)
        return;
    base_buf_char(out, '{');
    for (size_t i = 0; i < family->label_count; i++) {
        BASE_AUTO_FREE char *clean = base_utf8_clean(series->values[i]);
        base_buf_printf(out, "%s%s=\"", i > 0 ? "," : "", family->labels[i]);
        put_escaped(out, clean, true);
        base_buf_char(out, '"');
    }
    if (le != NULL)
        base_buf_printf(out, "%sle=\"%s\"", family->label_count > 0 ? "," : "", le);
    base_buf_char(out, '}');
}

static void put_sample(struct base_buf *out, const struct kit_series *series, const char *suffix,
                       const char *le, double value)
{
    base_buf_str(out, series->family->name);
    base_buf_str(out, suffix);
    put_labels(out, series, le);
    base_buf_char(out, ' ');
    put_number(out, value);
    base_buf_char(out, '\n');
}

static void put_histogram(struct base_buf *out, const struct kit_series *series)
{
    uint64_t below = 0;
    for (size_t i = 0; i < series->family->bucket_count; i++) {
        char le[32];
        snprintf(le, sizeof le, "%g", series->family->buckets[i]);
        below += series->buckets[i];
        put_sample(out, series, "_bucket", le, (double)below);
    }
    put_sample(out, series, "_bucket", "+Inf", (double)series->count);
    put_sample(out, series, "_sum", NULL, series->value);
    put_sample(out, series, "_count", NULL, (double)series->count);
}

static void put_family(struct base_buf *out, const struct kit_family *family)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    base_buf_printf(out, "# HELP %s ", family->name);
    put_escaped(out, family->help, false);
    base_buf_printf(out, "\n# TYPE %s %s\n", family->name, types[family->type]);
    for (const struct kit_series *s = family->first; s != NULL; s = s->next) {
        if (family->type == KIT_HISTOGRAM)
            put_histogram(out, s);
        else
            put_sample(out, s, "", NULL, s->value);
    }
}

bool kit_metrics_render(struct kit_metrics *metrics, struct base_buf *out)
{
    for (size_t i = 0; i < metrics->collector_count; i++)
        metrics->collectors[i].collect(metrics->collectors[i].ctx);
    for (const struct kit_family *f = metrics->first; f != NULL; f = f->next)
        put_family(out, f);
    return !out->failed;
}
