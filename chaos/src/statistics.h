/* SPDX-License-Identifier: Apache-2.0 */
/* How many requests it takes to show a rate, and what counts as having shown it. Pure. */
#ifndef CHAOS_STATISTICS_H
#define CHAOS_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The counts that a true rate makes likely: outside are fewer than `miss` of all series, half of it
 * on each side. */
struct fault_interval {
    size_t low;
    size_t high;
};

/* Requests needed so that a rate that is really there shows up at least once in all but `miss` of
 * the series, at least `least`; 0 when that would be more than `most`. */
size_t fault_sample_size(double rate, double miss, size_t least, size_t most);
/* The central interval of Binomial(n, rate), exact (no normal approximation). */
struct fault_interval fault_binomial_interval(size_t n, double rate, double miss);
/* Requests needed, at least `least`, so that the interval around `rate` holds the counts of a rate
 * that is `factor` times smaller or larger in at most `wrong` of the series; 0 when that would be
 * more than `most`. A larger rate that is none (over 1) need not be told apart. */
size_t fault_sample_to_tell(double rate, double factor, double miss, double wrong, size_t least,
                            size_t most);
/* The least whole factor, up to 10, that n requests tell apart in this sense; 0: none. */
unsigned fault_told_apart(size_t n, double rate, double miss, double wrong);

/* Whether a series shows the rate: `hits` of `answered`, and none known of the rest of `asked`,
 * which may be one or 2 %. The unknown count as whichever speaks against the rate; around none and
 * around all there is no room for that, and they are left out. *expected gets the interval. */
bool fault_rate_shown(double rate, double miss, size_t asked, size_t answered, size_t hits,
                      struct fault_interval *expected);
/* The range of the middle half of count values, which are sorted in place: J when they are spread
 * evenly over +-J. */
int64_t fault_middle_half(int64_t *values, size_t count);
/* What that range may be, in nanoseconds, for a jitter of that size among FAULT_JITTER_SAMPLES
 * times, where it was `before_ns` without: one that is a tenth as large or ten times as large is
 * outside. */
struct fault_interval fault_jitter_bounds(int64_t jitter_ns, int64_t before_ns);
enum { FAULT_JITTER_SAMPLES = 96 };

/* Of count values, which are sorted in place; 0 of none. */
int64_t fault_median(int64_t *values, size_t count);
/* The value that a tenth of them does not exceed. A busy machine makes round trips longer, never
 * shorter: this is nearer to what packets meet than the median is. */
int64_t fault_decile(int64_t *values, size_t count);

#endif
