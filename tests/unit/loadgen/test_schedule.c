/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schedule.h"

static struct load_route routes[] = {{.weight = 1}, {.weight = 3}, {.weight = 6}};

static struct load_spec spec_of(enum load_arrivals arrivals, double rate, int64_t seconds,
                                uint64_t seed, size_t route_count)
{
    return (struct load_spec){.arrivals = arrivals,
                              .rate = rate,
                              .duration = base_dur_s(seconds),
                              .seed = seed,
                              .routes = routes,
                              .route_count = route_count};
}

static struct load_arrival *draw(const struct load_spec *spec, uint32_t share, uint32_t shares,
                                 size_t *count)
{
    struct load_schedule schedule;
    size_t cap = (size_t)(spec->rate * base_dur_to_s(spec->duration) * 1.5) + 1000;
    struct load_arrival *list = calloc(cap, sizeof *list);
    assert_non_null(list);
    load_schedule_init(&schedule, spec, share, shares);
    *count = 0;
    while (load_schedule_next(&schedule, &list[*count]))
        assert_true(++*count < cap);
    load_schedule_fini(&schedule);
    return list;
}

static void test_constant_is_exact(void **state)
{
    (void)state;
    struct load_spec spec = spec_of(LOAD_CONSTANT, 3000, 100, 1, 1);
    size_t count;
    struct load_arrival *list = draw(&spec, 0, 1, &count);
    assert_int_equal(count, 300000);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(list[i].number, i);
        int64_t exact = (int64_t)i * 1000000 / 3;
        assert_true(llabs(list[i].at - exact) <= 1);
    }
    free(list);
}

static void test_constant_below_one_a_second(void **state)
{
    (void)state;
    struct load_spec spec = spec_of(LOAD_CONSTANT, 0.5, 10, 1, 1);
    size_t count;
    struct load_arrival *list = draw(&spec, 0, 1, &count);
    assert_int_equal(count, 5);
    assert_int_equal(list[4].at, 8 * BASE_NS_PER_S);
    free(list);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Kolmogorov-Smirnov: the largest distance between the gaps' distribution and the exponential one,
 * times sqrt(n); above 1.628 with probability 1 %. */
static double ks_of_gaps(const struct load_arrival *list, size_t count, double mean)
{
    double *gaps = calloc(count, sizeof *gaps);
    double worst = 0;
    assert_non_null(gaps);
    for (size_t i = 0; i < count; i++)
        gaps[i] = (double)(list[i].at - (i == 0 ? 0 : list[i - 1].at));
    qsort(gaps, count, sizeof *gaps, compare_doubles);
    for (size_t i = 0; i < count; i++) {
        double expected = -expm1(-gaps[i] / mean);
        worst = fmax(worst, fabs(expected - (double)i / (double)count));
        worst = fmax(worst, fabs((double)(i + 1) / (double)count - expected));
    }
    free(gaps);
    return worst * sqrt((double)count);
}

static void test_poisson_gaps_are_exponential(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {1, 2, 3, 42, UINT64_C(0xdeadbeefcafe)};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        struct load_spec spec = spec_of(LOAD_POISSON, 2000, 50, seeds[i], 1);
        size_t count;
        struct load_arrival *list = draw(&spec, 0, 1, &count);
        double ks = ks_of_gaps(list, count, 1e9 / 2000);
        if (ks > 1.628)
            fail_msg("seed %llu: KS statistic %.3f", (unsigned long long)seeds[i], ks);
        free(list);
    }
    /* The test itself can tell: constant gaps are far from exponential. */
    struct load_spec spec = spec_of(LOAD_CONSTANT, 2000, 5, 1, 1);
    size_t count;
    struct load_arrival *list = draw(&spec, 0, 1, &count);
    assert_true(ks_of_gaps(list, count, 1e9 / 2000) > 1.628);
    free(list);
}

/* Of independent arrivals the counts of disjoint seconds vary as much as they are (index of
 * dispersion 1); gaps alone would not show a correlation. */
