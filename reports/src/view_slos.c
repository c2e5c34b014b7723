/* SPDX-License-Identifier: Apache-2.0 */
/* Service levels, budgets, and the two counts beside each other. */
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "judge_internal.h"
#include "view.h"

static void slo_row(const struct report *report, size_t i, struct view_table *table)
{
    const struct plan_slo *slo = &report->plan.slos[i];
    struct slo_result r = report_slo(report, i);
    char *share = judge_percent(r.coverage.share);
    char *cells[VIEW_COLUMNS_MAX] = {
        base_str_dup(view_status_word(r.status)),
        base_str_dup(slo->name),
        judge_percent(slo->objective),
        judge_percent(r.sli),
        base_str_printf("%.15g of %.15g", r.bad, r.total),
        judge_percent(r.budget_spent),
        base_str_printf("%.6g of %.6g", r.allowed - r.bad, r.allowed),
        base_str_printf("%s (%zu of %zu)", share, r.coverage.present, r.coverage.expected),
        base_str_printf("%.6g", ceil(r.min_events - 1e-6)),
        report->plan.fault_count > 0 ? judge_percent(slo->predicted_bad / (1 - slo->objective))
                                     : NULL};
    view_row_add(table, view_status_tone(r.status, false), cells);
    free(share);
}

void view_slos(const struct report *report, struct view *view)
{
    static const struct view_column columns[] = {{"Verdict", VIEW_WORD},
                                                 {"SLO", VIEW_NAME},
                                                 {"Target", VIEW_NUMBER},
                                                 {"Measured", VIEW_NUMBER},
                                                 {"Bad events", VIEW_NUMBER},
                                                 {"Budget spent", VIEW_NUMBER},
                                                 {"Budget left", VIEW_NUMBER},
                                                 {"Coverage", VIEW_NUMBER},
                                                 {"Least events", VIEW_NUMBER},
                                                 {"Predicted spend", VIEW_NUMBER},
                                                 {NULL, VIEW_WORD}};
    struct view_table *table = view_table_add(
        view, "slos", "Service levels and error budget",
        "From Prometheus' raw samples: counter resets and new series counted, nothing "
        "extrapolated. Budget: bad events that the target allows in this traffic. Coverage: "
        "successful scrapes of expected ones. Least events: fewer prove nothing about this target. "
        "Predicted spend: of the budget, by all planned faults together, at most.",
        columns);
    for (size_t i = 0; i < report->plan.slo_count; i++)
        slo_row(report, i, table);
}

void view_reconcile(const struct report *report, struct view *view)
{
    static const struct view_column columns[] = {{"Counter", VIEW_NAME},
                                                 {"Of the generator", VIEW_NUMBER},
                                                 {"Of Prometheus", VIEW_NUMBER},
                                                 {"Difference", VIEW_NUMBER},
                                                 {"Failed with 5xx", VIEW_NUMBER},
                                                 {"Failed at all", VIEW_NUMBER},
                                                 {"Bad in Prometheus", VIEW_NUMBER},
                                                 {NULL, VIEW_WORD}};
    struct view_table *table = view_table_add(
        view, "reconcile", "The generator's counts beside Prometheus'",
        "Requests sent; for a latency SLO those answered without error. A killed process loses "
        "what it counted after its last scrape; a request that found no connection was never seen "
        "by the platform. Other services than the one under load see their share of the requests.",
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
