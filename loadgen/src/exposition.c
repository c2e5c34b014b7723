/* SPDX-License-Identifier: Apache-2.0 */
/* Format: prometheus.io/docs/instrumenting/exposition_formats, "Text-based format". */
#include "exposition.h"

#include <inttypes.h>

/* Upper bounds in seconds as they are written, for `le` is compared as text by those who join on
 * it, and in ns. A value counts below a bound by where its histogram bucket begins: 0.1 % at most
 * from the truth. */
static const struct {
    const char *le;
    int64_t ns;
} bounds[] = {
    {"0.0001", 100000},  {"0.00025", 250000}, {"0.0005", 500000},  {"0.001", 1000000},
    {"0.0025", 2500000}, {"0.005", 5000000},  {"0.01", 10000000},  {"0.025", 25000000},
    {"0.05", 50000000},  {"0.1", 100000000},  {"0.25", 250000000}, {"0.5", 500000000},
    {"1", 1000000000},   {"2.5", 2500000000}, {"5", 5000000000},   {"10", 10000000000},
    {"30", 30000000000}, {"60", 60000000000},
};
enum { BOUNDS = sizeof bounds / sizeof *bounds };

static const struct {
    const char *name;
    const char *help;
    size_t offset; /* of a uint64_t in struct load_counts */
} counters[] = {
    {"squall_load_intended_total", "Requests that were due by the schedule.",
     offsetof(struct load_counts, intended)},
    {"squall_load_missed_total", "Requests that were due, but never sent.",
     offsetof(struct load_counts, missed)},
    {"squall_load_sent_total", "Requests that were sent.", offsetof(struct load_counts, sent)},
    {"squall_load_received_bytes_total", "Bytes of responses.",
     offsetof(struct load_counts, bytes_in)},
    {"squall_load_sent_bytes_total", "Bytes of requests.", offsetof(struct load_counts, bytes_out)},
};

/* What other workers send has been seen by nobody (load_tag_word). */
static void put_label(struct base_buf *out, const char *name, const char *value)
{
    base_buf_printf(out, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            base_buf_char(out, '\\');
        base_buf_char(out, *value == '\n' ? 'n' : *value);
    }
    base_buf_char(out, '"');
}

static void put_head(struct base_buf *out, const char *name, const char *type, const char *help)
{
    base_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Route "-" is where what belongs to no route lies; it is no label. */
static void put_labels(struct base_buf *out, const struct load_exposed *e, uint32_t phase,
                       uint32_t route)
{
    put_label(out, "phase", e->phases[phase]);
    if (route < e->cells->routes) {
        base_buf_char(out, ',');
        put_label(out, "route", e->routes[route]);
    }
}

struct cell_at {
    const struct load_cell *cell;
    uint32_t phase;
    uint32_t route;
};

/* The next cell that is there, of routes or of "-"; false: there is none. */
static bool next_cell(const struct load_exposed *e, bool of_routes, struct cell_at *at)
{
    uint32_t first = of_routes ? 0 : e->cells->routes;
    uint32_t last = of_routes ? e->cells->routes : e->cells->routes + 1;
    if (at->cell != NULL)
        at->route++;
    else
        *at = (struct cell_at){.route = first};
    for (; at->phase < e->cells->phases; at->phase++, at->route = first) {
        for (; at->route < last; at->route++) {
            at->cell = load_shard_peek(e->cells, at->phase, at->route);
            if (at->cell != NULL)
                return true;
        }
    }
    return false;
}

static void put_counters(struct base_buf *out, const struct load_exposed *e)
{
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        put_head(out, counters[i].name, "counter", counters[i].help);
        for (struct cell_at at = {.cell = NULL}; next_cell(e, true, &at);) {
            base_buf_printf(out, "%s{", counters[i].name);
            put_labels(out, e, at.phase, at.route);
            base_buf_printf(
                out, "} %" PRIu64 "\n",
                *(const uint64_t *)((const char *)&at.cell->counts + counters[i].offset));
        }
    }
}

static void put_outcome(struct base_buf *out, const struct load_exposed *e,
                        const struct cell_at *at, const char *outcome, uint64_t count)
{
    base_buf_str(out, "squall_load_requests_total{");
    put_labels(out, e, at->phase, at->route);
    base_buf_printf(out, ",outcome=\"%s\"} %" PRIu64 "\n", outcome, count);
}

