/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include <stdlib.h>

#include "base/text.h"

enum view_tone view_status_tone(enum verdict_status status, bool advisory)
{
    if (status == VERDICT_PASS)
        return VIEW_GOOD;
    return advisory || status == VERDICT_INSUFFICIENT ? VIEW_WARN : VIEW_BAD;
}

const char *view_status_word(enum verdict_status status)
{
    static const char *const words[] = {[VERDICT_PASS] = "PASS",
                                        [VERDICT_FAIL] = "FAIL",
                                        [VERDICT_INSUFFICIENT] = "INSUFFICIENT",
                                        [VERDICT_ERROR] = "ERROR"};
    return words[status];
}

/* --- tables --- */

struct view_table *view_table_add(struct view *view, const char *id, const char *title,
                                  const char *note, const struct view_column *columns)
{
    struct view_table *table = &view->tables[view->table_count++];
    *table = (struct view_table){.id = id, .title = title, .note = note};
    while (columns[table->column_count].title != NULL) {
        table->columns[table->column_count] = columns[table->column_count];
        table->column_count++;
    }
    return table;
}

void view_row_add(struct view_table *table, enum view_tone tone,
                  char *const cells[static VIEW_COLUMNS_MAX])
{
    table->rows = base_reallocarray(table->rows, table->row_count + 1, sizeof *table->rows);
    struct view_row *row = &table->rows[table->row_count++];
    row->tone = tone;
    for (size_t i = 0; i < VIEW_COLUMNS_MAX; i++)
        row->cells[i] = cells[i];
}

void view_fini(struct view *view)
{
    free(view->headline);
    free(view->facts);
    for (size_t i = 0; i < view->objective_count; i++)
        free(view->objectives[i].also);
    free(view->objectives);
    for (size_t i = 0; i < view->tile_count; i++) {
        free(view->tiles[i].value);
        free(view->tiles[i].detail);
    }
    for (size_t t = 0; t < view->table_count; t++) {
        struct view_table *table = &view->tables[t];
        for (size_t r = 0; r < table->row_count; r++) {
            for (size_t c = 0; c < VIEW_COLUMNS_MAX; c++)
                free(table->rows[r].cells[c]);
        }
        free(table->rows);
    }
    *view = (struct view){0};
}

/* --- objectives --- */

/* 0 first: what decides and went wrong, worst first; then what is only pointed out; then the rest.
 */
static int urgency(const struct verdict_objective *o)
{
    static const int ranks[] = {
        [VERDICT_ERROR] = 0, [VERDICT_FAIL] = 1, [VERDICT_INSUFFICIENT] = 2, [VERDICT_PASS] = 4};
    if (o->status == VERDICT_PASS)
        return o->advisory ? ranks[VERDICT_PASS] + 1 : ranks[VERDICT_PASS];
    return o->advisory ? 3 : ranks[o->status];
}

static const char *advice_of(enum verdict_reason reason)
{
    static const char *const advice[] = {
        [REASON_MET] = "",
        [REASON_NOT_MET] = "The promise was not kept. See below which fault was in place when "
                           "errors or latency rose.",
        [REASON_NO_DATA] = "Nothing was measured, so nothing is shown. See Evidence and Questions "
                           "to Prometheus for what is missing.",
        [REASON_TOO_FEW_EVENTS] = "Too little traffic for this promise: run longer or send more, "
                                  "or judge a lower percentile.",
        [REASON_LOW_COVERAGE] = "Prometheus missed scrapes: was it, or its targets, down? See "
                                "Questions to Prometheus.",
        [REASON_QUERY_FAILED] = "Prometheus did not answer: see Questions to Prometheus.",
        [REASON_CLIENT_LIMITED] = "The load generator was the limit, not the platform: give it "
                                  "more cores or connections, or send less.",
        [REASON_FAULT_INEFFECTIVE] = "The experiment did not happen as written: what was measured "
                                     "meanwhile says nothing about this fault.",
        [REASON_FAULT_FAILED] = "The fault was never in place: `squall doctor` names what is "
                                "missing on this machine.",
        [REASON_FAULT_INTERRUPTED] = "The agent or the controller died; the lease removed the "
                                     "fault. See the agent's log, then run again.",
        [REASON_FAULT_STUCK] = "Run `squall halt` now, then look at the targets by hand.",
        [REASON_ABORTED] = "The run was ended before this could be judged: run it again.",
        [REASON_TOOL_ERROR] = "squall or what it stands on failed, not the platform: see the "
                              "Timeline's end and Evidence.",
        [REASON_COUNTS_DIFFER] = "The counters are not those of this load: check the objective's "
                                 "service and selectors.",
        [REASON_FAULT_NOT_RECOVERED] = "What was hit did not come back by itself in time: see its "
                                       "log and its restart policy.",
        [REASON_CONDITION_NOT_MET] = "The experiment did not begin: see the probe's answers under "
                                     "Checks, or wait for longer.",
        [REASON_SKIPPED] = "Another branch was taken: see What faults waited for.",
    };
    return advice[reason];
}

