/* SPDX-License-Identifier: Apache-2.0 */
/* queries.json: what Prometheus was asked and what it answered, raw, sorted by objective. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fold_internal.h"
#include "model/json.h"

static struct slo_evidence *evidence_of(struct report *report, const char *slo)
{
    for (size_t i = 0; i < report->plan.slo_count; i++) {
        if (base_str_eq(report->plan.slos[i].name, slo))
            return &report->slos[i];
    }
    return NULL;
}

static struct slo_set *set_of(struct slo_evidence *evidence, const char *role)
{
    if (strcmp(role, "total") == 0)
        return &evidence->total;
    if (strcmp(role, "up") == 0)
        return &evidence->up;
    return strcmp(role, "bad") == 0 || strcmp(role, "good") == 0 ? &evidence->part : NULL;
}

/* Where the range selector at the query's end begins; +Inf: nobody can tell. */
static double range_start(const struct report_query *query)
{
    const char *open = strrchr(query->text, '[');
    const char *close = open == NULL ? NULL : strchr(open, ']');
    struct dur_ns range;
    if (close == NULL || isnan(query->at))
        return (double)INFINITY;
    char *text = base_str_ndup(open + 1, (size_t)(close - open - 1));
    bool known = base_parse_duration(text, &range);
    free(text);
    return known ? query->at - base_dur_to_s(range) : (double)INFINITY;
}

/* Prometheus warns in "warnings" and, since 2.50, tells lesser doubts in "infos". */
static void take_warnings(struct slo_evidence *evidence, const json_t *warnings)
{
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        const char *text = json_string_value(json_array_get(warnings, i));
        evidence->warnings = base_reallocarray(evidence->warnings, evidence->warning_count + 1,
                                               sizeof *evidence->warnings);
        evidence->warnings[evidence->warning_count++] =
            base_str_dup(text == NULL ? "(a warning that is no text)" : text);
    }
}

static void take_answer(struct slo_evidence *evidence, struct report_query *query,
                        const json_t *json)
{
    struct slo_set *set = set_of(evidence, query->role);
    const json_t *result = json_object_get(json, "result");
    const json_t *warnings = json_object_get(json, "warnings");
    struct base_error err = {0};
    evidence->asked_from = fmax(evidence->asked_from, range_start(query));
    query->warning_count = json_array_size(warnings);
    take_warnings(evidence, warnings);
    size_t before = set == NULL ? 0 : set->series_count;
    if (query->ok && set == NULL)
        (void)base_fail(&err, BASE_CORRUPT, "\"%s\" is no role of a query", query->role);
    else if (query->ok && slo_set_add(set, result, &err))
        query->series_count = set->series_count - before;
    if (query->ok && err.message[0] != '\0') {
        query->ok = false;
        free(query->error);
        query->error = base_str_dup(err.message);
    }
    if (!query->ok && evidence->failed == NULL)
        evidence->failed =
            base_str_dup(query->error[0] == '\0' ? "it says no reason" : query->error);
}

static bool read_query(const json_t *json, struct report_query *out, struct base_error *err)
{
    const char *where = "query";
    out->at = (double)NAN;
    const json_t *at = json_object_get(json, "at");
    if (json_is_number(at))
        out->at = json_number_value(at);
    return model_get_text_or(json, where, "id", "", &out->id, err) &&
           model_get_text(json, where, "slo", &out->slo, err) &&
           model_get_text(json, where, "role", &out->role, err) &&
           model_get_text_or(json, where, "query", "", &out->text, err) &&
           model_get_text_or(json, where, "url", "", &out->url, err) &&
           model_get_text_or(json, where, "error", "", &out->error, err) &&
           model_get_bool(json, where, "ok", &out->ok, err);
}

static void query_fini(struct report_query *query)
{
    free(query->id);
    free(query->slo);
    free(query->role);
    free(query->text);
    free(query->url);
    free(query->error);
}

/* An objective has been asked for when all three of its roles were. */
static void note_asked(struct report *report)
{
    for (size_t i = 0; i < report->plan.slo_count; i++) {
        unsigned seen = 0;
        for (size_t k = 0; k < report->query_count; k++) {
            const struct report_query *query = &report->queries[k];
            if (!base_str_eq(query->slo, report->plan.slos[i].name))
                continue;
            const struct slo_set *set = set_of(&report->slos[i], query->role);
            seen |= set == &report->slos[i].total  ? 1U
                    : set == &report->slos[i].part ? 2U
                    : set == &report->slos[i].up   ? 4U
                                                   : 0U;
        }
        report->slos[i].asked = seen == 7U;
    }
}

void fold_queries(struct report *report, const json_t *root)
{
    struct base_error err = {0};
    const json_t *list = model_get_array(root, "queries.json", "queries", &err);
    if (list == NULL) {
        fold_state(report, REPORT_QUERIES, REPORT_DAMAGED, "%s", err.message);
        return;
    }
    report->slos = base_calloc(report->plan.slo_count + 1, sizeof *report->slos);
    report->queries = base_calloc(json_array_size(list) + 1, sizeof *report->queries);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *json = json_array_get(list, i);
        struct report_query query = {0};
        if (!read_query(json, &query, &err)) {
            query_fini(&query);
            fold_state(report, REPORT_QUERIES, REPORT_DAMAGED, "queries[%zu]: %s", i, err.message);
            continue;
        }
        struct slo_evidence *evidence = evidence_of(report, query.slo);
        if (evidence != NULL)
            take_answer(evidence, &query, json);
        report->queries[report->query_count++] = query;
    }
    note_asked(report);
}

void fold_queries_fini(struct report *report)
{
    for (size_t i = 0; i < report->query_count; i++)
        query_fini(&report->queries[i]);
    free(report->queries);
    for (size_t i = 0; report->slos != NULL && i < report->plan.slo_count; i++)
        slo_evidence_fini(&report->slos[i]);
    free(report->slos);
}
