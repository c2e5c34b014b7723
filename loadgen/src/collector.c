/* SPDX-License-Identifier: Apache-2.0 */
#include "collector.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "lateness.h"
#include "model/hlog.h"

/* A histogram line is some 10 KiB at most in practice; phases and routes multiply it. */
static const size_t text_max = (size_t)256 * 1024 * 1024;
static const size_t tag_word_max = 100;

bool load_tag_word(const char *word)
{
    size_t len = word == NULL ? 0 : strlen(word);
    if (len == 0 || len > tag_word_max)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)word[i] <= ' ' || word[i] == 0x7f || strchr("/,\"", word[i]) != NULL)
            return false;
    return true;
}

static bool init_histograms(struct load_collector *c, struct base_error *err)
{
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++)
        if (!hdr_init_latency(&c->totals[kind], err))
            return false;
    for (int cause = 0; cause < LOAD_DELAY_COUNT; cause++)
        if (!hdr_init_latency(&c->late[cause], err))
            return false;
    return hdr_init_latency(&c->scratch, err);
}

bool load_collector_init(struct load_collector *c, const struct load_spec *spec, int hlog_fd,
                         uint32_t workers, struct base_error *err)
{
    uint32_t routes = load_spec_routes(spec);
    uint32_t first;
    *c = (struct load_collector){
        .spec = spec, .hlog_fd = hlog_fd, .workers = workers, .owed = INT64_MAX};
    c->routes = base_calloc(routes, sizeof *c->routes);
    for (uint32_t i = 0; i < routes; i++)
        c->routes[i] = load_spec_route_name(spec, i);
    c->busy = base_calloc(workers, sizeof *c->busy);
    if (init_histograms(c, err) && load_shard_init(&c->interval, routes, err) &&
        load_shard_init(&c->counts, routes, err) && load_intended_init(&c->intended, err) &&
        load_collector_phase(c, spec->first_phase, &first, err))
        return true;
    load_collector_fini(c);
    return false;
}

void load_collector_fini(struct load_collector *c)
{
    for (uint32_t i = 0; i < c->phase_count; i++)
        free(c->phases[i]);
    free(c->phases);
    for (uint32_t i = 0; c->routes != NULL && i < load_spec_routes(c->spec); i++)
        free(c->routes[i]);
    free(c->routes);
    free(c->busy);
    load_shard_fini(&c->interval);
    load_shard_fini(&c->counts);
    load_intended_fini(&c->intended);
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++)
        hdr_fini(&c->totals[kind]);
    for (int cause = 0; cause < LOAD_DELAY_COUNT; cause++)
        hdr_fini(&c->late[cause]);
    hdr_fini(&c->scratch);
    load_result_fini(&c->result);
    *c = (struct load_collector){0};
}

bool load_collector_phase(struct load_collector *c, const char *name, uint32_t *phase,
                          struct base_error *err)
{
    for (uint32_t i = 0; i < c->phase_count; i++) {
        if (base_str_eq(c->phases[i], name)) {
            *phase = i;
            return true;
        }
    }
    if (!load_tag_word(name))
        return base_fail(err, BASE_INVALID,
                         "phase \"%s\": a name has 1 to 100 letters without '/', ',', quotes and "
                         "white space",
                         name == NULL ? "" : name);
    c->phases = base_reallocarray(c->phases, c->phase_count + 1, sizeof *c->phases);
    c->phases[c->phase_count] = base_str_dup(name);
    *phase = c->phase_count++;
    return true;
}

static bool flush(struct load_collector *c, const struct base_buf *text, struct base_error *err)
{
    if (text->failed)
        return base_fail(err, BASE_LIMIT, "histogram log: no memory for an interval's lines");
    if (c->hlog_fd >= 0 && !base_fd_write_all(c->hlog_fd, text->data, text->len, err))
        return base_fail_context(err, "histogram log");
    return true;
}

bool load_collector_begin(struct load_collector *c, struct mono_ns mono, struct wall_ns wall,
                          struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, text_max);
    c->result.start = wall;
    c->result.start_mono = mono;
    c->begun = mono;
    (void)hlog_write_header(&text, wall);
    return flush(c, &text, err);
}

