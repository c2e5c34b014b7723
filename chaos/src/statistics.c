/* SPDX-License-Identifier: Apache-2.0 */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>

enum { hesitation_ns = 3000000 }; /* of a machine that does other things, too */

size_t fault_sample_size(double rate, double miss, size_t least, size_t most)
{
    if (!(rate > 0.0))
        return least;
    double need = rate >= 1.0 ? 1.0 : ceil(log(miss) / log1p(-rate));
    if (!(need <= (double)most))
        return 0;
    size_t n = (size_t)need;
    return n < least ? least : n;
}

/* log of the binomial probability of k in n; lgamma keeps large factorials in range. */
static double log_probability(size_t n, size_t k, double rate)
{
    double choose = lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1);
    return choose + (double)k * log(rate) + (double)(n - k) * log1p(-rate);
}

struct fault_interval fault_binomial_interval(size_t n, double rate, double miss)
{
    if (!(rate > 0.0))
        return (struct fault_interval){0, 0};
    if (rate >= 1.0)
        return (struct fault_interval){n, n};
    struct fault_interval interval = {0, n};
    double below = 0.0; /* P(X < low) */
    while (interval.low < n) {
        double next = below + exp(log_probability(n, interval.low, rate));
        if (next > miss / 2)
            break;
        below = next;
        interval.low++;
    }
    double above = 0.0; /* P(X > high) */
    while (interval.high > interval.low) {
        double next = above + exp(log_probability(n, interval.high, rate));
        if (next > miss / 2)
            break;
        above = next;
        interval.high--;
    }
    return interval;
}

static bool holds(struct fault_interval interval, size_t low, size_t high)
{
    return low >= interval.low && high <= interval.high;
}

/* The share of series of n with the rate `real` whose count lies in the interval. */
static double share_inside(struct fault_interval interval, size_t n, double real)
{
    double share = 0.0;
    if (real >= 1.0)
        return holds(interval, n, n) ? 1.0 : 0.0;
    for (size_t k = interval.low; k <= interval.high; k++)
        share += exp(log_probability(n, k, real));
    return share;
}

/* None at all is never a proof. */
static struct fault_interval proof(size_t n, double rate, double miss)
{
    struct fault_interval interval = fault_binomial_interval(n, rate, miss);
    if (rate > 0.0 && interval.low == 0)
        interval.low = 1;
    return interval;
}

static bool tells(size_t n, double rate, double factor, double miss, double wrong)
{
    struct fault_interval interval = proof(n, rate, miss);
    return share_inside(interval, n, rate / factor) <= wrong &&
           (rate * factor > 1.0 || share_inside(interval, n, rate * factor) <= wrong);
}

size_t fault_sample_to_tell(double rate, double factor, double miss, double wrong, size_t least,
                            size_t most)
{
    if (!(rate > 0.0))
        return least;
    /* In steps of 5 %: counts are whole, so that it does not get better with each single one. */
    for (size_t n = least > 0 ? least : 1; n <= most; n += n / 20 + 1)
        if (tells(n, rate, factor, miss, wrong))
            return n;
    return 0;
}

unsigned fault_told_apart(size_t n, double rate, double miss, double wrong)
{
    for (unsigned factor = 2; factor <= 10; factor++)
        if (tells(n, rate, factor, miss, wrong))
            return factor;
    return 0;
}

bool fault_rate_shown(double rate, double miss, size_t asked, size_t answered, size_t hits,
                      struct fault_interval *expected)
{
    size_t unknown = asked - answered;
    size_t most_unknown = asked / 50 > 1 ? asked / 50 : 1;
    bool certain = !(rate > 0.0) || rate >= 1.0;
    *expected = proof(certain ? answered : asked, rate, miss);
    return answered > 0 && unknown <= most_unknown &&
           holds(*expected, hits, certain ? hits : hits + unknown);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t fault_median(int64_t *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, by_value);
    int64_t high = values[count / 2];
    if (count % 2 == 1)
        return high;
    int64_t low = values[count / 2 - 1];
    return low + (high - low) / 2;
}

int64_t fault_middle_half(int64_t *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, by_value);
    return values[count - 1 - (count - 1) / 4] - values[(count - 1) / 4];
}

/* A quartile of 96 even draws is off by a tenth of the jitter (standard deviation), so that half
 * of it is four of those for their difference. What the machine adds was there before, too. */
struct fault_interval fault_jitter_bounds(int64_t jitter_ns, int64_t before_ns)
{
    int64_t low = before_ns + jitter_ns / 4;
    if (low < jitter_ns / 2)
        low = jitter_ns / 2;
    int64_t high = jitter_ns + jitter_ns / 2 + 3 * before_ns + hesitation_ns;
    return (struct fault_interval){(size_t)low, (size_t)high};
}

int64_t fault_decile(int64_t *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, by_value);
    return values[(count - 1) / 10];
}
