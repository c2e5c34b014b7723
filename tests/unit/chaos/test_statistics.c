/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "statistics.h"

static void bounds_of_a_known_binomial(void **state)
{
    (void)state;
    /* P(X=k) for n=4, p=0.5 is 1 4 6 4 1 of 16. */
    struct fault_interval i = fault_binomial_interval(4, 0.5, 2.0 / 17);
    assert_int_equal(i.low, 0);
    assert_int_equal(i.high, 4);
    i = fault_binomial_interval(4, 0.5, 2.0 / 15);
    assert_int_equal(i.low, 1);
    assert_int_equal(i.high, 3);
    i = fault_binomial_interval(4, 0.5, 2.0 * 5.01 / 16);
    assert_int_equal(i.low, 2);
    assert_int_equal(i.high, 2);
}

static void no_rate_and_every_request(void **state)
{
    (void)state;
    struct fault_interval i = fault_binomial_interval(100, 0.0, 1e-4);
    assert_int_equal(i.low, 0);
    assert_int_equal(i.high, 0);
    i = fault_binomial_interval(100, 1.0, 1e-4);
    assert_int_equal(i.low, 100);
    assert_int_equal(i.high, 100);
    i = fault_binomial_interval(0, 0.3, 1e-4);
    assert_int_equal(i.low, 0);
    assert_int_equal(i.high, 0);
}

/* Of many series with the true rate nearly all lie inside; of series with a rate that is half or
 * twice as large, nearly none. */
static size_t inside(double asked, double real, size_t n, size_t series)
{
    struct base_rng rng;
    base_rng_seed(&rng, 7);
    struct fault_interval interval = fault_binomial_interval(n, asked, 1e-4);
    size_t hits = 0;
    for (size_t s = 0; s < series; s++) {
        size_t k = 0;
        for (size_t i = 0; i < n; i++)
            k += base_rng_unit(&rng) < real ? 1 : 0;
        hits += k >= interval.low && k <= interval.high ? 1 : 0;
    }
    return hits;
}

static void the_true_rate_is_inside_and_others_are_not(void **state)
{
    (void)state;
    assert_true(inside(0.2, 0.2, 100, 10000) >= 9990);
    assert_true(inside(0.2, 0.0, 100, 1000) == 0);
    assert_true(inside(0.2, 0.5, 100, 1000) < 10);
    assert_true(inside(0.5, 0.05, 100, 1000) == 0);
}

static void the_sample_shows_the_rate_at_least_once(void **state)
{
    (void)state;
    static const double rates[] = {0.005, 0.01, 0.05, 0.2, 0.5, 0.99};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        size_t n = fault_sample_size(rates[i], 1e-4, 1, 5000);
        assert_true(n > 0);
        assert_true(pow(1 - rates[i], (double)n) <= 1e-4);
        assert_true(n == 1 || pow(1 - rates[i], (double)(n - 1)) > 1e-4);
    }
    assert_int_equal(fault_sample_size(0.5, 1e-4, 100, 2000), 100);
    assert_int_equal(fault_sample_size(1.0, 1e-4, 1, 2000), 1);
    assert_int_equal(fault_sample_size(0.0, 1e-4, 20, 2000), 20);
    assert_int_equal(fault_sample_size(0.001, 1e-4, 1, 2000), 0);
    assert_int_equal(fault_sample_size(1e-300, 1e-4, 1, 2000), 0);
}

/* Drawn, not computed: the sample that was chosen keeps out half and twice the rate. */
static void the_sample_tells_half_and_twice_apart(void **state)
{
    (void)state;
    static const double rates[] = {0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        double rate = rates[i];
        size_t n = fault_sample_to_tell(rate, 2.0, 1e-4, 0.01, 1, 2500);
        assert_true(n > 0);
        assert_true(inside(rate, rate, n, 2000) >= 1996);
        assert_true(inside(rate, rate / 2, n, 2000) < 40);
        if (rate <= 0.5)
            assert_true(inside(rate, rate * 2, n, 2000) < 40);
        assert_int_equal(fault_told_apart(n, rate, 1e-4, 0.01), 2);
    }
    size_t n = fault_sample_to_tell(0.2, 2.0, 1e-4, 0.01, 100, 2500);
    assert_true(n >= 400 && n <= 600);
    assert_true(inside(0.2, 0.1, 100, 2000) > 1000); /* what 100 requests would let pass */
    assert_int_equal(fault_told_apart(100, 0.2, 1e-4, 0.01), 0);
    assert_int_equal(fault_sample_to_tell(0.9, 2.0, 1e-4, 0.01, 100, 2500), 100);
    assert_int_equal(fault_sample_to_tell(1.0, 2.0, 1e-4, 0.01, 100, 2500), 100);
    assert_int_equal(fault_sample_to_tell(0.0, 2.0, 1e-4, 0.01, 100, 2500), 100);
    assert_int_equal(fault_sample_to_tell(0.02, 2.0, 1e-4, 0.01, 100, 2500), 0);
}

static void what_cannot_be_told_apart_is_said(void **state)
{
    (void)state;
    unsigned two = fault_told_apart(2500, 0.02, 1e-4, 0.01);
    unsigned one = fault_told_apart(2500, 0.01, 1e-4, 0.01);
    assert_true(two > 2 && two < one && one <= 10);
    assert_int_equal(fault_told_apart(2500, 0.005, 1e-4, 0.01), 0);
    assert_int_equal(fault_told_apart(3, 0.2, 1e-4, 0.01), 0);
}

