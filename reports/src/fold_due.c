/* SPDX-License-Identifier: Apache-2.0 */
/* Response times over time, by when requests were due: the lines of the grid's intervals in
 * latency.hlog, those of all phases and routes together. What is kept of a line while reading is
 * where it lies, for a histogram takes a quarter of a megabyte. */
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "fold_internal.h"
#include "model/hlog.h"

/* What can be reckoned with in nanoseconds; more is no time of a load. */
static const double start_max_s = 9e9;
static const double length_max_s = 1e9;

struct piece {
    double start;
    double length;
    const char *text;
    size_t len;
};

struct pieces {
    struct piece *all;
    size_t count, cap;
};

static bool on_entry(void *ctx, struct hlog_entry *entry)
{
    struct pieces *pieces = ctx;
    bool real = entry->start >= 0 && entry->start < start_max_s && entry->length >= 0 &&
                entry->length < length_max_s;
    if (!real || !base_str_ends(entry->tag == NULL ? "" : entry->tag, "/" LOAD_RESPONSE))
        return true;
    if (pieces->count == pieces->cap) {
        pieces->cap = pieces->cap == 0 ? 64 : pieces->cap * 2;
        pieces->all = base_reallocarray(pieces->all, pieces->cap, sizeof *pieces->all);
    }
    pieces->all[pieces->count++] =
        (struct piece){entry->start, entry->length, entry->text, entry->text_len};
    return true;
}

static int by_start(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;
    return a->start != b->start ? (a->start < b->start ? -1 : 1)
                                : (a->text > b->text) - (a->text < b->text);
}

/* The pieces of one interval, which have the same start. */
static struct report_due sum_up(const struct piece *pieces, size_t count, struct hdr *sum)
{
    hdr_reset(sum);
    for (size_t i = 0; i < count; i++) {
        struct hdr hdr;
        if (!hdr_decode(pieces[i].text, pieces[i].len, &hdr, NULL)) /* it has been read before */
            continue;
        (void)hdr_add(sum, &hdr, NULL);
        hdr_fini(&hdr);
    }
    return (struct report_due){.start = {llround(pieces->start * 1e3) * BASE_NS_PER_MS},
                               .length = {llround(pieces->length * 1e3) * BASE_NS_PER_MS},
                               .p50 = {hdr_value_at_quantile(sum, 0.5)},
                               .p99 = {hdr_value_at_quantile(sum, 0.99)},
                               .max = {hdr_max(sum)}};
}

void fold_due(struct report *report, const struct report_bytes *hlog)
{
    struct pieces pieces = {.all = NULL};
    struct hdr sum = {.counts = NULL};
    /* Damage is stated by fold_hlog. */
    if (report->by_end && hdr_init_latency(&sum, NULL))
        (void)hlog_read(hlog->data, hlog->len, NULL, on_entry, &pieces, NULL);
    if (pieces.count > 0) {
        qsort(pieces.all, pieces.count, sizeof *pieces.all, by_start);
        report->due = base_calloc(pieces.count, sizeof *report->due);
    }
    for (size_t first = 0, end = 0; first < pieces.count; first = end) {
        while (end < pieces.count && !(pieces.all[end].start > pieces.all[first].start))
            end++;
        report->due[report->due_count++] = sum_up(&pieces.all[first], end - first, &sum);
    }
    hdr_fini(&sum);
    free(pieces.all);
}
