/* SPDX-License-Identifier: Apache-2.0 */
/* events.ndjson: the timeline. It is appended to while the run goes on, so that a killed runner or
 * a full disk leaves half a last line; a broken line in the middle is damage. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fold_internal.h"
#include "model/json.h"

/* Beside the load's intervals a run has some dozens; the judge compares them with each other. */
enum { EVENTS_MAX = 20000 };
/* Beyond what any plan has: phases, and what faults waited for, are compared with each other, too.
 */
enum { FAULTS_MAX = 4096 };

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* The fields that are not the same on every line, as "key value, key value". A fault's record has
 * its own place in the report. */
static char *describe(const json_t *line)
{
    static const char *const common[] = {"seq", "wall", "wallNs", "monoNs", "type", "record"};
    struct base_buf text;
    base_buf_init(&text, 4096);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)line, key, value)
    {
        bool skip = json_is_null(value);
        for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
            skip = skip || strcmp(key, common[i]) == 0;
        if (skip)
            continue;
        char *dumped = json_is_string(value)
                           ? base_str_dup(json_string_value(value))
                           : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
        (void)base_buf_printf(&text, "%s%s: %s", text.len > 0 ? ", " : "", key,
                              dumped == NULL ? "" : dumped);
        free(dumped);
    }
    char *out = base_buf_steal(&text);
    return out == NULL ? base_str_dup("(too long to show)") : out;
}

static void replace(char **slot, char *fresh)
{
    free(*slot);
    *slot = fresh;
}

static struct wall_ns wall_of(const json_t *line)
{
    return (struct wall_ns){json_integer_value(json_object_get(line, "wallNs"))};
}
static struct mono_ns mono_of(const json_t *line)
{
    return (struct mono_ns){json_integer_value(json_object_get(line, "monoNs"))};
}

/* --- what each type of event tells about the course of the run --- */

static void on_steady(struct report *report, const json_t *line)
{
    report->course.steady_failed = !json_is_true(json_object_get(line, "ok"));
}

static void on_load_started(struct report *report, const json_t *line)
{
    report->course.load_started = true;
    report->course.load_start = wall_of(line);
    report->course.load_start_mono = mono_of(line);
}

static void on_load_finished(struct report *report, const json_t *line)
{
    report->course.load_end = wall_of(line);
}

static void on_interval(struct report *report, const json_t *line)
{
    if (report->have_load) /* load.json holds them all */
        return;
    struct load_interval interval = {0};
    struct base_error err = {0};
    if (!load_interval_from_json(line, &interval, &err)) {
        fold_state(report, REPORT_EVENTS, REPORT_DAMAGED, "%s", err.message);
        return;
    }
    struct load_result *load = &report->load;
    load->intervals =
        base_reallocarray(load->intervals, load->interval_count + 1, sizeof *load->intervals);
    load->intervals[load->interval_count++] = interval;
    load_counts_add(&load->total, &interval.counts);
}

/* Guards, signals and halt abort a run. That a fault would not take, or that squall itself failed,
 * ends it early too, but is judged as what it is. */
static void on_abort(struct report *report, const json_t *line)
{
    const char *by = text_of(line, "by");
    const char *why = text_of(line, "why");
    if (by == NULL)
        by = "unknown";
    char *text = why == NULL ? base_str_dup(by) : base_str_printf("%s: %s", by, why);
    if (strcmp(by, "tool") == 0)
        replace(&report->course.error, text);
    else if (strcmp(by, "fault") == 0)
        replace(&report->course.cut_short, text);
    else
        replace(&report->course.aborted_by, text);
}

static void on_phase(struct report *report, const json_t *line)
{
    int64_t start = mono_of(line).ns - report->course.load_start_mono.ns;
    const char *name = text_of(line, "phase");
    if (name == NULL || start < 0 || report->phase_count == FAULTS_MAX)
        return;
    report->phases =
        base_reallocarray(report->phases, report->phase_count + 1, sizeof *report->phases);
    report->phases[report->phase_count++] =
        (struct plan_phase){.name = base_str_dup(name), .start = {start}};
}

