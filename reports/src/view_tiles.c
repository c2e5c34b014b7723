/* SPDX-License-Identifier: Apache-2.0 */
/* The few numbers that sum a run up. */
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "judge_internal.h"
#include "view.h"

static void add(struct view *view, const char *label, char *value, char *detail,
                enum view_tone tone)
{
    view->tiles[view->tile_count++] =
        (struct view_tile){.label = label, .value = value, .detail = detail, .tone = tone};
}

static void requests_tile(const struct report *report, struct view *view)
{
    const struct load_counts *total = &report->load.total;
    if (total->intended == 0)
        return;
    unsigned long long failed = load_counts_failed(total);
    char *share = judge_percent(round((double)failed / (double)total->intended * 1e4) / 1e4);
    add(view, "Requests sent", base_str_printf("%llu", (unsigned long long)total->sent),
        base_str_printf("of %llu due; %llu failed (%s), %llu missed",
                        (unsigned long long)total->intended, failed, share,
                        (unsigned long long)total->missed),
        total->sent < total->intended ? VIEW_WARN : VIEW_PLAIN);
    free(share);
}

static void latency_tile(const struct report *report, struct view *view)
{
    struct hdr hdr = {0};
    if (report_histogram(report, NULL, NULL, "response", &hdr, NULL) && hdr.total > 0) {
        char *half = view_latency(hdr_value_at_quantile(&hdr, 0.5));
        char *max = view_latency(hdr_max(&hdr));
        bool enough = (double)hdr.total >= 1000; /* 10/(1 - 0.99) */
        add(view, enough ? "p99 response time" : "Median response time",
            enough ? view_latency(hdr_value_at_quantile(&hdr, 0.99)) : base_str_dup(half),
            enough ? base_str_printf("median %s, largest %s", half, max)
                   : base_str_printf("largest %s; too few responses for p99", max),
            VIEW_PLAIN);
        free(half);
        free(max);
    }
    hdr_fini(&hdr);
}

static void faults_tile(const struct report *report, struct view *view)
{
    size_t all = report->fault_count;
    size_t good = 0;
    for (size_t i = 0; i < all; i++)
        good += judge_fault(report, i).status == VERDICT_PASS ? 1 : 0;
    if (report->plan.fault_count > all) /* of those that were never requested there is no record */
        all = report->plan.fault_count;
    size_t skipped = report->plan.skipped_count;
    if (all + skipped == 0)
        return;
    char *text = skipped == 0 ? base_str_dup("took effect and are gone")
                              : base_str_printf("took effect and are gone; %zu skipped", skipped);
    add(view, "Faults", base_str_printf("%zu of %zu", good, all + skipped), text,
        good < all && report->course.aborted_by == NULL ? VIEW_BAD
        : good < all + skipped                          ? VIEW_WARN
                                                        : VIEW_GOOD);
}

/* The objective that has spent the largest part of its budget. */
static void budget_tile(const struct report *report, struct view *view)
{
    size_t worst = report->plan.slo_count;
    double most = -1;
    for (size_t i = 0; i < report->plan.slo_count; i++) {
        double spent = report_slo(report, i).budget_spent;
        if (isfinite(spent) && spent > most) {
            worst = i;
            most = spent;
        }
    }
    if (worst == report->plan.slo_count)
        return;
    struct slo_result r = report_slo(report, worst);
    char *sli = judge_percent(r.sli);
    char *objective = judge_percent(report->plan.slos[worst].objective);
    add(view, "Error budget spent", base_str_printf("%.1f%%", most * 100),
        base_str_printf("%s: %s good, target %s", report->plan.slos[worst].name, sli, objective),
        view_status_tone(r.status, false));
    free(sli);
    free(objective);
}

void view_tiles(const struct report *report, struct view *view)
{
    faults_tile(report, view);
    budget_tile(report, view);
    requests_tile(report, view);
    latency_tile(report, view);
}
