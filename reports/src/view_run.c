/* SPDX-License-Identifier: Apache-2.0 */
/* Tables about the run itself. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "view.h"

static char *number(uint64_t n)
{
    return base_str_printf("%llu", (unsigned long long)n);
}

static char *failures(const struct load_counts *counts)
{
    struct base_buf text;
    base_buf_init(&text, 1024);
    (void)base_buf_printf(&text, "%llu", (unsigned long long)load_counts_failed(counts));
    for (int i = 0; i < LOAD_FAIL_COUNT; i++) {
        if (counts->failed[i] > 0)
            (void)base_buf_printf(&text, ", %s %llu", load_failure_name((enum load_failure)i),
                                  (unsigned long long)counts->failed[i]);
    }
    return base_buf_steal(&text);
}

/* A quantile that too few responses support is not shown: it would be read as one. */
static char *quantile(const struct hdr *hdr, double q)
{
    if ((double)hdr->total * (1 - q) < 10 * (1 - 1e-9))
        return base_str_dup("not estimable");
    return view_latency(hdr_value_at_quantile(hdr, q));
}

static void load_row(const struct report *report, const char *phase, const char *route,
                     struct view_table *table)
{
    struct load_counts counts = report_counts(report, phase, route);
    struct hdr hdr = {0};
    bool ok = report_histogram(report, phase, route, "response", &hdr, NULL) && hdr.total > 0;
    char *cells[VIEW_COLUMNS_MAX] = {base_str_dup(phase == NULL ? "whole run" : phase),
                                     base_str_dup(route == NULL ? "all" : route),
                                     number(counts.intended),
                                     number(counts.sent),
                                     number(counts.ok),
                                     failures(&counts),
                                     number(counts.missed),
                                     ok ? quantile(&hdr, 0.5) : NULL,
                                     ok ? quantile(&hdr, 0.99) : NULL,
                                     ok ? quantile(&hdr, 0.999) : NULL,
                                     ok ? view_latency(hdr_max(&hdr)) : NULL};
    hdr_fini(&hdr);
    view_row_add(table, VIEW_PLAIN, cells);
}

static void lateness_row(const struct report *report, struct view_table *table)
{
    struct hdr hdr = {0};
    if (report_histogram(report, NULL, NULL, "schedule", &hdr, NULL) && hdr.total > 0) {
        char *cells[VIEW_COLUMNS_MAX] = {base_str_dup("schedule error"),
                                         base_str_dup("-"),
                                         NULL,
                                         number((uint64_t)hdr.total),
                                         NULL,
                                         NULL,
                                         NULL,
                                         quantile(&hdr, 0.5),
                                         quantile(&hdr, 0.99),
                                         quantile(&hdr, 0.999),
                                         view_latency(hdr_max(&hdr))};
        view_row_add(table, VIEW_PLAIN, cells);
    }
    hdr_fini(&hdr);
}

void view_load(const struct report *report, struct view *view)
{
    static const char *const columns[] = {"Phase",  "Route", "Due", "Sent",  "Succeeded", "Failed",
                                          "Missed", "p50",   "p99", "p99.9", "max",       NULL};
    struct view_table *table = view_table_add(
        view, "load", "Load and latency",
        "Response time, from the moment a request was due (coordinated omission kept). Schedule "
        "error: how late requests were sent.",
        columns);
    if (report->load.total.intended == 0 && report->hist_count == 0)
        return;
    load_row(report, NULL, NULL, table);
    for (size_t i = 0; i < report->plan.phase_count; i++)
        load_row(report, report->plan.phases[i].name, NULL, table);
    for (size_t i = 0; i < report->plan.load.route_count; i++)
        load_row(report, NULL, report->plan.load.routes[i].name, table);
    lateness_row(report, table);
}