static void leave(struct report *report, const json_t *line, bool skipped)
{
    const char *name = text_of(line, "name");
    const char *why = text_of(line, "why");
    if (name == NULL || report->left_count == FAULTS_MAX)
        return;
    report->left = base_reallocarray(report->left, report->left_count + 1, sizeof *report->left);
    report->left[report->left_count++] =
        (struct report_left){.name = base_str_dup(name),
                             .skipped = skipped,
                             .why = base_str_dup(why != NULL ? why : "no reason given")};
}

/* The texts that say what it is about, whichever of them are there. */
static char *detail_of(const json_t *line)
{
    static const struct {
        const char *key, *words;
    } parts[] = {
        {"probe", "probe "}, {"why", ""}, {"message", ""}, {"by", "by "}, {"within", "at most "}};
    struct base_buf text;
    base_buf_init(&text, 4096);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *value = text_of(line, parts[i].key);
        if (value != NULL)
            (void)base_buf_printf(&text, "%s%s%s", text.len > 0 ? ", " : "", parts[i].words, value);
    }
    char *out = base_buf_steal(&text);
    return out == NULL ? base_str_dup("(too long to show)") : out;
}

static void on_gate(struct report *report, const json_t *line)
{
    static const struct {
        const char *type, *what;
    } steps[] = {{"fault.waiting", "waits for its condition"},
                 {"fault.met", "its condition came about"},
                 {"fault.unmet", "its condition did not come about"},
                 {"fault.chosen", "its branch is taken"},
                 {"fault.skipped", "its branch is not taken"},
                 {"run.suspended", "the run is suspended before it"},
                 {"run.continued", "the run goes on"}};
    const char *type = text_of(line, "type");
    const char *fault = text_of(line, "name");
    fault = fault != NULL ? fault : text_of(line, "before");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (fault == NULL || !base_str_eq(steps[i].type, type) || report->gate_count == FAULTS_MAX)
            continue;
        report->gates =
            base_reallocarray(report->gates, report->gate_count + 1, sizeof *report->gates);
        report->gates[report->gate_count++] = (struct report_gate){.at = wall_of(line),
                                                                   .fault = base_str_dup(fault),
                                                                   .what = steps[i].what,
                                                                   .detail = detail_of(line)};
    }
}

static void on_skipped(struct report *report, const json_t *line)
{
    leave(report, line, true);
    on_gate(report, line);
}

static void on_unmet(struct report *report, const json_t *line)
{
    leave(report, line, false);
    on_gate(report, line);
}

static void on_agent_lost(struct report *report, const json_t *line)
{
    (void)line;
    report->course.agent_lost = true;
}

static void on_finished(struct report *report, const json_t *line)
{
    report->course.finished = true;
    if (json_is_true(json_object_get(line, "unclean")))
        report->course.unclean = true;
    const char *error = text_of(line, "error");
    if (error != NULL && error[0] != '\0')
        replace(&report->course.error, base_str_dup(error));
}

static void learn(struct report *report, const json_t *line, const char *type)
{
    static const struct {
        const char *type;
        void (*learn)(struct report *report, const json_t *line);
    } types[] = {{"steady.checked", on_steady},
                 {"load.started", on_load_started},
                 {"load.interval", on_interval},
                 {"load.finished", on_load_finished},
                 {"abort", on_abort},
                 {"agent.lost", on_agent_lost},
                 {"phase.changed", on_phase},
                 {"fault.skipped", on_skipped},
                 {"fault.unmet", on_unmet},
                 {"fault.waiting", on_gate},
                 {"fault.met", on_gate},
                 {"fault.chosen", on_gate},
                 {"run.suspended", on_gate},
                 {"run.continued", on_gate},
                 {"run.finished", on_finished}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(type, types[i].type) == 0)
            types[i].learn(report, line);
    }
    replace(&report->course.last_type, base_str_dup(type));
}

