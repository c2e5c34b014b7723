/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "judge_internal.h"

/* --- small texts --- */

char *view_latency(int64_t ns)
{
    double value = (double)ns;
    if (ns < BASE_NS_PER_MS)
        return base_str_printf("%.4g us", value / (double)BASE_NS_PER_US);
    if (ns < BASE_NS_PER_S)
        return base_str_printf("%.4g ms", value / (double)BASE_NS_PER_MS);
    return base_str_printf("%.4g s", value / (double)BASE_NS_PER_S);
}

char *view_since_load(const struct report *report, struct wall_ns at)
{
    int64_t start = report->course.load_start.ns;
    if (start == 0 || at.ns == 0)
        return base_str_dup("");
    return base_str_printf("%+.3f s", (double)(at.ns - start) / (double)BASE_NS_PER_S);
}

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
                                  const char *note, const char *const *columns)
{
    struct view_table *table = &view->tables[view->table_count++];
    *table = (struct view_table){.id = id, .title = title, .note = note};
    while (columns[table->column_count] != NULL) {
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

static void view_objectives(const struct verdict *verdict, struct view *view)
{
    static const char *const columns[] = {"Verdict",  "Objective", "Of", "Expected",
                                          "Measured", "Why",       NULL};
    struct view_table *table = view_table_add(view, "objectives", "Objectives", NULL, columns);
    for (size_t i = 0; i < verdict->objective_count; i++) {
        const struct verdict_objective *o = &verdict->objectives[i];
        char *cells[VIEW_COLUMNS_MAX] = {
            base_str_printf("%s%s", view_status_word(o->status), o->advisory ? " (advisory)" : ""),
            base_str_dup(o->name),
            base_str_dup(verdict_source_name(o->source)),
            base_str_dup(o->expected),
            base_str_dup(o->measured),
            base_str_dup(verdict_reason_name(o->reason))};
        view_row_add(table, view_status_tone(o->status, o->advisory), cells);
    }
}

/* --- faults --- */

static char *span(struct wall_ns from, struct wall_ns to)
{
    if (from.ns == 0 || to.ns == 0)
        return base_str_dup("");
    return base_str_printf("%.4g s", (double)(to.ns - from.ns) / (double)BASE_NS_PER_S);
}

static char *join(char *const *words, size_t count)
{
    struct base_buf text;
    base_buf_init(&text, 4096);
    for (size_t i = 0; i < count; i++)
        (void)base_buf_printf(&text, "%s%s", i > 0 ? ", " : "", words[i]);
    char *out = base_buf_steal(&text);
    return out == NULL ? base_str_printf("%zu instances", count) : out;
}

static void view_faults(const struct report *report, struct view *view)
{
    static const char *const columns[] = {"State",     "Fault",     "Kind",      "Targets",
                                          "Requested", "To inject", "To verify", "To gone",
                                          "In place",  "Ended by",  NULL};
    struct view_table *table = view_table_add(
        view, "faults", "Faults",
        "To inject: request to applied. To verify: applied to effect measured. To gone: revert "
        "to absence measured. In place: applied to gone.",
        columns);
    for (size_t i = 0; i < report->fault_count; i++) {
        const struct fault_record *f = &report->faults[i];
        char *cells[VIEW_COLUMNS_MAX] = {
            base_str_dup(fault_state_name(f->state)), base_str_dup(f->name),
            base_str_dup(fault_kind_name(f->kind)),   join(f->targets, f->target_count),
            view_since_load(report, f->requested_at), span(f->requested_at, f->applied_at),
            span(f->applied_at, f->verified_at),      span(f->reverted_at, f->gone_at),
            span(f->applied_at, f->gone_at),          base_str_dup(fault_end_name(f->end))};
        bool good = f->state == FAULT_GONE && f->was_active;
        view_row_add(table, good ? VIEW_GOOD : VIEW_BAD, cells);
    }
    for (size_t i = 0; i < report->plan.skipped_count; i++) {
        char *cells[VIEW_COLUMNS_MAX] = {base_str_dup("SKIPPED"),
                                         base_str_dup(report->plan.skipped[i].name), NULL,
                                         base_str_dup(report->plan.skipped[i].why)};
        view_row_add(table, VIEW_WARN, cells);
    }
}

static void view_fault_evidence(const struct report *report, struct view *view)
{
    static const char *const columns[] = {"As expected", "Fault",    "When", "Target", "What",
                                          "Value",       "Expected", "At",   NULL};
    struct view_table *table =
        view_table_add(view, "fault-evidence", "What the faults did", NULL, columns);
    for (size_t i = 0; i < report->fault_count; i++) {
        const struct fault_record *f = &report->faults[i];
        for (size_t k = 0; k < f->evidence_count; k++) {
            const struct fault_evidence *e = &f->evidence[k];
            char *cells[VIEW_COLUMNS_MAX] = {base_str_dup(e->ok ? "yes" : "no"),
                                             base_str_dup(f->name),
                                             base_str_dup(e->when),
                                             base_str_dup(e->target),
                                             base_str_dup(e->metric),
                                             base_str_dup(e->value),
                                             base_str_dup(e->expected),
                                             view_since_load(report, e->at)};
            view_row_add(table, e->ok ? VIEW_GOOD : VIEW_BAD, cells);
        }
    }
}

/* --- SLOs --- */

static void view_slos(const struct report *report, struct view *view)
{
    static const char *const columns[] = {"Verdict",     "SLO",      "Target",       "Measured",
                                          "Events",      "Bad",      "Budget",       "Budget spent",
                                          "Budget left", "Coverage", "Least events", NULL};
    struct view_table *table = view_table_add(
        view, "slos", "Service levels and error budget",
        "From Prometheus' raw samples: counter resets and new series counted, nothing "
        "extrapolated. Budget: bad events that the target allows in this traffic. Coverage: "
        "successful scrapes over expected ones.",
        columns);
    for (size_t i = 0; i < report->plan.slo_count; i++) {
        const struct plan_slo *slo = &report->plan.slos[i];
        struct slo_result r = report_slo(report, i);
        char *share = judge_percent(r.coverage.share);
        char *cells[VIEW_COLUMNS_MAX] = {
            base_str_dup(view_status_word(r.status)),
            base_str_dup(slo->name),
            judge_percent(slo->objective),
            judge_percent(r.sli),
            judge_count(r.total),
            judge_count(r.bad),
            base_str_printf("%.6g", r.allowed),
            judge_percent(r.budget_spent),
            base_str_printf("%.6g", r.allowed - r.bad),
            base_str_printf("%s (%zu of %zu)", share, r.coverage.present, r.coverage.expected),
            base_str_printf("%.6g", ceil(r.min_events - 1e-6))};
        view_row_add(table, view_status_tone(r.status, false), cells);
        free(share);
    }
}

static void view_reconcile(const struct report *report, struct view *view)
{
    static const char *const columns[] = {
        "Counter",         "Requests sent", "Seen by Prometheus", "Difference",
        "Failed with 5xx", "Failed at all", "Bad in Prometheus",  NULL};
    struct view_table *table = view_table_add(
        view, "reconcile", "The generator's counts beside Prometheus'",
        "A killed process loses what it counted after its last scrape; a request that found no "
        "connection was never seen by the platform. Other services than the one under load see "
        "their share of the requests.",
        columns);
    for (size_t i = 0; i < report->plan.slo_count; i++) {
        struct report_reconcile r = report_reconcile(report, i);
        if (!r.known)
            continue;
        bool near = !r.direct || fabs(r.difference) <= 0.05;
        char *cells[VIEW_COLUMNS_MAX] = {
            base_str_printf("%s of %s%s", report->plan.slos[i].name, report->plan.slos[i].service,
                            r.direct ? "" : " (not the service under load)"),
            judge_count(r.sent),
            judge_count(r.seen),
            judge_percent(r.difference),
            judge_count(r.failed_5xx),
            judge_count(r.failed_all),
            r.errors_known ? judge_count(r.seen_bad) : base_str_dup("")};
        view_row_add(table, near ? VIEW_PLAIN : VIEW_WARN, cells);
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
    view_objectives(verdict, out);
    view_faults(report, out);
    view_fault_evidence(report, out);
    view_slos(report, out);
    view_reconcile(report, out);
    view_load(report, out);
    view_timeline(report, out);
    view_probes(report, out);
    view_evidence(report, out);
    view_queries(report, out);
}
