/* SPDX-License-Identifier: Apache-2.0 */
/* latency.hlog: intervals of every tag, added tag by tag. Tags are phase/route/kind (load.h). */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fold_internal.h"
#include "model/hlog.h"

/* Phases x routes x kinds; each takes a quarter of a megabyte. A log with more was made to harm. */
enum { TAGS_MAX = 2000 };

struct hlog_fold {
    struct report *report;
    struct base_error err;
    bool failed;
};

static struct report_hist *hist_of(struct report *report, const char *phase, size_t phase_len,
                                   const char *route, size_t route_len, const char *kind,
                                   struct base_error *err)
{
    for (size_t i = 0; i < report->hist_count; i++) {
        struct report_hist *hist = &report->hists[i];
        if (strlen(hist->phase) == phase_len && memcmp(hist->phase, phase, phase_len) == 0 &&
            strlen(hist->route) == route_len && memcmp(hist->route, route, route_len) == 0 &&
            strcmp(hist->kind, kind) == 0)
            return hist;
    }
    struct hdr hdr;
    if (report->hist_count == TAGS_MAX) {
        (void)base_fail(err, BASE_LIMIT, "more than %d different tags", TAGS_MAX);
        return NULL;
    }
    if (!hdr_init_latency(&hdr, err))
        return NULL;
    report->hists = base_reallocarray(report->hists, report->hist_count + 1, sizeof *report->hists);
    struct report_hist *hist = &report->hists[report->hist_count++];
    *hist = (struct report_hist){.phase = base_str_ndup(phase, phase_len),
                                 .route = base_str_ndup(route, route_len),
                                 .kind = base_str_dup(kind),
                                 .hdr = hdr};
    return hist;
}

static bool on_entry(void *ctx, struct hlog_entry *entry)
{
    struct hlog_fold *fold = ctx;
    const char *tag = entry->tag == NULL ? "" : entry->tag;
    const char *first = strchr(tag, '/');
    const char *last = strrchr(tag, '/');
    if (first == NULL || last == first) {
        fold->failed = true;
        return base_fail(&fold->err, BASE_CORRUPT, "the tag \"%s\" is not phase/route/kind", tag);
    }
    fold->report->by_end = fold->report->by_end || strcmp(last + 1, LOAD_ENDED) == 0;
    struct report_hist *hist = hist_of(fold->report, tag, (size_t)(first - tag), first + 1,
                                       (size_t)(last - first - 1), last + 1, &fold->err);
    fold->failed = hist == NULL || !hdr_add(&hist->hdr, &entry->hdr, &fold->err);
    return !fold->failed;
}

void fold_hlog(struct report *report, const struct report_bytes *bytes)
{
    if (bytes->data == NULL)
        return;
    /* Only whole lines are read: the last one may have been under the pen. */
    size_t whole = bytes->len;
    while (whole > 0 && bytes->data[whole - 1] != '\n')
        whole--;
    if (whole < bytes->len)
        fold_state(report, REPORT_HLOG, REPORT_PARTIAL,
                   "the last line was cut short: its writer was stopped");
    struct hlog_fold fold = {.report = report};
    if (!hlog_read(bytes->data, whole, NULL, on_entry, &fold, &fold.err) || fold.failed)
        fold_state(report, REPORT_HLOG, REPORT_DAMAGED, "%s", fold.err.message);
}

bool report_histogram(const struct report *report, const char *phase, const char *route,
                      const char *kind, struct hdr *out, struct base_error *err)
{
    if (!hdr_init_latency(out, err))
        return false;
    if (report->by_end && strcmp(kind, LOAD_RESPONSE) == 0)
        kind = LOAD_ENDED;
    for (size_t i = 0; i < report->hist_count; i++) {
        const struct report_hist *hist = &report->hists[i];
        if ((phase == NULL || strcmp(hist->phase, phase) == 0) &&
            (route == NULL || strcmp(hist->route, route) == 0) && strcmp(hist->kind, kind) == 0 &&
            !hdr_add(out, &hist->hdr, err))
            return false;
    }
    return true;
}

struct load_counts report_counts(const struct report *report, const char *phase, const char *route)
{
    if (phase == NULL && route == NULL)
        return report->load.total;
    struct load_counts sum = {0};
    for (size_t i = 0; i < report->load.part_count; i++) {
        const struct load_part *part = &report->load.parts[i];
        if ((phase == NULL || base_str_eq(part->phase, phase)) &&
            (route == NULL || base_str_eq(part->route, route)))
            load_counts_add(&sum, &part->counts);
    }
    return sum;
}

double report_phase_seconds(const struct report *report, const char *phase)
{
    double scheduled = base_dur_to_s(report->load.scheduled);
    if (phase == NULL)
        return scheduled;
    double sum = 0;
    for (size_t i = 0; i < report->phase_count; i++) {
        const struct plan_phase *at = &report->phases[i];
        if (!base_str_eq(at->name, phase))
            continue;
        double start = base_dur_to_s(at->start);
        bool last = i + 1 == report->phase_count;
        double end = last ? scheduled : base_dur_to_s(report->phases[i + 1].start);
        end = end > scheduled ? scheduled : end;
        sum += end > start ? end - start : 0;
    }
    return sum;
}
