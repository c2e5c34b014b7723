/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HdrHistogram: counts of 64-bit values at a fixed number of significant figures, with the V2 wire
 * format (bare, and zlib-compressed in base64), bit-compatible with the Java and JavaScript
 * libraries. Indexing and format: design notes in src/hdr.c.
 */
#ifndef MODEL_HDR_H
#define MODEL_HDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct hdr {
    int64_t lowest;
    int64_t highest;
    int significant_figures;
    int unit_magnitude;
    int half_magnitude; /* log2(sub_bucket_count) - 1 */
    int64_t sub_bucket_mask;
    int32_t sub_bucket_count;
    int32_t bucket_count;
    int32_t counts_len;
    int64_t *counts;
    int64_t total;
    int64_t min; /* of non-zero values; INT64_MAX when none */
    int64_t max; /* 0 when empty */
};

/* 1 <= lowest, 2*lowest <= highest, significant_figures 1..5; BASE_INVALID otherwise. */
bool hdr_init(struct hdr *hdr, int64_t lowest, int64_t highest, int significant_figures,
              struct base_error *err);
void hdr_fini(struct hdr *hdr); /* accepts a zeroed value */
void hdr_reset(struct hdr *hdr);
/* What squall records latencies in: 1 ns .. 1 h at 3 figures. */
bool hdr_init_latency(struct hdr *hdr, struct base_error *err);

/* On the hot path: no allocation, no branch on the range but clamping. Values below 0 count as 0,
 * above `highest` as `highest`. */
void hdr_record(struct hdr *hdr, int64_t value);
void hdr_record_n(struct hdr *hdr, int64_t value, int64_t count);
/* Adds all of from; false (BASE_INVALID) and unchanged when a value of from does not fit. Equal
 * shapes are added bucket for bucket. */
bool hdr_add(struct hdr *hdr, const struct hdr *from, struct base_error *err);

int64_t hdr_value_at_quantile(const struct hdr *hdr, double quantile); /* 0..1; 0 when empty */
double hdr_mean(const struct hdr *hdr);                                /* 0 when empty */
double hdr_stddev(const struct hdr *hdr);
int64_t hdr_max(const struct hdr *hdr);
int64_t hdr_min(const struct hdr *hdr); /* 0 when empty */
int64_t hdr_count_at(const struct hdr *hdr, int64_t value);
int64_t hdr_count_at_or_below(const struct hdr *hdr, int64_t value);
int64_t hdr_lowest_equivalent(const struct hdr *hdr, int64_t value);
int64_t hdr_highest_equivalent(const struct hdr *hdr, int64_t value);
bool hdr_equal(const struct hdr *a, const struct hdr *b); /* shape and every count */

/* Cursor over recorded buckets in ascending order. */
struct hdr_iter {
    const struct hdr *hdr;
    int32_t index;
    int64_t value; /* highest equivalent value of the bucket */
    int64_t count;
    int64_t cumulative;
};
void hdr_iter_init(struct hdr_iter *iter, const struct hdr *hdr);
bool hdr_iter_next(struct hdr_iter *iter); /* the next bucket with count > 0 */

/* V2, compressed, base64: text starting "HISTF". Appended to out. */
bool hdr_encode(const struct hdr *hdr, struct base_buf *out, struct base_error *err);
/* The inverse; out is initialised from the bytes. Any damage is BASE_CORRUPT, never a crash; the
 * allocation is bounded whatever the header claims. */
bool hdr_decode(const char *text, size_t len, struct hdr *out, struct base_error *err);

#endif
