/* SPDX-License-Identifier: Apache-2.0 */
/* Tables about the run itself. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "view.h"

static char *number(uint64_t n)
{
    return base_str_printf("%llu", (unsigned long long)n);
}

/* "http_5xx 46, timeout 2, 12 steps not reached" */
static char *failures(const struct load_counts *counts)
{
    struct base_buf text;
    base_buf_init(&text, 1024);
    for (int i = 0; i < LOAD_FAIL_COUNT; i++) {
        if (counts->failed[i] > 0)
            (void)base_buf_printf(&text, "%s%s %llu", text.len > 0 ? ", " : "",
                                  load_failure_name((enum load_failure)i),
                                  (unsigned long long)counts->failed[i]);
    }
    if (counts->skipped > 0)
        (void)base_buf_printf(&text, "%s%llu steps not reached", text.len > 0 ? ", " : "",
                              (unsigned long long)counts->skipped);
    char *out = base_buf_steal(&text);
    return out == NULL ? base_str_dup("") : out;
}

/* A quantile that too few responses support is not shown: it would be read as one. */
static char *quantile(const struct hdr *hdr, double q)
{
    if ((double)hdr->total * (1 - q) < 10 * (1 - 1e-9))
        return base_str_dup("-");
    return view_latency(hdr_value_at_quantile(hdr, q));
}

/* The four cells of a histogram, from cells[at] on. */
static void latency_cells(const struct report *report, const char *phase, const char *route,
                          const char *kind, char **cells)
{
    struct hdr hdr = {0};
    if (report_histogram(report, phase, route, kind, &hdr, NULL) && hdr.total > 0) {
        cells[0] = quantile(&hdr, 0.5);
        cells[1] = quantile(&hdr, 0.99);
        cells[2] = quantile(&hdr, 0.999);
        cells[3] = view_latency(hdr_max(&hdr));
    }
    hdr_fini(&hdr);
}

static char *load_name(const char *phase, const char *route)
{
    if (phase == NULL && route == NULL)
        return base_str_dup("whole run");
    return phase != NULL ? base_str_printf("phase %s", phase) : base_str_printf("route %s", route);
}

static void load_row(const struct report *report, const char *phase, const char *route,
                     struct view_table *table)
{
    char *cells[VIEW_COLUMNS_MAX] = {load_name(phase, route)};
    /* Without load.json the timeline knows the sums alone. */
    if (report->have_load || (phase == NULL && route == NULL)) {
        struct load_counts counts = report_counts(report, phase, route);
        cells[1] = number(counts.intended);
        cells[2] = number(counts.sent);
        cells[3] = number(counts.ok);
        cells[4] = number(load_counts_failed(&counts));
        cells[5] = number(counts.missed);
        cells[10] = failures(&counts);
    }
    latency_cells(report, phase, route, "response", &cells[6]);
    view_row_add(table, VIEW_PLAIN, cells);
}

/* The other times there are. */
static void kind_row(const struct report *report, const char *label, const char *kind,
                     struct view_table *table)
{
    char *cells[VIEW_COLUMNS_MAX] = {NULL};
    latency_cells(report, NULL, NULL, kind, &cells[6]);
    if (cells[9] == NULL)
        return;
    cells[0] = base_str_dup(label);
    view_row_add(table, VIEW_PLAIN, cells);
}

static void view_notes(const struct report *report, struct view *view)
{
    static const struct view_column columns[] = {{"Note", VIEW_TEXT}, {NULL, VIEW_WORD}};
    if (!report->have_load || report->load.note_count == 0)
        return;
    struct view_table *table = view_table_add(view, "load-notes", "Notes on the load",
                                              "What weakens the evidence, what failed and what to "
                                              "do about it.",
                                              columns);
    for (size_t i = 0; i < report->load.note_count; i++) {
        char *cells[VIEW_COLUMNS_MAX] = {base_str_dup(report->load.notes[i])};
        view_row_add(table, VIEW_PLAIN, cells);
    }
}