static void keep(struct report *report, const json_t *line, const char *type)
{
    if (strcmp(type, "load.interval") == 0)
        return;
    if (report->event_count == EVENTS_MAX) {
        fold_state(report, REPORT_EVENTS, REPORT_PARTIAL, "only the first %d events are shown",
                   EVENTS_MAX);
        return;
    }
    const char *id = base_str_starts(type, "fault.") ? text_of(line, "id") : NULL;
    report->events =
        base_reallocarray(report->events, report->event_count + 1, sizeof *report->events);
    report->events[report->event_count++] = (struct report_event){.wall = wall_of(line),
                                                                  .mono = mono_of(line),
                                                                  .type = base_str_dup(type),
                                                                  .what = describe(line),
                                                                  .fault_id = base_str_dup(id)};
}

static bool fold_line(struct report *report, const char *text, size_t len, struct base_error *err)
{
    json_t *line = model_json_parse(text, len, "event", err);
    if (line == NULL)
        return false;
    const char *type = text_of(line, "type");
    bool ok = type != NULL && json_is_integer(json_object_get(line, "wallNs")) &&
              wall_of(line).ns >= 0; /* times are subtracted from each other */
    if (ok) {
        learn(report, line, type);
        keep(report, line, type);
    } else {
        (void)base_fail(err, BASE_CORRUPT, "an event without type or wallNs");
    }
    json_decref(line);
    return ok;
}

const struct report_left *report_left(const struct report *report, const char *fault)
{
    for (size_t i = 0; fault != NULL && i < report->left_count; i++)
        if (strcmp(report->left[i].name, fault) == 0)
            return &report->left[i];
    return NULL;
}

bool report_phase_is_new(const struct report *report, size_t phase)
{
    for (size_t i = 0; i < phase; i++)
        if (strcmp(report->phases[i].name, report->phases[phase].name) == 0)
            return false;
    return true;
}

/* What waits for nothing has its phases at the plan's times, to which requests were assigned. */
static void settle_phases(struct report *report)
{
    const struct plan *plan = &report->plan;
    if (!report->have_plan || (plan_has_gates(plan) && report->phase_count > 0))
        return;
    for (size_t i = 0; i < report->phase_count; i++)
        free(report->phases[i].name);
    report->phases = base_reallocarray(report->phases, plan->phase_count, sizeof *report->phases);
    report->phase_count = plan->phase_count;
    for (size_t i = 0; i < plan->phase_count; i++)
        report->phases[i] = (struct plan_phase){.name = base_str_dup(plan->phases[i].name),
                                                .start = plan->phases[i].start};
}

static void fold_lines(struct report *report, const struct report_bytes *bytes)
{
    const char *at = bytes->data;
    const char *end = at + bytes->len;
    for (size_t number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((newline == NULL ? end : newline) - at);
        struct base_error err = {0};
        if (newline == NULL)
            fold_state(report, REPORT_EVENTS, REPORT_PARTIAL,
                       "line %zu, the last one, was cut short: its writer was stopped", number);
        else if (!fold_line(report, at, len, &err))
            fold_state(report, REPORT_EVENTS, REPORT_DAMAGED, "line %zu: %s", number, err.message);
        at += len + 1;
    }
    if (!report->course.finished)
        fold_state(report, REPORT_EVENTS, REPORT_PARTIAL,
                   "it ends without run.finished: the runner was stopped before the end");
}

void fold_events(struct report *report, const struct report_bytes *bytes)
{
    if (bytes->data != NULL)
        fold_lines(report, bytes);
    settle_phases(report);
}

void fold_events_fini(struct report *report)
{
    for (size_t i = 0; i < report->event_count; i++) {
        free(report->events[i].type);
        free(report->events[i].what);
        free(report->events[i].fault_id);
    }
    free(report->events);
    for (size_t i = 0; i < report->left_count; i++) {
        free(report->left[i].name);
        free(report->left[i].why);
    }
    free(report->left);
    for (size_t i = 0; i < report->gate_count; i++) {
        free(report->gates[i].fault);
        free(report->gates[i].detail);
    }
    free(report->gates);
    for (size_t i = 0; i < report->phase_count; i++)
        free(report->phases[i].name);
    free(report->phases);
    free(report->course.error);
    free(report->course.aborted_by);
    free(report->course.cut_short);
    free(report->course.last_type);
}