static void a_few_unknown_do_not_hide_a_rate(void **state)
{
    (void)state;
    static const struct {
        double rate;
        size_t asked, answered, hits;
        bool shown;
    } cases[] = {
        {0.2, 540, 540, 108, true},  {0.2, 540, 539, 108, true}, /* one is always allowed */
        {0.2, 540, 530, 108, true},                              /* 2 % are 10 */
        {0.2, 540, 529, 108, false},                             /* and no more */
        {0.2, 540, 0, 0, false},     {0.2, 0, 0, 0, false},
        {0.2, 540, 540, 54, false},  {0.2, 540, 540, 216, false},
        {1.0, 100, 100, 100, true},  {1.0, 100, 99, 99, true},
        {1.0, 100, 100, 99, false},  {1.0, 100, 97, 97, false},
        {0.0, 100, 99, 0, true},     {0.0, 100, 100, 1, false},
        {0.0, 3, 0, 0, false},       {0.001, 100, 100, 0, false}, /* none at all is never a proof */
    };
    struct fault_interval expected;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (fault_rate_shown(cases[i].rate, 1e-4, cases[i].asked, cases[i].answered, cases[i].hits,
                             &expected) != cases[i].shown)
            fail_msg("case %zu", i);
    /* At both ends the unknown speak against the rate. */
    struct fault_interval bounds = fault_binomial_interval(540, 0.2, 1e-4);
    assert_true(fault_rate_shown(0.2, 1e-4, 540, 540, bounds.high, &expected));
    assert_false(fault_rate_shown(0.2, 1e-4, 540, 539, bounds.high, &expected));
    assert_true(fault_rate_shown(0.2, 1e-4, 540, 539, bounds.high - 1, &expected));
    assert_true(fault_rate_shown(0.2, 1e-4, 540, 539, bounds.low, &expected));
    assert_false(fault_rate_shown(0.2, 1e-4, 540, 539, bounds.low - 1, &expected));
    assert_int_equal(expected.low, bounds.low);
    assert_int_equal(expected.high, bounds.high);
}

static void median_of_odd_even_and_none(void **state)
{
    (void)state;
    int64_t odd[] = {9, 1, 5};
    int64_t even[] = {4, 1, 3, 2};
    int64_t large[] = {INT64_MAX, INT64_MAX - 2};
    assert_int_equal(fault_median(odd, 3), 5);
    assert_int_equal(fault_median(even, 4), 2);
    assert_int_equal(fault_median(large, 2), INT64_MAX - 1);
    assert_int_equal(fault_median(odd, 0), 0);
}

static void a_tenth_does_not_exceed_the_decile(void **state)
{
    (void)state;
    int64_t values[] = {50, 10, 40, 20, 30};
    assert_int_equal(fault_decile(values, 0), 0);
    assert_int_equal(fault_decile(values, 1), 50);
    assert_int_equal(fault_decile(values, 5), 10);
    int64_t noisy[21];
    for (int i = 0; i < 21; i++)
        noisy[i] = (i * 8) % 21 < 3 ? 10 + (i * 8) % 21 : 900;
    assert_int_equal(fault_decile(noisy, 21), 12);
}

/* The range of so many even draws, beside a machine that is late by up to `noise` every other time.
 */
static int64_t drawn_range(struct base_rng *rng, double jitter, double noise)
{
    int64_t values[FAULT_JITTER_SAMPLES];
    for (size_t i = 0; i < FAULT_JITTER_SAMPLES; i++) {
        double late = base_rng_unit(rng) < 0.5 ? noise * base_rng_unit(rng) : 0.0;
        values[i] = (int64_t)(1e8 + (2.0 * base_rng_unit(rng) - 1.0) * jitter + late);
    }
    return fault_middle_half(values, FAULT_JITTER_SAMPLES);
}

static void a_jitter_is_told_from_others(void **state)
{
    (void)state;
    struct base_rng rng;
    const double jitter = 2e7;
    const double noises[] = {0.0, 4e6, 1.5e7};
    base_rng_seed(&rng, 1);
    for (size_t n = 0; n < sizeof noises / sizeof *noises; n++) {
        unsigned wrong[4] = {0};
        for (int i = 0; i < 1000; i++) {
            const double sizes[] = {jitter, jitter / 10, 0.0, jitter * 10};
            struct fault_interval bounds =
                fault_jitter_bounds((int64_t)jitter, drawn_range(&rng, 0.0, noises[n]));
            for (size_t k = 0; k < 4; k++) {
                size_t range = (size_t)drawn_range(&rng, sizes[k], noises[n]);
                bool shown = range >= bounds.low && range <= bounds.high;
                wrong[k] += shown != (k == 0) ? 1 : 0;
            }
        }
        for (size_t k = 0; k < 4; k++)
            if (wrong[k] > 3)
                fail_msg("noise %g, size %zu: %u wrong", noises[n], k, wrong[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenth_does_not_exceed_the_decile),
        cmocka_unit_test(bounds_of_a_known_binomial),
        cmocka_unit_test(no_rate_and_every_request),
        cmocka_unit_test(the_true_rate_is_inside_and_others_are_not),
        cmocka_unit_test(the_sample_shows_the_rate_at_least_once),
        cmocka_unit_test(the_sample_tells_half_and_twice_apart),
        cmocka_unit_test(what_cannot_be_told_apart_is_said),
        cmocka_unit_test(a_few_unknown_do_not_hide_a_rate),
        cmocka_unit_test(median_of_odd_even_and_none),
        cmocka_unit_test(a_jitter_is_told_from_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
