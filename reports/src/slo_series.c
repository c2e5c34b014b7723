/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' answers as series: https://prometheus.io/docs/prometheus/latest/querying/api/ */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/json.h"
#include "reports/slo.h"

static const json_t *matrix_of(const json_t *result)
{
    const json_t *data = json_object_get(result, "data");
    if (data == NULL)
        data = result;
    if (!base_str_eq(json_string_value(json_object_get(data, "resultType")), "matrix"))
        return NULL;
    const json_t *list = json_object_get(data, "result");
    return json_is_array(list) ? list : NULL;
}

static char *label(const json_t *metric, const char *name)
{
    const char *value = json_string_value(json_object_get(metric, name));
    return base_str_dup(value == NULL ? "" : value);
}

static void series_fini(struct slo_series *series)
{
    free(series->labels);
    free(series->instance);
    free(series->job);
    free(series->traffic);
    free(series->samples);
}

void slo_set_fini(struct slo_set *set)
{
    for (size_t i = 0; i < set->series_count; i++)
        series_fini(&set->series[i]);
    free(set->series);
    *set = (struct slo_set){0};
}

/* Prometheus writes values as text, with "NaN" and "+Inf" among them. An infinite counter is as
 * little a count as NaN is. */
static bool read_sample(const json_t *pair, struct slo_sample *out, bool *usable)
{
    const json_t *time = json_array_get(pair, 0);
    const char *text = json_string_value(json_array_get(pair, 1));
    if (!json_is_number(time) || text == NULL)
        return false;
    out->time = json_number_value(time);
    *usable = isfinite(out->time) && base_parse_double(text, &out->value);
    if (*usable)
        return true;
    static const char *const not_counts[] = {"NaN", "+Inf", "-Inf", "Inf"};
    for (size_t i = 0; i < sizeof not_counts / sizeof not_counts[0]; i++) {
        if (strcmp(text, not_counts[i]) == 0)
            return true;
    }
    return false;
}

static int by_time(const void *a, const void *b)
{
    const struct slo_sample *x = a;
    const struct slo_sample *y = b;
    return (x->time > y->time) - (x->time < y->time);
}

/* Sorts and keeps one sample for each time: chunks of one range overlap at their edges. */
static void normalise(struct slo_series *series)
{
    if (series->sample_count == 0)
        return;
    qsort(series->samples, series->sample_count, sizeof *series->samples, by_time);
    size_t kept = 1;
    for (size_t i = 1; i < series->sample_count; i++) {
        if (series->samples[i].time > series->samples[kept - 1].time)
            series->samples[kept++] = series->samples[i];
    }
    series->sample_count = kept;
}

static struct slo_series *find_or_add(struct slo_set *set, const json_t *metric)
{
    char *labels = model_json_dump_line(metric);
    for (size_t i = 0; i < set->series_count; i++) {
        if (base_str_eq(set->series[i].labels, labels)) {
            free(labels);
            return &set->series[i];
        }
    }
    set->series = base_reallocarray(set->series, set->series_count + 1, sizeof *set->series);
    struct slo_series *series = &set->series[set->series_count++];
    *series = (struct slo_series){.labels = labels,
                                  .instance = label(metric, "instance"),
                                  .job = label(metric, "job"),
                                  .traffic = label(metric, "traffic")};
    return series;
}

static bool add_series(struct slo_set *set, const json_t *element, size_t index,
                       struct base_error *err)
{
    const json_t *metric = json_object_get(element, "metric");
    const json_t *values = json_object_get(element, "values");
    if (!json_is_object(metric) || !json_is_array(values))
        return base_fail(err, BASE_CORRUPT, "series %zu has no labels or no values", index);
    size_t more = json_array_size(values);
    struct slo_sample *fresh = base_calloc(more + 1, sizeof *fresh);
    size_t count = 0;
    for (size_t i = 0; i < more; i++) {
        bool usable = false;
        if (!read_sample(json_array_get(values, i), &fresh[count], &usable)) {
            free(fresh);
            return base_fail(err, BASE_CORRUPT,
                             "series %zu: sample %zu is not [seconds, \"value\"]", index, i);
        }
        count += usable ? 1 : 0;
    }
    struct slo_series *series = find_or_add(set, metric);
    series->samples = base_reallocarray(series->samples, series->sample_count + count + 1,
                                        sizeof *series->samples);
    memcpy(series->samples + series->sample_count, fresh, count * sizeof *fresh);
    series->sample_count += count;
    free(fresh);
    normalise(series);
    return true;
}

bool slo_set_add(struct slo_set *set, const json_t *result, struct base_error *err)
{
    const json_t *list = matrix_of(result);
    if (list == NULL)
        return base_fail(err, BASE_CORRUPT,
                         "Prometheus' answer is no matrix: ask for selector[range]");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!add_series(set, json_array_get(list, i), i, err))
            return false;
    }
    return true;
}
