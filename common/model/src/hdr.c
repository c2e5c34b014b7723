/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design notes.
 *
 * A value's bucket is its power of two above the first `sub_bucket_count` units, and every bucket
 * is cut into the same number of equal parts, so that the relative error is bounded by the
 * significant figures at every magnitude (Gil Tene's HdrHistogram). Bucket 0 uses all of its
 * sub-buckets, each later one only the upper half, because its lower half is what the bucket before
 * it covers at twice the resolution. With
 *
 *     sub_bucket_count = 2^ceil(log2(2 * 10^significant_figures))   2048 at 3 figures
 *     bucket           = how far the value's highest bit lies above bucket 0
 *     sub_bucket       = value >> (bucket + unit_magnitude)
 *
 * the index is bucket * sub_bucket_count/2 + sub_bucket: bucket 0 starts at index 0 and the upper
 * half of bucket k at (k+1) * sub_bucket_count/2.
 *
 * min and max hold recorded values, but what is reported is the edge of their bucket: only that is
 * the same before and after encoding, and for one histogram and the sum of its parts.
 */
#include "model/hdr.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hdr_index.h"

enum { FIGURES_MAX = 5 };

/* Sets everything but the counts. */
static bool shape(struct hdr *hdr, int64_t lowest, int64_t highest, int figures,
                  struct base_error *err)
{
    if (figures < 1 || figures > FIGURES_MAX)
        return base_fail(err, BASE_INVALID,
                         "a histogram has 1 to %d significant figures, not %d: choose one of these",
                         FIGURES_MAX, figures);
    if (lowest < 1 || lowest > highest / 2)
        return base_fail(err, BASE_INVALID,
                         "a histogram from %" PRId64 " to %" PRId64
                         " is impossible: it must start at 1 or above and end at twice its start",
                         lowest, highest);
    int64_t resolved = 2;
    for (int i = 0; i < figures; i++)
        resolved *= 10;
    int magnitude = 64 - __builtin_clzll((unsigned long long)resolved - 1);
    int unit = 63 - __builtin_clzll((unsigned long long)lowest);
    if (unit + magnitude > 62)
        return base_fail(err, BASE_INVALID,
                         "a histogram from %" PRId64 " with %d significant figures needs more than "
                         "63 bits: lower the start or the figures",
                         lowest, figures);
    int32_t sub_buckets = INT32_C(1) << magnitude;
    int32_t buckets = 1;
    for (int64_t end = (int64_t)sub_buckets << unit; end <= highest; end *= 2) {
        buckets++;
        if (end > INT64_MAX / 2)
            break; /* this bucket ends beyond INT64_MAX: it is the last */
    }
    *hdr = (struct hdr){.lowest = lowest,
                        .highest = highest,
                        .significant_figures = figures,
                        .unit_magnitude = unit,
                        .half_magnitude = magnitude - 1,
                        .sub_bucket_mask = (int64_t)(sub_buckets - 1) << unit,
                        .sub_bucket_count = sub_buckets,
                        .bucket_count = buckets,
                        .counts_len = (buckets + 1) * (sub_buckets / 2),
                        .min = INT64_MAX};
    return true;
}

bool hdr_init(struct hdr *hdr, int64_t lowest, int64_t highest, int significant_figures,
              struct base_error *err)
{
    struct hdr made = {.counts = NULL};
    if (!shape(&made, lowest, highest, significant_figures, err))
        return false;
    /* NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI): base_fail always returns false */
    made.counts = calloc((size_t)made.counts_len, sizeof *made.counts);
    if (made.counts == NULL)
        return base_fail(err, BASE_LIMIT,
                         "no memory for a histogram of %" PRId32
                         " counts: free some, or record fewer significant figures",
                         made.counts_len);
    *hdr = made;
    return true;
}

bool hdr_init_latency(struct hdr *hdr, struct base_error *err)
{
    return hdr_init(hdr, 1, INT64_C(3600) * 1000 * 1000 * 1000, 3, err);
}

void hdr_fini(struct hdr *hdr)
{
    free(hdr->counts);
    *hdr = (struct hdr){.counts = NULL};
}

/* Latencies occupy a tenth of the range or so: what is done to all counts is done there, and to
 * those of zero, which `min` leaves out. Empty when zero is all there is. */
struct span {
    int64_t first;
    int64_t end;
};

static struct span occupied(const struct hdr *hdr)
{
    if (hdr->min > hdr->max) /* zeros at most */
        return (struct span){0, 0};
    return (struct span){hdr_index_of(hdr, hdr->min), hdr_index_of(hdr, hdr->max) + 1};
}

void hdr_reset(struct hdr *hdr)
{
    if (hdr->counts != NULL) {
        struct span span = occupied(hdr);
        hdr->counts[0] = 0;
        memset(hdr->counts + span.first, 0, (size_t)(span.end - span.first) * sizeof *hdr->counts);
    }
    hdr->total = 0;
    hdr->max = 0;
    hdr->min = INT64_MAX;
}

static inline int64_t clamp(const struct hdr *hdr, int64_t value)
{
    value = value < 0 ? 0 : value;
    return value > hdr->highest ? hdr->highest : value;
}

static inline void add_at(struct hdr *hdr, int64_t value, int64_t count)
{
    hdr->counts[hdr_index_of(hdr, value)] += count;
    hdr->total += count;
    hdr->max = value > hdr->max ? value : hdr->max;
    /* Less by one, unsigned: zero becomes the largest number and never is the minimum. */
    hdr->min = (uint64_t)value - 1 < (uint64_t)hdr->min - 1 ? value : hdr->min;
}

void hdr_record(struct hdr *hdr, int64_t value)
{
    add_at(hdr, clamp(hdr, value), 1);
}

void hdr_record_n(struct hdr *hdr, int64_t value, int64_t count)
{
    if (count > INT64_MAX - hdr->total)
        count = INT64_MAX - hdr->total;
    if (count > 0)
        add_at(hdr, clamp(hdr, value), count);
}

static bool same_layout(const struct hdr *a, const struct hdr *b)
{
    return a->unit_magnitude == b->unit_magnitude && a->half_magnitude == b->half_magnitude &&
           a->counts_len == b->counts_len;
}

static void add_across(struct hdr *hdr, const struct hdr *from)
{
    struct hdr_iter iter;
    hdr_iter_init(&iter, from);
    while (hdr_iter_next(&iter))
        add_at(hdr, hdr_index_lowest(from, iter.index), iter.count);
}

bool hdr_add(struct hdr *hdr, const struct hdr *from, struct base_error *err)
{
    if (from->total == 0)
        return true;
    int64_t total;
    if (__builtin_add_overflow(hdr->total, from->total, &total))
        return base_fail(err, BASE_INVALID,
                         "histograms of %" PRId64 " and %" PRId64
                         " values are too many to add: keep them apart",
                         hdr->total, from->total);
    if (same_layout(hdr, from)) {
        struct span span = occupied(from);
        if (span.first > 0 || span.end == 0)
            hdr->counts[0] += from->counts[0];
        for (int64_t i = span.first; i < span.end; i++)
            hdr->counts[i] += from->counts[i];
        hdr->total = total;
        hdr->max = from->max > hdr->max ? from->max : hdr->max;
        hdr->min = from->min < hdr->min ? from->min : hdr->min;
        return true;
    }
    int64_t top = hdr_lowest_equivalent(from, from->max);
    if (hdr_index_of(hdr, top) >= hdr->counts_len)
        return base_fail(err, BASE_INVALID,
                         "a histogram up to %" PRId64 " cannot take the value %" PRId64
                         ": make it with a higher end",
                         hdr->highest, top);
    add_across(hdr, from);
    return true;
}

bool hdr_equal(const struct hdr *a, const struct hdr *b)
{
    if (a->lowest != b->lowest || a->highest != b->highest ||
        a->significant_figures != b->significant_figures || !same_layout(a, b) ||
        a->total != b->total)
        return false;
    for (int32_t i = 0; i < a->counts_len; i++) {
        if (a->counts[i] != b->counts[i])
            return false;
    }
    return true;
}
