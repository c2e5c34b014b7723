/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster_sum.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "model/hlog.h"
#include "schedule.h"
#include "users.h"

static const size_t log_max = (size_t)256 * 1024 * 1024;

uint64_t load_cluster_slot(const struct load_interval *interval, struct wall_ns start,
                           struct dur_ns length)
{
    int64_t end = interval->start.ns + interval->length.ns - start.ns;
    int64_t ends = (end + length.ns / 2) / length.ns;
    return ends > 0 ? (uint64_t)ends - 1 : 0;
}

bool load_cluster_interval_init(struct load_cluster_interval *interval, struct base_error *err)
{
    struct load_cluster_interval made = {.response.counts = NULL};
    if (!hdr_init_latency(&made.response, err))
        return false;
    if (!hdr_init_latency(&made.late, err)) {
        hdr_fini(&made.response);
        return false;
    }
    base_buf_init(&made.log, log_max);
    *interval = made;
    return true;
}

void load_cluster_interval_fini(struct load_cluster_interval *interval)
{
    base_buf_fini(&interval->log);
    hdr_fini(&interval->response);
    hdr_fini(&interval->late);
    load_interval_fini(&interval->sum);
    *interval = (struct load_cluster_interval){.response.counts = NULL};
}

struct parts {
    struct load_part **list;
    size_t *count;
};

static struct load_part *find_part(const struct parts *parts, const struct load_part *like)
{
    struct load_part *list = *parts->list;
    for (size_t i = 0; i < *parts->count; i++)
        if (base_str_eq(list[i].phase, like->phase) && base_str_eq(list[i].route, like->route))
            return &list[i];
    *parts->list = base_reallocarray(list, *parts->count + 1, sizeof *list);
    struct load_part *made = &(*parts->list)[(*parts->count)++];
    *made =
        (struct load_part){.phase = base_str_dup(like->phase), .route = base_str_dup(like->route)};
    return made;
}

static void add_parts(const struct parts *whole, const struct load_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        load_counts_add(&find_part(whole, &parts[i])->counts, &parts[i].counts);
}

struct adding {
    struct load_cluster_interval *interval;
    struct base_error *err;
    bool failed;
};

static bool on_entry(void *ctx, struct hlog_entry *entry)
{
    struct adding *adding = ctx;
    if (base_str_ends(entry->tag == NULL ? "" : entry->tag, "/" LOAD_ENDED))
        adding->failed = !hdr_add(&adding->interval->response, &entry->hdr, adding->err);
    else if (base_str_ends(entry->tag == NULL ? "" : entry->tag, "/schedule"))
        adding->failed = !hdr_add(&adding->interval->late, &entry->hdr, adding->err);
    return !adding->failed;
}

bool load_cluster_interval_add(struct load_cluster_interval *interval,
                               const struct load_interval *one, const char *log, size_t len,
                               struct base_error *err)
{
    struct adding adding = {.interval = interval, .err = err};
    if (!hlog_read(log, len, NULL, on_entry, &adding, err) || adding.failed)
        return false;
    if (!base_buf_append(&interval->log, log, len) || !base_buf_char(&interval->log, '\n'))
        return base_fail(err, BASE_LIMIT, "an interval's histograms exceed %zu bytes", log_max);
    struct load_interval *sum = &interval->sum;
    bool first = sum->phase == NULL;
    if (first) {
        sum->start = one->start;
        sum->phase = base_str_dup(one->phase);
    }
    int64_t end = sum->start.ns + sum->length.ns;
    int64_t one_end = one->start.ns + one->length.ns;
    sum->start.ns = one->start.ns < sum->start.ns ? one->start.ns : sum->start.ns;
    sum->length.ns = (first || one_end > end ? one_end : end) - sum->start.ns;
    const struct parts parts = {&sum->parts, &sum->part_count};
    add_parts(&parts, one->parts, one->part_count);
    load_counts_add(&sum->counts, &one->counts);
    sum->in_flight += one->in_flight;
    return true;
}

bool load_cluster_tag(const char *tag, char **phase, char **route, const char **kind)
{
    const char *phase_end = tag == NULL ? NULL : strchr(tag, '/');
    const char *route_end = phase_end == NULL ? NULL : strchr(phase_end + 1, '/');
    if (route_end == NULL)
        return false;
    *phase = base_str_ndup(tag, (size_t)(phase_end - tag));
    *route = base_str_ndup(phase_end + 1, (size_t)(route_end - phase_end - 1));
    *kind = route_end + 1;
    return true;
}