/* The interval of the grid. */
static uint64_t number_at(const struct load_collector *c, int64_t mono)
{
    int64_t since = mono - c->result.start_mono.ns;
    return since > 0 ? (uint64_t)(since / c->spec->interval.ns) : 0;
}

static void sort_by_intended(struct load_collector *c, const struct load_shard *shard)
{
    for (uint32_t phase = 0; phase < shard->phases; phase++) {
        for (uint32_t route = 0; route < shard->routes; route++) {
            const struct load_cell *cell = load_shard_peek(shard, phase, route);
            if (cell != NULL)
                load_intended_add_all(&c->intended, number_at(c, shard->home), phase, route,
                                      &cell->histograms[LOAD_KIND_RESPONSE]);
        }
    }
    for (size_t i = 0; i < shard->stray_count; i++) {
        const struct load_stray *stray = &shard->strays[i];
        load_intended_add(&c->intended, number_at(c, stray->intended), stray->phase, stray->route,
                          stray->ns, 1);
    }
    c->owed = shard->owed < c->owed ? shard->owed : c->owed;
}

bool load_collector_take(struct load_collector *c, uint32_t worker, struct load_shard *shard,
                         struct base_error *err)
{
    if (shard->time.span.ns > 0)
        load_busy_add(&c->busy[worker], &shard->time);
    sort_by_intended(c, shard);
    if (!load_shard_add(&c->interval, shard, err))
        return false;
    load_shard_reset(shard);
    return true;
}

static struct wall_ns wall_at(const struct load_collector *c, struct mono_ns mono)
{
    return base_wall_add(c->result.start, base_mono_sub(mono, c->result.start_mono));
}

/* By phase and route, over the run: only for those who ask, for it is a histogram for each. */
static bool keep_histogram(struct load_collector *c, uint32_t phase, uint32_t route,
                           enum load_kind kind, const struct hdr *hdr, struct base_error *err)
{
    if (!c->keep)
        return true;
    struct load_cell *cell = load_shard_cell(&c->counts, phase, route);
    if (cell->histograms[kind].counts == NULL)
        load_cell_prepare(cell, kind);
    return hdr_add(&cell->histograms[kind], hdr, err);
}

/* Response times of an interval are those of what ended in it. */
static const char *name_by_end(enum load_kind kind)
{
    return kind == LOAD_KIND_RESPONSE ? LOAD_ENDED : load_kind_name(kind);
}

/* One line for each histogram of the cell that has samples. */
static bool write_cell(struct load_collector *c, struct base_buf *text, uint32_t phase,
                       uint32_t route, struct dur_ns length, struct base_error *err)
{
    const struct load_cell *cell = load_shard_peek(&c->interval, phase, route);
    const char *name = route < c->interval.routes ? c->routes[route] : "-";
    for (int kind = 0; cell != NULL && kind < LOAD_KIND_COUNT; kind++) {
        const struct hdr *hdr = &cell->histograms[kind];
        if (hdr->total == 0)
            continue;
        const char *kind_name = name_by_end((enum load_kind)kind);
        BASE_AUTO_FREE char *tag = base_str_printf("%s/%s/%s", c->phases[phase], name, kind_name);
        if (c->events != NULL && c->events->on_histogram != NULL)
            c->events->on_histogram(c->events->ctx, c->phases[phase], name, kind_name, hdr);
        if (!hlog_write_entry(text, tag, wall_at(c, c->begun), length, hdr, err) ||
            !hdr_add(&c->totals[kind], hdr, err) ||
            !keep_histogram(c, phase, route, (enum load_kind)kind, hdr, err))
            return false;
    }
    return true;
}

struct writing {
    const struct load_collector *collector;
    struct base_buf *text;
};

static bool write_line(void *ctx, const struct load_intended_line *line, struct base_error *err)
{
    const struct writing *writing = ctx;
    const struct load_collector *c = writing->collector;
    struct dur_ns length = c->spec->interval;
    struct dur_ns since = {(int64_t)line->number * length.ns};
    BASE_AUTO_FREE char *tag =
        base_str_printf("%s/%s/%s", c->phases[line->phase], c->routes[line->route], LOAD_RESPONSE);
    return hlog_write_entry(writing->text, tag, base_wall_add(c->result.start, since), length,
                            line->hdr, err);
}

