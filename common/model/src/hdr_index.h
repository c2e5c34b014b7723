/* SPDX-License-Identifier: Apache-2.0 */
/* Between values and indices of the counts array; see the design notes in hdr.c. */
#ifndef MODEL_SRC_HDR_INDEX_H
#define MODEL_SRC_HDR_INDEX_H

#include "model/hdr.h"

/* value >= 0. The result is >= counts_len for a value beyond what the array covers. */
static inline int64_t hdr_index_of(const struct hdr *hdr, int64_t value)
{
    int highest_bit = 63 - __builtin_clzll((unsigned long long)(value | hdr->sub_bucket_mask));
    int bucket = highest_bit - hdr->unit_magnitude - hdr->half_magnitude;
    int64_t sub_bucket = value >> (bucket + hdr->unit_magnitude);
    return ((int64_t)bucket << hdr->half_magnitude) + sub_bucket;
}

/* How many doublings of the unit one count of this index spans. */
static inline int hdr_index_shift(const struct hdr *hdr, int64_t index)
{
    int64_t bucket = (index >> hdr->half_magnitude) - 1;
    return (int)(bucket < 0 ? 0 : bucket) + hdr->unit_magnitude;
}

static inline int64_t hdr_index_lowest(const struct hdr *hdr, int64_t index)
{
    int64_t bucket = (index >> hdr->half_magnitude) - 1;
    int64_t sub_bucket = bucket < 0 ? index : index - (bucket << hdr->half_magnitude);
    return sub_bucket << hdr_index_shift(hdr, index);
}

static inline int64_t hdr_index_size(const struct hdr *hdr, int64_t index)
{
    return INT64_C(1) << hdr_index_shift(hdr, index);
}

/* lowest + (size - 1) in this order: the last index of a full range ends at INT64_MAX. */
static inline int64_t hdr_index_highest(const struct hdr *hdr, int64_t index)
{
    return hdr_index_lowest(hdr, index) + (hdr_index_size(hdr, index) - 1);
}

static inline int64_t hdr_index_middle(const struct hdr *hdr, int64_t index)
{
    return hdr_index_lowest(hdr, index) + hdr_index_size(hdr, index) / 2;
}

/* Recomputes total, min and max from the first `used` counts. false when the total overflows. */
bool hdr_index_settle(struct hdr *hdr, int64_t used);

#endif
