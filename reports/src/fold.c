/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/fold.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fold_internal.h"
#include "model/json.h"

/* What is asked again and again may change its answer as often; they are compared with each other.
 */
enum { PROBES_MAX = 20000, TIMES_MAX = 1000000000 };

static const char *const file_names[REPORT_FILE_COUNT] = {
    [REPORT_PLAN] = "plan.json",       [REPORT_EVENTS] = "events.ndjson",
    [REPORT_HLOG] = "latency.hlog",    [REPORT_LOAD] = "load.json",
    [REPORT_FAULTS] = "faults.json",   [REPORT_PROBES] = "probes.json",
    [REPORT_QUERIES] = "queries.json", [REPORT_SCENARIO] = "scenario.yaml",
};

const char *report_file_name(enum report_file file)
{
    return file_names[file];
}

const char *report_state_name(enum report_state state)
{
    static const char *const names[] = {"whole", "missing", "partial", "damaged"};
    return names[state];
}

void fold_state(struct report *report, enum report_file file, enum report_state state,
                const char *format, ...)
{
    struct report_source *source = &report->sources[file];
    if (source->state >= state && source->state != REPORT_WHOLE)
        return;
    struct base_buf text;
    base_buf_init(&text, 4096);
    va_list args;
    va_start(args, format);
    (void)base_buf_vprintf(&text, format, args);
    va_end(args);
    free(source->detail);
    source->state = state;
    source->detail = base_buf_steal(&text);
}

/* A document is written in one piece: one that does not parse was damaged, not cut by an abort. */
static json_t *document(struct report *report, enum report_file file,
                        const struct report_bytes *bytes)
{
    if (bytes->data == NULL)
        return NULL;
    struct base_error err = {0};
    json_t *root = model_json_parse(bytes->data, bytes->len, file_names[file], &err);
    if (root == NULL)
        fold_state(report, file, REPORT_DAMAGED, "%s", err.message);
    return root;
}

static void fold_plan(struct report *report, const json_t *root)
{
    struct base_error err = {0};
    report->have_plan = plan_from_json(root, &report->plan, &err);
    if (!report->have_plan) {
        report->plan = (struct plan){0};
        fold_state(report, REPORT_PLAN, REPORT_DAMAGED, "%s", err.message);
    }
}

static void fold_load(struct report *report, const json_t *root)
{
    struct base_error err = {0};
    report->have_load = load_result_from_json(root, &report->load, &err);
    if (!report->have_load) {
        report->load = (struct load_result){0};
        fold_state(report, REPORT_LOAD, REPORT_DAMAGED, "%s", err.message);
    }
}

static void fold_faults(struct report *report, const json_t *root)
{
    struct base_error err = {0};
    const json_t *list = model_get_array(root, "faults.json", "faults", &err);
    if (list == NULL) {
        fold_state(report, REPORT_FAULTS, REPORT_DAMAGED, "%s", err.message);
        return;
    }
    report->faults = base_calloc(json_array_size(list) + 1, sizeof *report->faults);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct fault_record record = {0};
        if (fault_record_from_json(json_array_get(list, i), &record, &err))
            report->faults[report->fault_count++] = record;
        else
            fold_state(report, REPORT_FAULTS, REPORT_DAMAGED, "faults[%zu]: %s", i, err.message);
    }
}

/* "at" is nanoseconds or RFC 3339 text; both are shown, only the first is reckoned with. */
static bool fold_probe(const json_t *json, struct report_probe *out, struct base_error *err)
{
    if (!model_get_text(json, "probe", "name", &out->name, err) ||
        !model_get_bool(json, "probe", "ok", &out->ok, err) ||
        !model_get_text_or(json, "probe", "detail", "", &out->detail, err) ||
        !model_get_u64(json, "probe", "times", TIMES_MAX, &out->times, err))
        return false;
    const json_t *at = json_object_get(json, "at");
    if (json_is_integer(at))
        out->at.ns = json_integer_value(at);
    return true;
}

static void probe_fini(struct report_probe *probe)
{
    free(probe->name);
    free(probe->detail);
}

static void fold_probes(struct report *report, const json_t *root)
{
    struct base_error err = {0};
    const json_t *list = model_get_array(root, "probes.json", "probes", &err);
    if (list == NULL) {
        fold_state(report, REPORT_PROBES, REPORT_DAMAGED, "%s", err.message);
        return;
    }
    report->probes = base_calloc(json_array_size(list) + 1, sizeof *report->probes);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (report->probe_count == PROBES_MAX) {
            fold_state(report, REPORT_PROBES, REPORT_PARTIAL, "only the first %d answers are shown",
                       PROBES_MAX);
            return;
        }
        struct report_probe probe = {0};
        if (fold_probe(json_array_get(list, i), &probe, &err)) {
            report->probes[report->probe_count++] = probe;
        } else {
            probe_fini(&probe);
            fold_state(report, REPORT_PROBES, REPORT_DAMAGED, "probes[%zu]: %s", i, err.message);
        }
    }
}