void view_timeline(const struct report *report, struct view *view)
{
    static const char *const columns[] = {"Since load start", "Wall clock", "What happened",
                                          "Details", NULL};
    struct view_table *table = view_table_add(view, "timeline", "Timeline", NULL, columns);
    for (size_t i = 0; i < report->event_count; i++) {
        const struct report_event *event = &report->events[i];
        char wall[BASE_WALL_TEXT];
        base_wall_format(event->wall, wall);
        char *cells[VIEW_COLUMNS_MAX] = {view_since_load(report, event->wall), base_str_dup(wall),
                                         base_str_dup(event->type), base_str_dup(event->what)};
        view_row_add(table, VIEW_PLAIN, cells);
    }
}

/* Checks are repeated until they hold: one row for each name, with the last answer. */
void view_probes(const struct report *report, struct view *view)
{
    static const char *const columns[] = {"Last", "Check", "Asked", "Held", "Last answer", NULL};
    struct view_table *table = view_table_add(view, "probes", "Checks", NULL, columns);
    for (size_t i = 0; i < report->probe_count; i++) {
        const struct report_probe *last = &report->probes[i];
        bool again = false;
        size_t asked = 0;
        size_t held = 0;
        for (size_t k = 0; k < report->probe_count; k++) {
            if (strcmp(report->probes[k].name, last->name) != 0)
                continue;
            again = again || k > i;
            asked++;
            held += report->probes[k].ok ? 1 : 0;
        }
        if (again)
            continue;
        char *cells[VIEW_COLUMNS_MAX] = {base_str_dup(last->ok ? "held" : "did not hold"),
                                         base_str_dup(last->name), number(asked), number(held),
                                         base_str_dup(last->detail)};
        view_row_add(table, last->ok ? VIEW_GOOD : VIEW_BAD, cells);
    }
}

void view_evidence(const struct report *report, struct view *view)
{
    static const char *const columns[] = {"State", "File", "Details", NULL};
    struct view_table *table = view_table_add(view, "evidence", "Evidence", NULL, columns);
    for (int i = 0; i < REPORT_FILE_COUNT; i++) {
        const struct report_source *source = &report->sources[i];
        char *cells[VIEW_COLUMNS_MAX] = {base_str_dup(report_state_name(source->state)),
                                         base_str_dup(report_file_name((enum report_file)i)),
                                         base_str_dup(source->detail)};
        enum view_tone tone = source->state == REPORT_WHOLE     ? VIEW_GOOD
                              : source->state == REPORT_DAMAGED ? VIEW_BAD
                                                                : VIEW_WARN;
        view_row_add(table, tone, cells);
    }
}

static char *warnings_of(const struct report *report)
{
    struct base_buf text;
    base_buf_init(&text, 16384);
    for (size_t i = 0; report->slos != NULL && i < report->plan.slo_count; i++) {
        for (size_t k = 0; k < report->slos[i].warning_count; k++)
            (void)base_buf_printf(&text, "%s%s: %s", text.len > 0 ? "; " : "",
                                  report->plan.slos[i].name, report->slos[i].warnings[k]);
    }
    char *out = base_buf_steal(&text);
    return out == NULL ? base_str_dup("more warnings than can be listed") : out;
}

void view_queries(const struct report *report, struct view *view)
{
    static const char *const columns[] = {"Answered", "Id",    "Query", "Series",
                                          "Warnings", "Error", NULL};
    struct view_table *table =
        view_table_add(view, "queries", "Questions to Prometheus", NULL, columns);
    size_t warned = 0;
    for (size_t i = 0; i < report->query_count; i++) {
        const struct report_query *q = &report->queries[i];
        char *cells[VIEW_COLUMNS_MAX] = {base_str_dup(q->ok ? "yes" : "no"),
                                         base_str_dup(q->id),
                                         base_str_dup(q->text),
                                         number(q->series_count),
                                         number(q->warning_count),
                                         base_str_dup(q->error)};
        warned += q->warning_count;
        view_row_add(table,
                     !q->ok                 ? VIEW_BAD
                     : q->warning_count > 0 ? VIEW_WARN
                                            : VIEW_GOOD,
                     cells);
    }
    if (warned == 0)
        return;
    char *cells[VIEW_COLUMNS_MAX] = {base_str_dup("warned"), NULL, NULL, NULL, number(warned),
                                     warnings_of(report)};
    view_row_add(table, VIEW_WARN, cells);
}
