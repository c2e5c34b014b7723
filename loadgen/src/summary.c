/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "loadgen/adhoc.h"
#include "recorder.h"
#include "summary.h"
#include "users.h"

const struct load_figure load_figures[] = {
    {"p50", "p50Ns", 0.5},       {"p90", "p90Ns", 0.9},          {"p99", "p99Ns", 0.99},
    {"p99.9", "p99_9Ns", 0.999}, {"p99.99", "p99_99Ns", 0.9999}, {"max", "maxNs", 1.0},
};
enum { ROWS = sizeof load_figures / sizeof *load_figures };
const size_t load_figure_count = ROWS;

void load_time_text(int64_t ns, char out[static LOAD_TIME_TEXT])
{
    double value = (double)ns;
    if (ns < 1000)
        (void)snprintf(out, LOAD_TIME_TEXT, "%" PRId64 "ns", ns);
    else if (ns < INT64_C(1000) * 1000)
        (void)snprintf(out, LOAD_TIME_TEXT, "%.3gus", value / 1e3);
    else if (ns < INT64_C(1000) * 1000 * 1000)
        (void)snprintf(out, LOAD_TIME_TEXT, "%.4gms", value / 1e6);
    else
        (void)snprintf(out, LOAD_TIME_TEXT, "%.4gs", value / 1e9);
}

bool load_interval_line(struct base_buf *out, const struct load_interval *interval,
                        struct mono_ns start)
{
    char p50[LOAD_TIME_TEXT], p99[LOAD_TIME_TEXT], max[LOAD_TIME_TEXT], late[LOAD_TIME_TEXT];
    struct mono_ns end = base_mono_add(interval->start_mono, interval->length);
    const struct load_counts *counts = &interval->counts;
    load_time_text(interval->p50.ns, p50);
    load_time_text(interval->p99.ns, p99);
    load_time_text(interval->max.ns, max);
    load_time_text(interval->late_p99.ns, late);
    return base_buf_printf(out,
                           "%7.1fs %10.1f/s  ok %" PRIu64 "  failed %" PRIu64 "  missed %" PRIu64
                           "  in flight %" PRIu64 "  p50 %s  p99 %s  max %s  late p99 %s\n",
                           base_dur_to_s(base_mono_sub(end, start)),
                           (double)counts->sent / base_dur_to_s(interval->length), counts->ok,
                           load_counts_failed(counts), counts->missed, interval->in_flight, p50,
                           p99, max, late);
}

/* " (refused 3, tls 1)"; nothing for a failure without causes. */
static void write_causes(struct base_buf *out, const struct load_counts *total,
                         enum load_failure failure)
{
    const char *before = " (";
    for (int i = 0; i < LOAD_CAUSE_COUNT; i++) {
        enum load_cause cause = (enum load_cause)i;
        if (total->causes[i] == 0 || load_cause_failure(cause) != failure)
            continue;
        base_buf_printf(out, "%s%s %" PRIu64, before, load_cause_name(cause), total->causes[i]);
        before = ", ";
    }
    if (before[0] == ',')
        base_buf_char(out, ')');
}

static void write_tls(struct base_buf *out, const struct load_tls_result *tls)
{
    if (tls->verified == NULL)
        return;
    base_buf_printf(out,
                    "TLS        %s, certificates verified against %s, %" PRIu64
                    " handshakes, %" PRIu64 " of them resumed\n",
                    tls->protocol == NULL ? "none" : tls->protocol, tls->verified, tls->handshakes,
                    tls->resumed);
}

static void write_failures(struct base_buf *out, const struct load_counts *total)
{
    if (load_counts_failed(total) == 0)
        return;
    base_buf_str(out, "failures ");
    for (int i = 0; i < LOAD_FAIL_COUNT; i++) {
        if (total->failed[i] == 0)
            continue;
        base_buf_printf(out, "  %s %" PRIu64, load_failure_name((enum load_failure)i),
                        total->failed[i]);
        write_causes(out, total, (enum load_failure)i);
    }
    base_buf_char(out, '\n');
}

static bool nothing_in(const struct load_totals *totals)
{
    int kind = 0;
    while (kind < LOAD_KIND_COUNT && totals->kinds[kind] == NULL)
        kind++;
    return kind == LOAD_KIND_COUNT;
}