/* Also those that are zero: a rate needs the sample before the first failure. */
static void put_outcomes(struct base_buf *out, const struct load_exposed *e)
{
    put_head(out, "squall_load_requests_total", "counter", "Requests that ended, by outcome.");
    for (struct cell_at at = {.cell = NULL}; next_cell(e, true, &at);) {
        put_outcome(out, e, &at, "ok", at.cell->counts.ok);
        for (int i = 0; i < LOAD_FAIL_COUNT; i++)
            put_outcome(out, e, &at, load_failure_name((enum load_failure)i),
                        at.cell->counts.failed[i]);
    }
}

static void put_histogram(struct base_buf *out, const struct load_exposed *e, const char *name,
                          const struct cell_at *at, const struct hdr *hdr)
{
    struct hdr_iter iter;
    hdr_iter_init(&iter, hdr);
    bool more = hdr_iter_next(&iter);
    int64_t below = 0;
    for (size_t i = 0; i < BOUNDS; i++) {
        while (more && hdr_lowest_equivalent(hdr, iter.value) <= bounds[i].ns) {
            below = iter.cumulative;
            more = hdr_iter_next(&iter);
        }
        base_buf_printf(out, "%s_bucket{", name);
        put_labels(out, e, at->phase, at->route);
        base_buf_printf(out, ",le=\"%s\"} %" PRId64 "\n", bounds[i].le, below);
    }
    base_buf_printf(out, "%s_bucket{", name);
    put_labels(out, e, at->phase, at->route);
    base_buf_printf(out, ",le=\"+Inf\"} %" PRId64 "\n%s_sum{", hdr->total, name);
    put_labels(out, e, at->phase, at->route);
    base_buf_printf(out, "} %.9g\n%s_count{",
                    hdr_mean(hdr) * (double)hdr->total / (double)BASE_NS_PER_S, name);
    put_labels(out, e, at->phase, at->route);
    base_buf_printf(out, "} %" PRId64 "\n", hdr->total);
}

static void put_histograms(struct base_buf *out, const struct load_exposed *e, const char *name,
                           const char *help, enum load_kind kind)
{
    put_head(out, name, "histogram", help);
    for (struct cell_at at = {.cell = NULL}; next_cell(e, kind != LOAD_KIND_SCHEDULE, &at);)
        if (at.cell->histograms[kind].counts != NULL)
            put_histogram(out, e, name, &at, &at.cell->histograms[kind]);
}

static void put_workers(struct base_buf *out, const struct load_exposed *e)
{
    if (e->worker_count == 0)
        return;
    put_head(out, "squall_load_worker_up", "gauge", "Whether the worker takes part.");
    for (uint32_t i = 0; i < e->worker_count; i++)
        base_buf_printf(out, "squall_load_worker_up{worker=\"%u\"} %d\n", (unsigned)i,
                        e->workers[i].up ? 1 : 0);
    put_head(out, "squall_load_worker_silent_seconds", "gauge",
             "Time since a worker that takes part said something.");
    for (uint32_t i = 0; i < e->worker_count; i++)
        if (e->workers[i].up)
            base_buf_printf(out, "squall_load_worker_silent_seconds{worker=\"%u\"} %.9g\n",
                            (unsigned)i, base_dur_to_s(e->workers[i].silent));
}

bool load_exposition_write(const struct load_exposed *e, struct base_buf *out)
{
    const struct load_counts *total = e->total;
    put_counters(out, e);
    put_outcomes(out, e);
    put_head(out, "squall_load_in_flight", "gauge", "Requests without a response yet.");
    base_buf_printf(out, "squall_load_in_flight %" PRIu64 "\n",
                    total->sent - total->ok - load_counts_failed(total));
    put_histograms(out, e, "squall_load_response_seconds",
                   "Response times of successful requests, from when they were due.",
                   LOAD_KIND_RESPONSE);
    put_histograms(out, e, "squall_load_service_seconds",
                   "Response times of successful requests, from when they were sent.",
                   LOAD_KIND_SERVICE);
    put_histograms(out, e, "squall_load_failed_seconds",
                   "Times of failed requests, from when they were due.", LOAD_KIND_FAILED);
    put_histograms(out, e, "squall_load_schedule_error_seconds",
                   "How late requests were sent by the generator.", LOAD_KIND_SCHEDULE);
    put_workers(out, e);
    return !out->failed;
}