static void test_poisson_counts_disperse(void **state)
{
    (void)state;
    enum { SECONDS = 400 };
    struct load_spec spec = spec_of(LOAD_POISSON, 500, SECONDS, 7, 1);
    size_t count;
    struct load_arrival *list = draw(&spec, 0, 1, &count);
    double seen[SECONDS] = {0};
    for (size_t i = 0; i < count; i++)
        seen[list[i].at / BASE_NS_PER_S]++;
    double mean = (double)count / SECONDS, variance = 0;
    for (int i = 0; i < SECONDS; i++)
        variance += (seen[i] - mean) * (seen[i] - mean) / (SECONDS - 1);
    double index = variance / mean;
    /* Standard error sqrt(2/399) = 0.07; four of them. */
    assert_true(index > 0.72 && index < 1.28);
    free(list);
}

static void test_long_run_rate(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct load_spec spec =
            spec_of(kind == 0 ? LOAD_POISSON : LOAD_CONSTANT, 50000, 200, 11, 1);
        struct load_schedule schedule;
        struct load_arrival arrival;
        uint64_t count = 0;
        load_schedule_init(&schedule, &spec, 0, 1);
        while (load_schedule_next(&schedule, &arrival))
            count++;
        load_schedule_fini(&schedule);
        double ratio = (double)count / (50000.0 * 200.0);
        assert_true(fabs(ratio - 1) < 0.001);
    }
}

/* Whatever the number of threads, together they send one and the same sequence. */
static void test_shares_make_up_the_whole(void **state)
{
    (void)state;
    struct load_spec spec = spec_of(LOAD_POISSON, 1000, 20, 99, 3);
    size_t count;
    struct load_arrival *whole = draw(&spec, 0, 1, &count);
    for (uint32_t shares = 2; shares <= 7; shares++) {
        size_t sum = 0;
        for (uint32_t share = 0; share < shares; share++) {
            size_t n;
            struct load_arrival *part = draw(&spec, share, shares, &n);
            for (size_t i = 0; i < n; i++) {
                const struct load_arrival *same = &whole[part[i].number];
                assert_int_equal(part[i].number % shares, share);
                assert_int_equal(part[i].at, same->at);
                assert_int_equal(part[i].route, same->route);
                assert_true(i == 0 || part[i].at >= part[i - 1].at);
            }
            sum += n;
            free(part);
        }
        assert_int_equal(sum, count);
    }
    free(whole);
}

static void test_same_seed_same_schedule(void **state)
{
    (void)state;
    struct load_spec spec = spec_of(LOAD_POISSON, 1000, 10, 5, 2);
    size_t n, m, k;
    struct load_arrival *a = draw(&spec, 0, 1, &n);
    struct load_arrival *b = draw(&spec, 0, 1, &m);
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++)
        assert_true(a[i].at == b[i].at && a[i].route == b[i].route);
    /* Pinned: these must not change between releases, or old plans would mean other loads. */
    assert_int_equal(a[0].at, 340255);
    assert_int_equal(a[1].at, 1261765);
    spec.seed = 6;
    struct load_arrival *c = draw(&spec, 0, 1, &k);
    assert_true(c[0].at != a[0].at);
    free(a);
    free(b);
    free(c);
}

/* Adding routes moves no arrival in time, and shares follow the weights. */
static void test_routes_by_weight(void **state)
{
    (void)state;
    struct load_spec one = spec_of(LOAD_POISSON, 1000, 100, 5, 1);
    struct load_spec three = spec_of(LOAD_POISSON, 1000, 100, 5, 3);
    size_t n, m;
    struct load_arrival *a = draw(&one, 0, 1, &n);
    struct load_arrival *b = draw(&three, 0, 1, &m);
    size_t seen[3] = {0};
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(a[i].at, b[i].at);
        assert_int_equal(a[i].route, 0);
        seen[b[i].route]++;
    }
    static const double expected[] = {0.1, 0.3, 0.6};
    for (int i = 0; i < 3; i++) /* four standard errors of 100000 draws at most */
        assert_true(fabs((double)seen[i] / (double)n - expected[i]) < 0.0063);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_is_exact),
        cmocka_unit_test(test_constant_below_one_a_second),
        cmocka_unit_test(test_poisson_gaps_are_exponential),
        cmocka_unit_test(test_poisson_counts_disperse),
        cmocka_unit_test(test_long_run_rate),
        cmocka_unit_test(test_shares_make_up_the_whole),
        cmocka_unit_test(test_same_seed_same_schedule),
        cmocka_unit_test(test_routes_by_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