static void write_table(struct base_buf *out, const struct load_totals *totals)
{
    if (nothing_in(totals))
        return;
    base_buf_printf(out, "%-9s", "");
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++)
        if (totals->kinds[kind] != NULL)
            base_buf_printf(out, "%12s", load_kind_name((enum load_kind)kind));
    base_buf_char(out, '\n');
    for (size_t row = 0; row < ROWS; row++) {
        base_buf_printf(out, "%-9s", load_figures[row].label);
        for (int kind = 0; kind < LOAD_KIND_COUNT; kind++) {
            const struct hdr *hdr = totals->kinds[kind];
            char text[LOAD_TIME_TEXT];
            if (hdr == NULL)
                continue;
            load_time_text(hdr_value_at_quantile(hdr, load_figures[row].quantile), text);
            base_buf_printf(out, "%12s", text);
        }
        base_buf_char(out, '\n');
    }
}

/* "500/s poisson", "3 stages constant", "replay of FILE". */
static void write_source(struct base_buf *out, const struct load_spec *spec)
{
    if (spec->replay != NULL)
        base_buf_printf(out, "replay of %s", spec->replay);
    else if (spec->closed.stage_count > 0)
        base_buf_printf(out, "closed model, up to %u users, think time %s", load_users_most(spec),
                        load_think_name(spec->closed.think));
    else if (spec->stage_count > 0)
        base_buf_printf(out, "%zu stages %s", spec->stage_count,
                        load_arrivals_name(spec->arrivals));
    else
        base_buf_printf(out, "%.6g/s %s", spec->rate, load_arrivals_name(spec->arrivals));
}

bool load_summary_text(struct base_buf *out, const struct load_adhoc *adhoc,
                       const struct load_result *result, const struct load_totals *totals)
{
    const struct load_counts *total = &result->total;
    double seconds = base_dur_to_s(result->scheduled);
    /* Answers may come, and requests that waited be sent, after the schedule's end. */
    double active = base_dur_to_s(base_mono_sub(result->end_mono, result->start_mono));
    active = active > seconds ? active : seconds;
    base_buf_printf(out, "%s\n", adhoc->url);
    base_buf_str(out, "schedule   ");
    write_source(out, &adhoc->spec);
    base_buf_printf(out, " over %.4gs, seed %" PRIu64 ", %u connections%s\n", seconds,
                    adhoc->spec.seed, adhoc->spec.connections,
                    result->complete ? "" : " (stopped early)");
    base_buf_printf(out,
                    "requests   %" PRIu64 " intended, %" PRIu64 " sent, %" PRIu64 " ok, %" PRIu64
                    " failed, %" PRIu64 " missed\n",
                    total->intended, total->sent, total->ok, load_counts_failed(total),
                    total->missed);
    write_failures(out, total);
    if (active > 0)
        base_buf_printf(out,
                        "rate       %.6g/s sent, %.6g/s ok, %.4g MB/s in, %.4g MB/s out, over "
                        "%.4gs\n",
                        (double)total->sent / active, (double)total->ok / active,
                        (double)total->bytes_in / active / 1e6,
                        (double)total->bytes_out / active / 1e6, active);
    if (total->sent > 0)
        base_buf_printf(out, "CPU        %.3fs, %.2fus a request\n", base_dur_to_s(result->cpu),
                        (double)result->cpu.ns / 1e3 / (double)total->sent);
    write_tls(out, &result->tls);
    write_table(out, totals);
    for (size_t i = 0; i < result->note_count; i++)
        base_buf_printf(out, "note: %s\n", result->notes[i]);
    if (result->client_limited)
        base_buf_printf(out, "client limited: %s\n", result->client_limited_why);
    return !out->failed;
}

json_t *load_figures_json(const struct hdr *hdr)
{
    json_t *one = json_object();
    (void)json_object_set_new(one, "count", json_integer(hdr->total));
    (void)json_object_set_new(one, "meanNs", json_real(hdr_mean(hdr)));
    for (size_t row = 0; row < ROWS; row++)
        (void)json_object_set_new(
            one, load_figures[row].key,
            json_integer(hdr_value_at_quantile(hdr, load_figures[row].quantile)));
    return one;
}

struct load_totals load_run_totals(const struct load_run *run)
{
    struct load_totals totals;
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++)
        totals.kinds[kind] = load_run_total(run, (enum load_kind)kind);
    return totals;
}

json_t *load_summary_json(const struct load_result *result, const struct load_totals *totals)
{
    json_t *json = load_result_to_json(result);
    json_t *latency = json_object();
    for (int kind = 0; kind < LOAD_KIND_COUNT; kind++) {
        const struct hdr *hdr = totals->kinds[kind];
        if (hdr == NULL)
            continue;
        (void)json_object_set_new(latency, load_kind_name((enum load_kind)kind),
                                  load_figures_json(hdr));
    }
    (void)json_object_set_new(json, "latency", latency);
    return json;
}