static void fold_documents(struct report *report,
                           const struct report_bytes files[static REPORT_FILE_COUNT])
{
    static const struct {
        enum report_file file;
        void (*fold)(struct report *report, const json_t *root);
    } documents[] = {/* the plan first: the others are read by its light */
                     {REPORT_PLAN, fold_plan},
                     {REPORT_LOAD, fold_load},
                     {REPORT_FAULTS, fold_faults},
                     {REPORT_PROBES, fold_probes},
                     {REPORT_QUERIES, fold_queries}};
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        json_t *root = document(report, documents[i].file, &files[documents[i].file]);
        if (root != NULL)
            documents[i].fold(report, root);
        json_decref(root);
    }
}

static void check_log_kind(struct report *report, const char *kind)
{
    uint64_t counted = report->load.total.ok;
    uint64_t logged = 0;
    for (size_t i = 0; i < report->hist_count; i++) {
        if (strcmp(report->hists[i].kind, kind) == 0)
            logged += (uint64_t)report->hists[i].hdr.total;
    }
    if ((double)logged < (double)counted * 0.999 - 1)
        fold_state(report, REPORT_HLOG, REPORT_PARTIAL,
                   "holds %llu of the %llu responses that load.json counts: its end is missing",
                   (unsigned long long)logged, (unsigned long long)counted);
    else if (logged > counted)
        fold_state(report, REPORT_HLOG, REPORT_DAMAGED,
                   "holds %llu responses, but load.json counts only %llu",
                   (unsigned long long)logged, (unsigned long long)counted);
}

/* The log has no mark of its end. Cut between two lines it looks whole; but load.json counts what
 * was recorded. A thousandth is left for requests that were under way when both were written. More
 * than was counted is nobody's record: of two runs, or of one twice. */
static void check_log_against_counts(struct report *report)
{
    if (!report->have_load || report->sources[REPORT_HLOG].state != REPORT_WHOLE)
        return;
    check_log_kind(report, LOAD_RESPONSE);
    if (report->by_end) /* the same times a second time */
        check_log_kind(report, LOAD_ENDED);
}

/* When the window of the load is not in load.json, the timeline still tells it. */
static void settle_window(struct report *report)
{
    struct report_course *course = &report->course;
    if (!report->have_load || report->load.start.ns == 0)
        return;
    course->load_started = true;
    course->load_start = report->load.start;
    course->load_start_mono = report->load.start_mono;
    course->load_end = report->load.end;
}

void report_fold(const struct report_bytes files[static REPORT_FILE_COUNT], struct report *out)
{
    *out = (struct report){0};
    for (int i = 0; i < REPORT_FILE_COUNT; i++) {
        if (files[i].unreadable != NULL)
            fold_state(out, (enum report_file)i, REPORT_DAMAGED, "%s", files[i].unreadable);
        else if (files[i].data == NULL)
            fold_state(out, (enum report_file)i, REPORT_MISSING, "there is no such file");
    }
    fold_documents(out, files);
    if (out->have_plan && out->slos == NULL)
        out->slos = base_calloc(out->plan.slo_count + 1, sizeof *out->slos);
    fold_events(out, &files[REPORT_EVENTS]);
    fold_hlog(out, &files[REPORT_HLOG]);
    fold_due(out, &files[REPORT_HLOG]);
    fold_windows(out, &files[REPORT_HLOG]);
    if (files[REPORT_SCENARIO].data != NULL)
        out->scenario = base_str_ndup(files[REPORT_SCENARIO].data, files[REPORT_SCENARIO].len);
    check_log_against_counts(out);
    settle_window(out);
}

void report_fini(struct report *report)
{
    fold_queries_fini(report);
    fold_events_fini(report);
    if (report->have_plan)
        plan_fini(&report->plan);
    load_result_fini(&report->load);
    for (size_t i = 0; i < report->fault_count; i++)
        fault_record_fini(&report->faults[i]);
    free(report->faults);
    for (size_t i = 0; i < report->hist_count; i++) {
        free(report->hists[i].phase);
        free(report->hists[i].route);
        free(report->hists[i].kind);
        hdr_fini(&report->hists[i].hdr);
    }
    free(report->hists);
    free(report->due);
    for (size_t i = 0; i < report->probe_count; i++)
        probe_fini(&report->probes[i]);
    free(report->probes);
    for (int i = 0; i < REPORT_FILE_COUNT; i++)
        free(report->sources[i].detail);
    free(report->scenario);
    free(report->unsealed);
    free(report->windows);
    *report = (struct report){0};
}