static bool on_told(void *ctx, struct hlog_entry *entry)
{
    const struct load_events *events = ctx;
    BASE_AUTO_FREE char *phase = NULL;
    BASE_AUTO_FREE char *route = NULL;
    const char *kind = NULL;
    if (load_cluster_tag(entry->tag, &phase, &route, &kind) && base_str_eq(kind, LOAD_ENDED))
        events->on_histogram(events->ctx, phase, route, kind, &entry->hdr);
    return true;
}

void load_cluster_tell(const struct base_buf *log, const struct load_events *events)
{
    struct load_events to = *events;
    (void)hlog_read(log->data, log->len, NULL, on_told, &to, NULL); /* it has been read before */
}

struct load_interval load_cluster_interval_take(struct load_cluster_interval *interval)
{
    struct load_interval taken = interval->sum;
    taken.p50.ns = hdr_value_at_quantile(&interval->response, 0.5);
    taken.p99.ns = hdr_value_at_quantile(&interval->response, 0.99);
    taken.max.ns = hdr_max(&interval->response);
    taken.late_p99.ns = hdr_value_at_quantile(&interval->late, 0.99);
    interval->sum = (struct load_interval){.phase = NULL};
    return taken;
}

void load_cluster_add_parts(struct load_result *whole, const struct load_result *one)
{
    const struct parts parts = {&whole->parts, &whole->part_count};
    add_parts(&parts, one->parts, one->part_count);
}

void load_cluster_add_tls(struct load_tls_result *whole, const struct load_tls_result *one)
{
    if (whole->verified == NULL)
        whole->verified = base_str_dup(one->verified);
    if (whole->protocol == NULL)
        whole->protocol = base_str_dup(one->protocol);
    whole->handshakes += one->handshakes;
    whole->resumed += one->resumed;
}

void load_cluster_add_once(struct load_result *whole, const struct load_result *one)
{
    for (size_t i = 0; i < one->once_count; i++) {
        const struct load_once_result *from = &one->once[i];
        whole->once = base_reallocarray(whole->once, whole->once_count + 1, sizeof *whole->once);
        whole->once[whole->once_count++] = (struct load_once_result){
            .flow = base_str_dup(from->flow),
            .part = base_str_dup(from->part),
            .step = base_str_dup(from->step),
            .ok = from->ok,
            .took = from->took,
            .why = base_str_dup(from->why),
        };
    }
}

/* Of the closed model, with a bound: as run.c has it for one process. */
static bool iterations_of(const struct load_spec *spec, uint64_t *out)
{
    uint64_t each = spec->closed.each * load_users_most(spec);
    uint64_t shared = spec->closed.iterations;
    *out = shared > 0 && (each == 0 || shared < each) ? shared : each;
    return *out > 0;
}

bool load_cluster_scheduled(const struct load_spec *spec, uint64_t *out)
{
    struct load_schedule schedule;
    struct load_arrival arrival;
    if (spec->closed.stage_count > 0)
        return iterations_of(spec, out);
    *out = 0;
    load_schedule_init(&schedule, spec, NULL, 0, 1);
    while (load_schedule_next(&schedule, &arrival))
        ++*out;
    load_schedule_fini(&schedule);
    return true;
}

/* A passage begins with the first step of its flow. */
static bool begins(const struct load_spec *spec, const char *route)
{
    for (size_t i = 0; i < spec->route_count; i++)
        if (base_str_eq(spec->routes[i].name, route))
            return true;
    for (size_t i = 0; i < spec->flow_count; i++) {
        const struct load_flow *flow = &spec->flows[i];
        BASE_AUTO_FREE char *first = base_str_printf("%s.%s", flow->name, flow->steps[0].name);
        if (base_str_eq(first, route))
            return true;
    }
    return false;
}

uint64_t load_cluster_begun(const struct load_spec *spec, const struct load_result *result)
{
    uint64_t begun = 0;
    if (spec->flow_count == 0)
        return result->total.intended;
    for (size_t i = 0; i < result->part_count; i++)
        if (begins(spec, result->parts[i].route))
            begun += result->parts[i].counts.intended;
    return begun;
}