static bool write_intended(struct load_collector *c, struct base_buf *text, uint64_t end,
                           struct base_error *err)
{
    struct writing writing = {.collector = c, .text = text};
    return load_intended_close(&c->intended, end, write_line, &writing, err);
}

bool load_collector_settle(struct load_collector *c, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, text_max);
    return write_intended(c, &text, UINT64_MAX, err) && flush(c, &text, err);
}

static bool write_interval(struct load_collector *c, struct dur_ns length, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, text_max);
    for (uint32_t phase = 0; phase < c->interval.phases; phase++)
        for (uint32_t route = 0; route <= c->interval.routes; route++)
            if (!write_cell(c, &text, phase, route, length, err))
                return false;
    return write_intended(c, &text, number_at(c, c->owed), err) && flush(c, &text, err);
}

/* All cells of the interval in one histogram, in c->scratch. */
static bool merge_kind(struct load_collector *c, enum load_kind kind, struct base_error *err)
{
    hdr_reset(&c->scratch);
    for (uint32_t phase = 0; phase < c->interval.phases; phase++) {
        for (uint32_t route = 0; route <= c->interval.routes; route++) {
            const struct load_cell *cell = load_shard_peek(&c->interval, phase, route);
            if (cell != NULL && cell->histograms[kind].total > 0 &&
                !hdr_add(&c->scratch, &cell->histograms[kind], err))
                return false;
        }
    }
    return true;
}

static struct dur_ns at_quantile(const struct hdr *hdr, double quantile)
{
    return (struct dur_ns){hdr_value_at_quantile(hdr, quantile)};
}

static bool has_counts(const struct load_counts *counts)
{
    static const struct load_counts none;
    return memcmp(counts, &none, sizeof none) != 0;
}

static void add_part(struct load_collector *c, struct load_interval *interval, uint32_t phase,
                     uint32_t route, const struct load_counts *counts)
{
    interval->parts =
        base_reallocarray(interval->parts, interval->part_count + 1, sizeof *interval->parts);
    interval->parts[interval->part_count++] =
        (struct load_part){.phase = base_str_dup(c->phases[phase]),
                           .route = base_str_dup(c->routes[route]),
                           .counts = *counts};
}

static void add_counts(struct load_collector *c, struct load_interval *interval)
{
    for (uint32_t phase = 0; phase < c->interval.phases; phase++) {
        for (uint32_t route = 0; route < c->interval.routes; route++) {
            const struct load_cell *cell = load_shard_peek(&c->interval, phase, route);
            if (cell == NULL)
                continue;
            load_counts_add(&interval->counts, &cell->counts);
            if (has_counts(&cell->counts))
                add_part(c, interval, phase, route, &cell->counts);
            load_counts_add(&load_shard_cell(&c->counts, phase, route)->counts, &cell->counts);
        }
    }
}

static bool add_histograms(struct load_collector *c, struct load_interval *interval,
                           struct base_error *err)
{
    if (!merge_kind(c, LOAD_KIND_RESPONSE, err))
        return false;
    interval->p50 = at_quantile(&c->scratch, 0.5);
    interval->p99 = at_quantile(&c->scratch, 0.99);
    interval->max = (struct dur_ns){hdr_max(&c->scratch)};
    if (!merge_kind(c, LOAD_KIND_SCHEDULE, err))
        return false;
    interval->late_p99 = at_quantile(&c->scratch, 0.99);
    for (int cause = 0; cause < LOAD_DELAY_COUNT; cause++)
        if (c->interval.late[cause].total > 0 &&
            !hdr_add(&c->late[cause], &c->interval.late[cause], err))
            return false;
    return true;
}

static struct load_interval *append(struct load_collector *c, const struct load_interval *interval)
{
    struct load_result *result = &c->result;
    if (result->interval_count == c->interval_cap) {
        c->interval_cap = c->interval_cap == 0 ? 64 : c->interval_cap * 2;
        result->intervals =
            base_reallocarray(result->intervals, c->interval_cap, sizeof *result->intervals);
    }
    result->intervals[result->interval_count] = *interval;
    return &result->intervals[result->interval_count++];
}

