/* SPDX-License-Identifier: Apache-2.0 */
#include "redirect_share.h"

#include <math.h>
#include <stdio.h>

enum { sample_least = 60, sample_most = 1000 };

/* As for app: a correct fault is called wrong in at most this share of the series. */
static const double miss = 1e-4;

size_t redirect_samples(const char *kind, double share, size_t whole, struct dur_ns jitter,
                        struct base_error *err)
{
    size_t samples = whole;
    if (share < 1.0)
        samples = fault_sample_size(share, miss, sample_least, sample_most);
    double spread = jitter.ns > 0 ? ceil(FAULT_JITTER_SAMPLES / share) : 0.0;
    if (samples > 0 && spread > (double)samples)
        samples = spread <= sample_most ? (size_t)spread : 0;
    if (samples == 0)
        (void)base_fail(err, BASE_INVALID,
                        "%s: a share of %g %% cannot be shown in %d of them; ask for more", kind,
                        share * 100, sample_most);
    return samples;
}

int64_t redirect_rounds(size_t samples)
{
    return (int64_t)((samples + REDIRECT_PARALLEL - 1) / REDIRECT_PARALLEL);
}

struct fault_interval redirect_hits(double share, size_t count, bool in_place)
{
    struct fault_interval interval = {0, 0};
    if (in_place)
        interval = fault_binomial_interval(count, share, miss);
    if (in_place && interval.low == 0)
        interval.low = 1; /* none at all is never a proof */
    return interval;
}

bool redirect_jitter_shown(struct dur_ns jitter, int64_t *before, size_t before_count,
                           int64_t *late, size_t count, struct redirect_finding *out)
{
    int64_t usual = fault_middle_half(before, before_count);
    int64_t range = fault_middle_half(late, count);
    struct fault_interval want = fault_jitter_bounds(jitter.ns, usual);
    char text[3][BASE_DUR_TEXT];
    base_dur_format_brief((struct dur_ns){range}, text[0]);
    base_dur_format_brief((struct dur_ns){(int64_t)want.low}, text[1]);
    base_dur_format_brief((struct dur_ns){(int64_t)want.high}, text[2]);
    out->metric = "range of the middle half of the delays";
    (void)snprintf(out->value, sizeof out->value, "%s in %zu", text[0], count);
    (void)snprintf(out->expected, sizeof out->expected, "%s to %s", text[1], text[2]);
    return count > 0 && (size_t)range >= want.low && (size_t)range <= want.high;
}
