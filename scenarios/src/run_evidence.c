/* SPDX-License-Identifier: Apache-2.0 */
/* What a run leaves behind: events as they happen, documents at its end. */
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "run_internal.h"

void run_event(struct run *run, const char *type, const json_t *fields)
{
    if (run->outcome.evidence_lost || run->fx->event(run->fx->ctx, type, fields))
        return;
    run->outcome.evidence_lost = true;
    run_abort(run, RUN_ABORT_TOOL, "the timeline cannot be written any more (is the disk full?)");
}

void run_event_take(struct run *run, const char *type, json_t *fields)
{
    run_event(run, type, fields);
    json_decref(fields);
}

/* The newest entry of this name; NULL: there is none. */
static json_t *newest_of(const json_t *list, const char *name)
{
    for (size_t i = json_array_size(list); i > 0; i--) {
        json_t *entry = json_array_get(list, i - 1);
        if (base_str_eq(json_string_value(json_object_get(entry, "name")), name))
            return entry;
    }
    return NULL;
}

/* Answers that say the same again are one entry: a long run asks often. */
void run_note_probe(struct run *run, const char *name, bool ok, const char *detail)
{
    char at[BASE_WALL_TEXT];
    base_wall_format(run->fx->wall(run->fx->ctx), at);
    json_t *text = model_json_text(detail);
    json_t *newest = newest_of(run->probes, name);
    bool same = newest != NULL && json_is_true(json_object_get(newest, "ok")) == ok &&
                json_equal(json_object_get(newest, "detail"), text);
    if (same) {
        json_int_t times = json_integer_value(json_object_get(newest, "times"));
        json_object_set_new(newest, "times", json_integer(times + 1));
        json_object_set_new(newest, "until", json_string(at));
        json_decref(text);
        return;
    }
    json_array_append_new(run->probes,
                          json_pack("{s:o,s:s,s:s,s:i,s:b,s:o}", "name", model_json_text(name),
                                    "at", at, "until", at, "times", 1, "ok", ok, "detail", text));
}

static struct run_query make_query(const struct plan_slo *slo, const char *role,
                                   const char *selector)
{
    return (struct run_query){
        .id = base_str_printf("%s/%s", slo->name, role),
        .slo = base_str_dup(slo->name),
        .role = role,
        .selector = selector,
    };
}

/* From now back to four scrapes before the load, so that samples bracket the window that is judged
 * (two scrapes on each side), however long faults outlived the load. */
void run_queries_ask(struct run *run)
{
    double seconds = base_dur_to_s(base_mono_sub(run_now(run), run->load_start)) +
                     4 * base_dur_to_s(run->plan->scrape_interval) + 1;
    run->queries_open = run->query_count;
    for (size_t i = 0; i < run->query_count; i++) {
        struct run_query *query = &run->queries[i];
        free(query->text);
        query->text = base_str_printf("%s[%.0fs]", query->selector, ceil(seconds));
        run->fx->query(run->fx->ctx, i, query->text, run->queried_at);
    }
}

void run_queries_init(struct run *run)
{
    const struct plan *plan = run->plan;
    run->queries = base_calloc(plan->slo_count * 3, sizeof *run->queries);
    for (size_t i = 0; i < plan->slo_count; i++) {
        const struct plan_slo *slo = &plan->slos[i];
        const struct {
            const char *role, *selector;
        } parts[] = {
            {"total", slo->total}, {"bad", slo->bad}, {"good", slo->good}, {"up", slo->up}};
        for (size_t j = 0; j < sizeof parts / sizeof parts[0]; j++) {
            if (parts[j].selector != NULL)
                run->queries[run->query_count++] =
                    make_query(slo, parts[j].role, parts[j].selector);
        }
    }
}

void run_queries_fini(struct run *run)
{
    for (size_t i = 0; i < run->query_count; i++) {
        free(run->queries[i].id);
        free(run->queries[i].slo);
        free(run->queries[i].text);
    }
    free(run->queries);
    run->queries = NULL;
    run->query_count = 0;
}

void run_note_query(struct run *run, size_t query, const struct run_query_result *result)
{
    const struct run_query *asked = &run->queries[query];
    int64_t at_ms = run->queried_at.ns / BASE_NS_PER_MS; /* what Prometheus resolves */
    json_t *warnings = result->warnings != NULL ? json_deep_copy(result->warnings) : json_array();
    json_t *data = result->data != NULL ? json_deep_copy(result->data) : json_null();
    json_array_append_new(
        run->query_results,
        json_pack("{s:s,s:s,s:s,s:s,s:f,s:o,s:b,s:o,s:o,s:o}", "id", asked->id, "slo", asked->slo,
                  "role", asked->role, "query", asked->text, "at", (double)at_ms / 1000.0, "url",
                  model_json_text(result->url), "ok", result->ok, "error",
                  model_json_text(result->error), "warnings", warnings, "result", data));
    run_event_take(run, "query.done",
                   json_pack("{s:s,s:b,s:o}", "id", asked->id, "ok", result->ok, "error",
                             model_json_text(result->error)));
}

static json_t *fault_documents(const struct run *run)
{
    json_t *list = json_array();
    for (size_t i = 0; i < run->plan->fault_count; i++) {
        if (run->faults[i].record != NULL)
            json_array_append(list, run->faults[i].record);
    }
    return list;
}

void run_store_documents(struct run *run)
{
    const struct {
        const char *name, *key;
        json_t *list;
    } documents[] = {
        {"faults.json", "faults", fault_documents(run)},
        {"probes.json", "probes", json_incref(run->probes)},
        {"queries.json", "queries", json_incref(run->query_results)},
    };
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        json_t *document = json_pack("{s:o}", documents[i].key, documents[i].list);
        if (!run->fx->store(run->fx->ctx, documents[i].name, document))
            run->outcome.evidence_lost = true;
        json_decref(document);
    }
}
