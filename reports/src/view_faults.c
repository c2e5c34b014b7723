/* SPDX-License-Identifier: Apache-2.0 */
/* What the faults did, and when. */
#include "base/text.h"
#include "judge_internal.h"
#include "view.h"

static char *join(char *const *words, size_t count)
{
    struct base_buf text;
    base_buf_init(&text, 4096);
    for (size_t i = 0; i < count; i++)
        (void)base_buf_printf(&text, "%s%s", i > 0 ? ", " : "", words[i]);
    char *out = base_buf_steal(&text);
    return out == NULL ? base_str_printf("%zu instances", count) : out;
}

/* The next evidence of that time at or after i that is worth a place: what is not as expected, and
 * when all is, the last one of each target. */
static size_t telling(const struct fault_record *f, const char *when, bool all_well, size_t i)
{
    for (; i < f->evidence_count; i++) {
        const struct fault_evidence *e = &f->evidence[i];
        if (!base_str_eq(e->when, when))
            continue;
        bool last = true;
        for (size_t k = i + 1; all_well && k < f->evidence_count; k++)
            last = last && !(base_str_eq(f->evidence[k].when, when) &&
                             base_str_eq(f->evidence[k].target, e->target));
        if (all_well ? last : !e->ok)
            return i;
    }
    return i;
}

/* What was measured at that time: "tcp connect to postgres-1:5432: no answer in 501ms". */
static char *measured(const struct fault_record *f, const char *when)
{
    struct base_buf text;
    base_buf_init(&text, 2048);
    bool all_well = telling(f, when, false, 0) == f->evidence_count;
    for (size_t i = telling(f, when, all_well, 0); i < f->evidence_count;
         i = telling(f, when, all_well, i + 1)) {
        const struct fault_evidence *e = &f->evidence[i];
        (void)base_buf_printf(&text, "%s%s%s%s: %s", text.len > 0 ? "; " : "",
                              f->target_count > 1 ? e->target : "", f->target_count > 1 ? " " : "",
                              e->metric, e->value == NULL ? "?" : e->value);
        if (!e->ok && e->expected != NULL)
            (void)base_buf_printf(&text, " (expected: %s)", e->expected);
    }
    char *out = base_buf_steal(&text);
    return out == NULL ? base_str_dup("more than can be shown here") : out;
}

static void fault_row(const struct report *report, size_t i, struct view_table *table)
{
    const struct fault_record *f = &report->faults[i];
    struct fault_rule rule = judge_fault(report, i);
    char *cells[VIEW_COLUMNS_MAX] = {
        base_str_dup(view_status_word(rule.status)),
        base_str_printf("%zu: %s", i + 1, f->name),
        base_str_dup(fault_kind_name(f->kind)),
        join(f->targets, f->target_count),
        view_since_load(report, f->applied_at.ns != 0 ? f->applied_at : f->requested_at),
        view_span(f->applied_at, f->gone_at),
        measured(f, "during"),
        measured(f, "after")};
    view_row_add(table, view_status_tone(rule.status, false), cells);
}

void view_faults(const struct report *report, struct view *view)
{
    static const struct view_column columns[] = {
        {"Verdict", VIEW_WORD},    {"Fault", VIEW_NAME},      {"Kind", VIEW_WORD},
        {"Targets", VIEW_NAME},    {"From", VIEW_NUMBER},     {"In place", VIEW_NUMBER},
        {"Its effect", VIEW_TEXT}, {"Afterwards", VIEW_TEXT}, {NULL, VIEW_WORD}};
    struct view_table *table = view_table_add(
        view, "faults", "Faults",
        "From: seconds since the load began. In place: from applied to shown to be gone.", columns);
    for (size_t i = 0; i < report->fault_count; i++)
        fault_row(report, i, table);
    for (size_t i = 0; i < report->left_count; i++) {
        const struct report_left *left = &report->left[i];
        char *cells[VIEW_COLUMNS_MAX] = {base_str_dup(left->skipped ? "SKIPPED" : "INSUFFICIENT"),
                                         base_str_dup(left->name)};
        cells[6] = base_str_printf("not injected: %s", left->why);
        view_row_add(table, VIEW_WARN, cells);
    }
    for (size_t i = 0; i < report->plan.skipped_count; i++) {
        char *cells[VIEW_COLUMNS_MAX] = {base_str_dup("SKIPPED"),
                                         base_str_dup(report->plan.skipped[i].name)};
        cells[6] = base_str_printf("not injected: %s", report->plan.skipped[i].why);
        view_row_add(table, VIEW_WARN, cells);
    }
}