static void absorb(struct load_collector *c)
{
    c->missed_busy += c->interval.missed_busy;
    c->out_of_ports += c->interval.out_of_ports;
    if (c->interval.last_end > c->last_end)
        c->last_end = c->interval.last_end;
    c->owed = INT64_MAX;
    load_shard_reset(&c->interval);
}

const struct load_interval *load_collector_close(struct load_collector *c, struct mono_ns end,
                                                 uint32_t phase, struct base_error *err)
{
    struct dur_ns length = base_mono_sub(end, c->begun);
    if (length.ns < 1)
        length.ns = 1;
    struct load_interval interval = {
        .start = wall_at(c, c->begun), .start_mono = c->begun, .length = length};
    if (!write_interval(c, length, err) || !add_histograms(c, &interval, err))
        return NULL;
    add_counts(c, &interval);
    load_counts_add(&c->result.total, &interval.counts);
    const struct load_counts *total = &c->result.total;
    interval.in_flight = total->sent - total->ok - load_counts_failed(total);
    interval.phase = base_str_dup(c->phases[phase]);
    absorb(c);
    c->begun = end;
    return append(c, &interval);
}

struct dur_ns load_collector_left(struct dur_ns since, struct dur_ns length)
{
    int64_t left = since.ns < 0 ? length.ns - since.ns : length.ns - since.ns % length.ns;
    return (struct dur_ns){left < length.ns / 10 ? left + length.ns : left};
}

static void list_parts(struct load_collector *c)
{
    struct load_result *result = &c->result;
    size_t most = (size_t)c->counts.phases * c->counts.routes;
    result->parts = base_calloc(most > 0 ? most : 1, sizeof *result->parts);
    for (uint32_t phase = 0; phase < c->counts.phases; phase++) {
        for (uint32_t route = 0; route < c->counts.routes; route++) {
            const struct load_cell *cell = load_shard_peek(&c->counts, phase, route);
            if (cell == NULL)
                continue;
            result->parts[result->part_count++] =
                (struct load_part){.phase = base_str_dup(c->phases[phase]),
                                   .route = base_str_dup(c->routes[route]),
                                   .counts = cell->counts};
        }
    }
}

static void list_threads(struct load_collector *c)
{
    struct load_result *result = &c->result;
    result->threads = base_calloc(c->workers, sizeof *result->threads);
    result->thread_count = c->workers;
    for (uint32_t i = 0; i < c->workers; i++)
        result->threads[i] = c->busy[i].time;
}

/* Timer and loop together are the generator's own doing. Same shapes: adding cannot fail. */
static void judge_limits(struct load_collector *c)
{
    struct load_result *result = &c->result;
    hdr_reset(&c->scratch);
    (void)hdr_add(&c->scratch, &c->late[LOAD_DELAY_TIMER], NULL);
    (void)hdr_add(&c->scratch, &c->late[LOAD_DELAY_BUSY], NULL);
    const struct load_evidence evidence = {
        .own_late = &c->scratch,
        .timer_late = &c->late[LOAD_DELAY_TIMER],
        .max_late = c->spec->max_late,
        .intended = result->total.intended,
        .missed_busy = c->missed_busy,
        .out_of_ports = c->out_of_ports,
        .threads = c->busy,
        .thread_count = c->workers,
    };
    result->client_limited_by = load_limits_judge(&evidence, &result->client_limited_why);
    result->client_limited = result->client_limited_by != LOAD_LIMIT_NONE;
}

void load_collector_finish(struct load_collector *c, bool complete, struct dur_ns scheduled,
                           struct dur_ns cpu)
{
    struct load_result *result = &c->result;
    result->complete = complete;
    result->scheduled = scheduled;
    result->cpu = cpu;
    /* Where nobody answers any more, the last response says nothing about when the load ended. */
    int64_t due_end = result->start_mono.ns + scheduled.ns;
    result->end_mono.ns = c->last_end > due_end ? c->last_end : due_end;
    result->end = wall_at(c, result->end_mono);
    judge_limits(c);
    list_parts(c);
    load_lateness_list(result, c->late);
    list_threads(c);
}
