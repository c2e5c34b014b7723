/* SPDX-License-Identifier: Apache-2.0 */
#include "app_sample.h"

#include <math.h>
#include <stdio.h>

enum {
    sample_least_latency = 20,
    sample_least_errors = 100,
    sample_most = 2500,
    parallel_least = 16,
    parallel_most = 64
};
/* A fault of the wrong size is called right in at most this share of the series. */
static const double wrong = 0.01;
static const double lease_share = 0.8; /* of the lease may a series take */

/* How many requests a series may have so that it ends within the lease. */
static size_t affordable(const struct fault_spec *spec)
{
    double latency_s = base_dur_to_s(spec->app.latency);
    if (!(latency_s > 0.0))
        return sample_most;
    double rounds = floor(base_dur_to_s(spec->lease) * lease_share / latency_s);
    return rounds * parallel_most < sample_most ? (size_t)rounds * parallel_most : sample_most;
}

/* As many as tell half and twice the rate from it; when the lease is too short for that, as many
 * as it allows, and the evidence says what they tell apart. */
static bool plan_errors(struct app_sample *sample, const struct fault_spec *spec,
                        struct base_error *err)
{
    double rate = spec->app.error_rate;
    size_t most = affordable(spec);
    size_t shown = fault_sample_size(rate, APP_SAMPLE_MISS, sample_least_errors, sample_most);
    sample->size =
        fault_sample_to_tell(rate, 2.0, APP_SAMPLE_MISS, wrong, sample_least_errors, sample_most);
    if (sample->size == 0 || sample->size > most)
        sample->size = most > sample_least_errors ? most : sample_least_errors;
    sample->told_apart = fault_told_apart(sample->size, rate, APP_SAMPLE_MISS, wrong);
    sample->absent = shown;
    if (shown > 0 && shown <= sample->size && sample->told_apart > 0)
        return true;
    return base_fail(err, BASE_INVALID,
                     "an error rate of %g %% cannot be shown in %zu requests, which could not tell "
                     "it from a tenth of it; ask for 1 %% or more, and with latency for a longer "
                     "lease",
                     rate * 100, sample->size);
}

bool app_sample_plan(const struct fault_spec *spec, struct app_sample *out, struct base_error *err)
{
    struct app_sample plan = {.size = sample_least_latency, .absent = sample_least_latency};
    struct app_sample *sample = &plan;
    if (!(spec->app.error_rate > 0.0) && spec->app.latency.ns <= 0)
        return base_fail(err, BASE_INVALID, "an app fault needs an error rate or a latency");
    if (spec->app.error_rate > 0.0 && !plan_errors(sample, spec, err))
        return false;
    double budget_s = base_dur_to_s(spec->lease) / 4;
    double serial_s = (double)sample->size * base_dur_to_s(spec->app.latency);
    double parallel = ceil(serial_s / budget_s);
    sample->parallel = parallel < parallel_least  ? parallel_least
                       : parallel > parallel_most ? parallel_most
                                                  : (size_t)parallel;
    double rounds = ceil((double)sample->size / (double)sample->parallel);
    double need_s = rounds * base_dur_to_s(spec->app.latency);
    if (need_s > base_dur_to_s(spec->lease) * lease_share + 1e-9)
        return base_fail(err, BASE_INVALID,
                         "with this latency the effect takes %.1f s to measure, longer than the "
                         "lease lasts; give a lease of at least %.0f s",
                         need_s, ceil(need_s / lease_share));
    *out = plan;
    return true;
}

void app_sample_describe(const struct app_sample *sample, double rate,
                         struct fault_interval expected, char *out, size_t size)
{
    int n = snprintf(out, size, "%.1f %%: %zu to %zu", 100.0 * rate, expected.low, expected.high);
    if (rate > 0.0 && rate < 1.0 && n > 0 && (size_t)n < size)
        (void)snprintf(out + n, size - (size_t)n, "; a rate %u times smaller or larger is outside",
                       sample->told_apart);
}