void view_gates(const struct report *report, struct view *view)
{
    static const struct view_column columns[] = {{"Fault", VIEW_NAME},
                                                 {"When", VIEW_NUMBER},
                                                 {"What happened", VIEW_TEXT},
                                                 {"Details", VIEW_TEXT},
                                                 {NULL, VIEW_WORD}};
    struct view_table *table =
        view_table_add(view, "gates", "What faults waited for",
                       "Conditions, branches and operators. A branch that is not taken is evidence "
                       "of nothing.",
                       columns);
    for (size_t i = 0; i < report->gate_count; i++) {
        const struct report_gate *gate = &report->gates[i];
        char *cells[VIEW_COLUMNS_MAX] = {base_str_dup(gate->fault),
                                         view_since_load(report, gate->at),
                                         base_str_dup(gate->what), base_str_dup(gate->detail)};
        view_row_add(table, VIEW_PLAIN, cells);
    }
}

/* Who came while a fault was in force, and whether it was hit. */
void view_arrivals(const struct report *report, struct view *view)
{
    static const struct view_column columns[] = {
        {"Hit", VIEW_WORD},  {"Fault", VIEW_NAME},  {"Target", VIEW_WORD},
        {"What", VIEW_TEXT}, {"Seen", VIEW_NUMBER}, {"How, or why not", VIEW_TEXT},
        {NULL, VIEW_WORD}};
    struct view_table *table = view_table_add(
        view, "arrivals", "Instances that came during a fault",
        "Those that are not hit were missed: the fault was less than its selection says now.",
        columns);
    for (size_t i = 0; i < report->fault_count; i++) {
        const struct fault_record *f = &report->faults[i];
        for (size_t k = 0; k < f->arrival_count; k++) {
            const struct fault_arrival *a = &f->arrivals[k];
            char *cells[VIEW_COLUMNS_MAX] = {
                base_str_dup(a->joined ? "joined" : "missed"),
                base_str_printf("%zu: %s", i + 1, f->name),
                base_str_dup(a->target),
                base_str_printf("%s%s%s%s", a->what, a->who != NULL ? " (" : "",
                                a->who != NULL ? a->who : "", a->who != NULL ? ")" : ""),
                view_since_load(report, a->seen_at),
                base_str_dup(a->how)};
            view_row_add(table, a->joined ? VIEW_GOOD : VIEW_WARN, cells);
        }
    }
}

void view_fault_times(const struct report *report, struct view *view)
{
    static const struct view_column columns[] = {
        {"Fault", VIEW_NAME},       {"Requested", VIEW_NUMBER}, {"To inject", VIEW_NUMBER},
        {"To verify", VIEW_NUMBER}, {"In place", VIEW_NUMBER},  {"To gone", VIEW_NUMBER},
        {"Gone", VIEW_NUMBER},      {"State", VIEW_WORD},       {"Ended by", VIEW_WORD},
        {NULL, VIEW_WORD}};
    struct view_table *table = view_table_add(
        view, "fault-times", "How fast the faults came and went",
        "To inject: request to applied. To verify: applied to effect measured. In place: applied "
        "to gone. To gone: revert to absence measured.",
        columns);
    for (size_t i = 0; i < report->fault_count; i++) {
        const struct fault_record *f = &report->faults[i];
        char *cells[VIEW_COLUMNS_MAX] = {
            base_str_printf("%zu: %s", i + 1, f->name), view_since_load(report, f->requested_at),
            view_span(f->requested_at, f->applied_at),  view_span(f->applied_at, f->verified_at),
            view_span(f->applied_at, f->gone_at),       view_span(f->reverted_at, f->gone_at),
            view_since_load(report, f->gone_at),        base_str_dup(fault_state_name(f->state)),
            base_str_dup(fault_end_name(f->end))};
        view_row_add(table, VIEW_PLAIN, cells);
    }
}

void view_fault_evidence(const struct report *report, struct view *view)
{
    static const struct view_column columns[] = {
        {"As expected", VIEW_WORD}, {"Fault", VIEW_NAME}, {"When", VIEW_WORD},
        {"Target", VIEW_WORD},      {"What", VIEW_TEXT},  {"Value", VIEW_TEXT},
        {"Expected", VIEW_TEXT},    {"At", VIEW_NUMBER},  {NULL, VIEW_WORD}};
    struct view_table *table =
        view_table_add(view, "fault-evidence", "What was measured of each fault", NULL, columns);
    for (size_t i = 0; i < report->fault_count; i++) {
        const struct fault_record *f = &report->faults[i];
        for (size_t k = 0; k < f->evidence_count; k++) {
            const struct fault_evidence *e = &f->evidence[k];
            char *cells[VIEW_COLUMNS_MAX] = {base_str_dup(e->ok ? "yes" : "no"),
                                             base_str_printf("%zu: %s", i + 1, f->name),
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
