/* SPDX-License-Identifier: Apache-2.0 */
/* What a histogram says about its values. Rounding follows the reference libraries to the bit, so
 * that a number read here and there is the same number. */
#include <math.h>

#include "hdr_index.h"

bool hdr_index_settle(struct hdr *hdr, int64_t used)
{
    int64_t total = 0;
    int64_t first = -1; /* not counting index 0, which holds zero */
    int64_t last = -1;
    for (int64_t i = 0; i < used; i++) {
        if (hdr->counts[i] == 0)
            continue;
        if (__builtin_add_overflow(total, hdr->counts[i], &total))
            return false;
        first = first < 0 && i > 0 ? i : first;
        last = i;
    }
    hdr->total = total;
    hdr->max = last < 0 ? 0 : hdr_index_highest(hdr, last);
    hdr->min = first < 0 ? INT64_MAX : hdr_index_lowest(hdr, first);
    return true;
}

void hdr_iter_init(struct hdr_iter *iter, const struct hdr *hdr)
{
    *iter = (struct hdr_iter){.hdr = hdr, .index = -1};
}

bool hdr_iter_next(struct hdr_iter *iter)
{
    const struct hdr *hdr = iter->hdr;
    if (iter->cumulative >= hdr->total)
        return false;
    for (int32_t i = iter->index + 1; i < hdr->counts_len; i++) {
        if (hdr->counts[i] == 0)
            continue;
        iter->index = i;
        iter->count = hdr->counts[i];
        iter->cumulative += iter->count;
        iter->value = hdr_index_highest(hdr, i);
        return true;
    }
    return false;
}

/* The rank (from 1) of the value at this quantile. The product may come out one unit in the last
 * place above the whole number it stands for (0.999 * 1000 does), which must not skip to the next
 * value: take that unit off before rounding up, as the other libraries do. */
static int64_t rank_of(double quantile, int64_t total)
{
    double rank = quantile * (double)total;
    rank = ceil(rank - (nextafter(rank, (double)INFINITY) - rank));
    if (!(rank > 1))
        return 1;
    return rank >= (double)total ? total : (int64_t)rank;
}

int64_t hdr_value_at_quantile(const struct hdr *hdr, double quantile)
{
    if (hdr->total == 0)
        return 0;
    if (quantile >= 1)
        return hdr_max(hdr); /* beyond 2^53 values the unit in the last place is several of them */
    bool lowest = !(quantile > 0); /* or no number */
    int64_t rank = rank_of(quantile, hdr->total);
    int64_t seen = 0;
    for (int32_t i = 0; i < hdr->counts_len; i++) {
        seen += hdr->counts[i];
        if (seen >= rank)
            return lowest ? hdr_index_lowest(hdr, i) : hdr_index_highest(hdr, i);
    }
    return hdr_max(hdr);
}

double hdr_mean(const struct hdr *hdr)
{
    if (hdr->total == 0)
        return 0;
    double sum = 0;
    struct hdr_iter iter;
    hdr_iter_init(&iter, hdr);
    while (hdr_iter_next(&iter))
        sum += (double)hdr_index_middle(hdr, iter.index) * (double)iter.count;
    return sum / (double)hdr->total;
}

double hdr_stddev(const struct hdr *hdr)
{
    if (hdr->total == 0)
        return 0;
    double mean = hdr_mean(hdr);
    double sum = 0;
    struct hdr_iter iter;
    hdr_iter_init(&iter, hdr);
    while (hdr_iter_next(&iter)) {
        double deviation = (double)hdr_index_middle(hdr, iter.index) - mean;
        sum += deviation * deviation * (double)iter.count;
    }
    return sqrt(sum / (double)hdr->total);
}

int64_t hdr_max(const struct hdr *hdr)
{
    return hdr->total == 0 ? 0 : hdr_highest_equivalent(hdr, hdr->max);
}

int64_t hdr_min(const struct hdr *hdr)
{
    if (hdr->total == 0 || hdr->counts[0] > 0)
        return 0;
    return hdr_lowest_equivalent(hdr, hdr->min);
}

int64_t hdr_count_at(const struct hdr *hdr, int64_t value)
{
    if (value < 0)
        return 0;
    int64_t index = hdr_index_of(hdr, value);
    return index < hdr->counts_len ? hdr->counts[index] : 0;
}

int64_t hdr_count_at_or_below(const struct hdr *hdr, int64_t value)
{
    if (value < 0)
        return 0;
    int64_t last = hdr_index_of(hdr, value);
    if (last >= hdr->counts_len)
        return hdr->total;
    int64_t sum = 0;
    for (int64_t i = 0; i <= last; i++)
        sum += hdr->counts[i];
    return sum;
}

int64_t hdr_lowest_equivalent(const struct hdr *hdr, int64_t value)
{
    return value < 0 ? 0 : hdr_index_lowest(hdr, hdr_index_of(hdr, value));
}

int64_t hdr_highest_equivalent(const struct hdr *hdr, int64_t value)
{
    return hdr_index_highest(hdr, hdr_index_of(hdr, value < 0 ? 0 : value));
}
