/* SPDX-License-Identifier: Apache-2.0 */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>

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

int64_t fault_decile(int64_t *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, by_value);
    return values[(count - 1) / 10];
}