void view_load(const struct report *report, struct view *view)
{
    static const struct view_column columns[] = {
        {"Requests", VIEW_NAME},    {"Due", VIEW_NUMBER},    {"Sent", VIEW_NUMBER},
        {"Succeeded", VIEW_NUMBER}, {"Failed", VIEW_NUMBER}, {"Missed", VIEW_NUMBER},
        {"p50", VIEW_NUMBER},       {"p99", VIEW_NUMBER},    {"p99.9", VIEW_NUMBER},
        {"max", VIEW_NUMBER},       {"Failures", VIEW_NAME}, {NULL, VIEW_WORD}};
    struct view_table *table = view_table_add(
        view, "load", "Load and latency",
        "Response time, from the moment a request was due: waiting for a slow platform counts. "
        "First byte: from the actual send. Schedule error: how late requests were sent. \"-\": not "
        "to be estimated from fewer than 10/(1 - p) responses.",
        columns);
    if (report->load.total.intended == 0 && report->hist_count == 0)
        return;
    load_row(report, NULL, NULL, table);
    for (size_t i = 0; i < report->phase_count; i++)
        if (report_phase_is_new(report, i))
            load_row(report, report->phases[i].name, NULL, table);
    for (uint32_t i = 0; i < load_spec_routes(&report->plan.load); i++) {
        BASE_AUTO_FREE char *route = load_spec_route_name(&report->plan.load, i);
        load_row(report, NULL, route, table);
    }
    kind_row(report, "first byte", "first-byte", table);
    kind_row(report, "connecting", "connect", table);
    kind_row(report, "TLS handshake", "tls", table);
    kind_row(report, "schedule error", "schedule", table);
    view_notes(report, view);
}

static bool says_the_same(const struct report_event *a, const struct report_event *b)
{
    return base_str_eq(a->type, b->type) && base_str_eq(a->what, b->what);
}

/* One row for count events in a row that say the same. */
static void event_row(const struct report *report, size_t first, size_t count,
                      struct view_table *table)
{
    const struct report_event *event = &report->events[first];
    char wall[BASE_WALL_TEXT];
    base_wall_format(event->wall, wall);
    char *cells[VIEW_COLUMNS_MAX] = {view_since_load(report, event->wall), base_str_dup(wall),
                                     base_str_dup(event->type), base_str_dup(event->what)};
    if (count > 1) {
        char *span = view_span(event->wall, report->events[first + count - 1].wall);
        free(cells[3]);
        cells[3] = base_str_printf("%s%s(%zu times in %s)", event->what,
                                   event->what[0] == '\0' ? "" : " ", count, span);
        free(span);
    }
    view_row_add(table, VIEW_PLAIN, cells);
}

void view_timeline(const struct report *report, struct view *view)
{
    static const struct view_column columns[] = {{"Since load start", VIEW_NUMBER},
                                                 {"Wall clock", VIEW_WORD},
                                                 {"What happened", VIEW_WORD},
                                                 {"Details", VIEW_TEXT},
                                                 {NULL, VIEW_WORD}};
    struct view_table *table = view_table_add(view, "timeline", "Timeline", NULL, columns);
    for (size_t i = 0; i < report->event_count;) {
        size_t same = 1; /* a check that fails says the same four times a second */
        while (i + same < report->event_count &&
               says_the_same(&report->events[i], &report->events[i + same]))
            same++;
        event_row(report, i, same, table);
        i += same;
    }
}

/* Whether a name that comes in an earlier entry, too, was shown: there are few names. */
static bool was_shown(const struct view_table *table, const char *name)
{
    enum { NAME_COLUMN = 1 };
    for (size_t i = 0; i < table->row_count; i++)
        if (base_str_eq(table->rows[i].cells[NAME_COLUMN], name))
            return true;
    return false;
}

/* One row for each name, with the last answer. */
void view_probes(const struct report *report, struct view *view)
{
    static const struct view_column columns[] = {{"Last", VIEW_WORD},        {"Check", VIEW_NAME},
                                                 {"Asked", VIEW_NUMBER},     {"Held", VIEW_NUMBER},
                                                 {"Last answer", VIEW_TEXT}, {NULL, VIEW_WORD}};
    struct view_table *table = view_table_add(view, "probes", "Checks", NULL, columns);
    for (size_t i = 0; i < report->probe_count; i++) {
        const char *name = report->probes[i].name;
        if (was_shown(table, name))
            continue;
        struct report_answers answers = report_answers(report, name);
        const struct report_probe *last = answers.last;
        char *cells[VIEW_COLUMNS_MAX] = {base_str_dup(last->ok ? "held" : "did not hold"),
                                         base_str_dup(name), number(answers.asked),
                                         number(answers.held), base_str_dup(last->detail)};
        view_row_add(table, last->ok ? VIEW_GOOD : VIEW_BAD, cells);
    }
}

void view_evidence(const struct report *report, struct view *view)
{
    static const struct view_column columns[] = {
        {"State", VIEW_WORD}, {"File", VIEW_WORD}, {"Details", VIEW_TEXT}, {NULL, VIEW_WORD}};
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
    static const struct view_column columns[] = {{"Answered", VIEW_WORD},   {"Id", VIEW_NAME},
                                                 {"Query", VIEW_TEXT},      {"Series", VIEW_NUMBER},
                                                 {"Warnings", VIEW_NUMBER}, {"Error", VIEW_TEXT},
                                                 {NULL, VIEW_WORD}};
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