static void sort_objectives(const struct verdict *verdict, struct view *view)
{
    enum { RANKS = 6, RANK_ADVISORY = 3 };
    view->objectives = base_calloc(verdict->objective_count + 1, sizeof *view->objectives);
    for (int rank = 0; rank < RANKS; rank++) {
        for (size_t i = 0; i < verdict->objective_count; i++) {
            const struct verdict_objective *o = &verdict->objectives[i];
            if (urgency(o) != rank)
                continue;
            view->objectives[view->objective_count++] =
                (struct view_objective){.is = o,
                                        .tone = view_status_tone(o->status, o->advisory),
                                        .advice = advice_of(o->reason)};
            view->problem_count += rank < RANK_ADVISORY ? 1 : 0;
        }
    }
}

/* An abort, a dead Prometheus, a limited generator leave most objectives without evidence: one
 * cause, told once. Failures are told one by one. */
static void gather(struct view *view, size_t first)
{
    struct view_objective *cause = &view->objectives[first];
    if (cause->told || cause->is->status != VERDICT_INSUFFICIENT)
        return;
    struct base_buf names;
    base_buf_init(&names, 4096);
    for (size_t i = first + 1; i < view->problem_count; i++) {
        struct view_objective *at = &view->objectives[i];
        if (at->is->status != VERDICT_INSUFFICIENT || at->is->reason != cause->is->reason)
            continue;
        at->told = true;
        (void)base_buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", at->is->name);
    }
    if (names.len > 0 || names.failed)
        cause->also = base_buf_steal(&names);
    base_buf_fini(&names);
    if (cause->also == NULL && first + 1 < view->problem_count && view->objectives[first + 1].told)
        cause->also = base_str_dup("many others: see Objectives");
}

static void view_objectives(struct view *view)
{
    static const struct view_column columns[] = {{"Verdict", VIEW_WORD},  {"Objective", VIEW_NAME},
                                                 {"Of", VIEW_WORD},       {"Expected", VIEW_TEXT},
                                                 {"Measured", VIEW_TEXT}, {"Why", VIEW_WORD},
                                                 {NULL, VIEW_WORD}};
    struct view_table *table = view_table_add(view, "objectives", "Objectives", NULL, columns);
    for (size_t i = 0; i < view->objective_count; i++) {
        const struct verdict_objective *o = view->objectives[i].is;
        char *cells[VIEW_COLUMNS_MAX] = {
            base_str_printf("%s%s", view_status_word(o->status), o->advisory ? " (advisory)" : ""),
            base_str_dup(o->name),
            base_str_dup(verdict_source_name(o->source)),
            base_str_dup(o->expected),
            base_str_dup(o->measured),
            base_str_dup(verdict_reason_name(o->reason))};
        view_row_add(table, view->objectives[i].tone, cells);
    }
}

/* --- the whole --- */

static char *headline(const struct verdict *verdict, enum view_tone *tone)
{
    size_t bad = 0;
    size_t all = 0;
    for (size_t i = 0; i < verdict->objective_count; i++) {
        all += verdict->objectives[i].advisory ? 0 : 1;
        bad += !verdict->objectives[i].advisory && verdict->objectives[i].status != VERDICT_PASS;
    }
    *tone = view_status_tone(verdict->status, false);
    if (verdict->exit_code == EXIT_CODE_UNCLEAN || verdict->exit_code == EXIT_CODE_ABORTED)
        *tone = VIEW_BAD;
    if (verdict->unclean)
        return base_str_dup("UNCLEAN: a fault may still be in place. Run `squall halt` now.");
    if (verdict->aborted)
        return base_str_printf("ABORTED by %s", verdict->aborted_by);
    if (bad == 0)
        return base_str_printf("%s: all of %zu objectives met", view_status_word(verdict->status),
                               all);
    return base_str_printf("%s: %zu of %zu objectives not met", view_status_word(verdict->status),
                           bad, all);
}

static char *facts(const struct report *report, const struct verdict *verdict)
{
    char start[BASE_WALL_TEXT] = "at an unknown time";
    if (report->course.load_start.ns != 0)
        base_wall_format(report->course.load_start, start);
    char length[BASE_DUR_TEXT] = "?";
    if (report->have_plan)
        base_dur_format(report->plan.duration, length);
    return base_str_printf(
        "scenario %s, run %s, target %s (%s), seed %llu, load of %s from %s, exit code %d",
        verdict->scenario, verdict->run, report->have_plan ? report->plan.target_name : "unknown",
        report->have_plan ? report->plan.target_mode : "unknown",
        (unsigned long long)report->plan.seed, length, start, (int)verdict->exit_code);
}

void view_build(const struct report *report, const struct verdict *verdict, struct view *out)
{
    *out = (struct view){0};
    out->headline = headline(verdict, &out->tone);
    out->facts = facts(report, verdict);
    sort_objectives(verdict, out);
    for (size_t i = 0; i < out->problem_count; i++)
        gather(out, i);
    view_tiles(report, out);
    view_objectives(out);
    view_faults(report, out);
    view_gates(report, out);
    view_arrivals(report, out);
    view_slos(report, out);
    view_reconcile(report, out);
    view_load(report, out);
    view_fault_times(report, out);
    view_fault_evidence(report, out);
    view_timeline(report, out);
    view_probes(report, out);
    view_evidence(report, out);
    view_queries(report, out);
}
