/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "hdr_index.h"
#include "model/hdr.h"

static struct hdr make(int64_t lowest, int64_t highest, int figures)
{
    struct hdr hdr;
    struct base_error err = {.code = BASE_OK};
    if (!hdr_init(&hdr, lowest, highest, figures, &err))
        fail_msg("%s", err.message);
    return hdr;
}

/* From one to 2^bits - 1, as likely in each power of two. */
static int64_t any_magnitude(struct base_rng *rng, uint64_t bits)
{
    return (int64_t)(base_rng_u64(rng) >> (64 - 1 - base_rng_below(rng, bits)));
}

static void test_shape_of_latency(void **state)
{
    (void)state;
    struct hdr hdr;
    assert_true(hdr_init_latency(&hdr, NULL));
    assert_int_equal(hdr.lowest, 1);
    assert_int_equal(hdr.highest, INT64_C(3600000000000));
    assert_int_equal(hdr.significant_figures, 3);
    assert_int_equal(hdr.unit_magnitude, 0);
    assert_int_equal(hdr.half_magnitude, 10);
    assert_int_equal(hdr.sub_bucket_count, 2048);
    assert_int_equal(hdr.sub_bucket_mask, 2047);
    /* 2048 * 2^31 is the first power beyond an hour of nanoseconds. */
    assert_int_equal(hdr.bucket_count, 32);
    assert_int_equal(hdr.counts_len, 33 * 1024);
    assert_int_equal(hdr.total, 0);
    hdr_fini(&hdr);
    hdr_fini(&hdr);
}

static void test_sub_buckets_per_figures(void **state)
{
    (void)state;
    static const int32_t expected[] = {32, 256, 2048, 32768, 262144};
    for (int figures = 1; figures <= 5; figures++) {
        struct hdr hdr = make(1, 1000, figures);
        assert_int_equal(hdr.sub_bucket_count, expected[figures - 1]);
        hdr_fini(&hdr);
    }
}

static void test_init_refuses(void **state)
{
    (void)state;
    static const struct {
        int64_t lowest;
        int64_t highest;
        int figures;
    } bad[] = {{0, 10, 3},
               {-1, 10, 3},
               {1, 1, 3},
               {10, 19, 3},
               {1, 2, 0},
               {1, 2, 6},
               {1, INT64_MIN, 3},
               {1, 2, -1},
               {1, 2, INT32_MAX},
               {INT64_C(1) << 52, INT64_MAX, 3},
               {INT64_MAX, INT64_MAX, 3}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct hdr hdr = {.total = 77};
        struct base_error err = {.code = BASE_OK};
        assert_false(hdr_init(&hdr, bad[i].lowest, bad[i].highest, bad[i].figures, &err));
        assert_int_equal(err.code, BASE_INVALID);
        assert_int_equal(hdr.total, 77);
        assert_null(hdr.counts);
    }
    struct hdr hdr = make(10, 20, 3);
    hdr_fini(&hdr);
    hdr = make(INT64_C(1) << 51, INT64_MAX, 3);
    hdr_fini(&hdr);
}

/* Every index: its edges map to it, its neighbours' do not, and nothing lies between. */
static void check_boundaries(int64_t lowest, int64_t highest, int figures)
{
    struct hdr hdr = make(lowest, highest, figures);
    int64_t expected = 0;
    for (int64_t i = 0; i < hdr.counts_len; i++) {
        int64_t low = hdr_index_lowest(&hdr, i);
        int64_t high = hdr_index_highest(&hdr, i);
        if (low != expected || high < low)
            fail_msg("index %lld is %lld..%lld, not from %lld", (long long)i, (long long)low,
                     (long long)high, (long long)expected);
        assert_int_equal(hdr_index_of(&hdr, low), i);
        assert_int_equal(hdr_index_of(&hdr, high), i);
        assert_int_equal(hdr_index_of(&hdr, hdr_index_middle(&hdr, i)), i);
        if (high == INT64_MAX) {
            assert_int_equal(i, hdr.counts_len - 1);
            break;
        }
        expected = high + 1;
    }
    assert_true(hdr_index_highest(&hdr, hdr.counts_len - 1) >= highest);
    hdr_fini(&hdr);
}

static void test_index_boundaries(void **state)
{
    (void)state;
    check_boundaries(1, INT64_C(3600000000000), 3);
    check_boundaries(1, INT64_MAX, 1);
    check_boundaries(1, INT64_MAX, 3);
    check_boundaries(1, INT64_MAX / 2, 2);
    check_boundaries(1, 2, 3);
    check_boundaries(1000, INT64_C(1000000000), 2);
    check_boundaries(1024, INT64_C(1) << 40, 4);
    check_boundaries(INT64_C(1) << 51, INT64_MAX, 3);
    check_boundaries(7, 1 << 20, 5);
}

static void test_known_indices(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        int64_t index;
    } known[] = {{0, 0},       {1, 1},       {2047, 2047},    {2048, 2048}, {2049, 2048},
                 {2050, 2049}, {4095, 3071}, {4096, 3072},    {4099, 3072}, {4100, 3073},
                 {8191, 4095}, {8192, 4096}, {1 << 20, 11264}};
    struct hdr hdr;
    assert_true(hdr_init_latency(&hdr, NULL));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_int_equal(hdr_index_of(&hdr, known[i].value), known[i].index);
    assert_int_equal(hdr_lowest_equivalent(&hdr, 4099), 4096);
    assert_int_equal(hdr_highest_equivalent(&hdr, 4096), 4099);
    assert_int_equal(hdr_lowest_equivalent(&hdr, -5), 0);
    assert_int_equal(hdr_highest_equivalent(&hdr, -5), 0);
    hdr_fini(&hdr);
}

static void test_relative_error(void **state)
{
    (void)state;
    struct base_rng rng;
    base_rng_seed(&rng, 11);
    double allowed = 1;
    for (int figures = 1; figures <= 5; figures++) {
        allowed /= 10;
        struct hdr hdr = make(1, INT64_C(1) << 50, figures);
        for (int i = 0; i < 10000; i++) {
            int64_t value = any_magnitude(&rng, 50);
            int64_t width =
                hdr_highest_equivalent(&hdr, value) - hdr_lowest_equivalent(&hdr, value);
            assert_true((double)width <= allowed * (double)value);
        }
        hdr_fini(&hdr);
    }
}

static void test_empty(void **state)
{
    (void)state;
    struct hdr hdr = make(1, 1000000, 3);
    assert_int_equal(hdr_value_at_quantile(&hdr, 0.5), 0);
    assert_int_equal(hdr_max(&hdr), 0);
    assert_int_equal(hdr_min(&hdr), 0);
    assert_true(hdr_mean(&hdr) == 0);
    assert_true(hdr_stddev(&hdr) == 0);
    assert_int_equal(hdr_count_at_or_below(&hdr, INT64_MAX), 0);
    struct hdr_iter iter;
    hdr_iter_init(&iter, &hdr);
    assert_false(hdr_iter_next(&iter));
    hdr_fini(&hdr);
}

static void test_record_clamps(void **state)
{
    (void)state;
    struct hdr hdr = make(1, 1000000, 3);
    hdr_record(&hdr, -1);
    hdr_record(&hdr, INT64_MIN);
    hdr_record(&hdr, 1000001);
    hdr_record(&hdr, INT64_MAX);
    assert_int_equal(hdr.total, 4);
    assert_int_equal(hdr_count_at(&hdr, 0), 2);
    assert_int_equal(hdr_count_at(&hdr, 1000000), 2);
    assert_int_equal(hdr.max, 1000000);
    assert_int_equal(hdr.min, 1000000); /* of the non-zero values */
    assert_int_equal(hdr_min(&hdr), 0);
    assert_int_equal(hdr_max(&hdr), hdr_highest_equivalent(&hdr, 1000000));
    hdr_fini(&hdr);
}

static void test_min_ignores_zero(void **state)
{
    (void)state;
    struct hdr hdr = make(1, 1000000, 3);
    hdr_record(&hdr, 0);
    assert_int_equal(hdr.min, INT64_MAX);
    hdr_record(&hdr, 900);
    hdr_record(&hdr, 7);
    hdr_record(&hdr, 8);
    assert_int_equal(hdr.min, 7);
    hdr_reset(&hdr);
    assert_int_equal(hdr.min, INT64_MAX);
    hdr_record(&hdr, 900);
    assert_int_equal(hdr_min(&hdr), 900);
    assert_int_equal(hdr.total, 1);
    hdr_fini(&hdr);
}

static void test_record_n(void **state)
{
    (void)state;
    struct hdr hdr = make(1, 1000000, 3);
    hdr_record_n(&hdr, 5, 3);
    hdr_record_n(&hdr, 6, 0);
    hdr_record_n(&hdr, 6, -4);
    assert_int_equal(hdr.total, 3);
    assert_int_equal(hdr.max, 5);
    assert_int_equal(hdr_count_at(&hdr, 6), 0);
    hdr_record_n(&hdr, 9, INT64_MAX);
    assert_int_equal(hdr.total, INT64_MAX);
    assert_int_equal(hdr_count_at(&hdr, 9), INT64_MAX - 3);
    assert_int_equal(hdr_value_at_quantile(&hdr, 1), 9);
    hdr_reset(&hdr);
    hdr_record_n(&hdr, 5, INT64_MAX - 1);
    hdr_record_n(&hdr, 9, 1); /* a double does not tell these totals apart */
    assert_int_equal(hdr_value_at_quantile(&hdr, 1), 9);
    hdr_fini(&hdr);
}

static void test_counts(void **state)
{
    (void)state;
    struct hdr hdr = make(1, 1000000, 3);
    for (int64_t v = 1; v <= 1000; v++)
        hdr_record(&hdr, v);
    assert_int_equal(hdr_count_at(&hdr, 500), 1);
    assert_int_equal(hdr_count_at(&hdr, -1), 0);
    assert_int_equal(hdr_count_at(&hdr, INT64_MAX), 0);
    assert_int_equal(hdr_count_at_or_below(&hdr, 250), 250);
    assert_int_equal(hdr_count_at_or_below(&hdr, 0), 0);
    assert_int_equal(hdr_count_at_or_below(&hdr, -1), 0);
    assert_int_equal(hdr_count_at_or_below(&hdr, INT64_MAX), 1000);
    assert_true(hdr_mean(&hdr) == 500.5);
    assert_true(fabs(hdr_stddev(&hdr) - sqrt((1000.0 * 1000.0 - 1) / 12)) < 1e-9);
    hdr_fini(&hdr);
}

/* 0.999 * 1000 is a little above 999 in binary: the rank must still be 999. */
static void test_quantile_rounding(void **state)
{
    (void)state;
    struct hdr hdr = make(1, 1000000, 3);
    for (int64_t v = 1; v <= 1000; v++)
        hdr_record(&hdr, v);
    for (int64_t k = 1; k <= 1000; k++)
        assert_int_equal(hdr_value_at_quantile(&hdr, (double)k / 1000), k);
    assert_int_equal(hdr_value_at_quantile(&hdr, 0.0005), 1);
    assert_int_equal(hdr_value_at_quantile(&hdr, 0.9991), 1000);
    assert_int_equal(hdr_value_at_quantile(&hdr, 0), 1);
    assert_int_equal(hdr_value_at_quantile(&hdr, -1), 1);
    assert_int_equal(hdr_value_at_quantile(&hdr, 2), 1000);
    assert_int_equal(hdr_value_at_quantile(&hdr, (double)NAN), 1);
    hdr_fini(&hdr);
    /* Of values that share a bucket the lowest may be its lower end, and no more is known; every
     * other quantile is its upper end. */
    hdr = make(1, 1000000, 3);
    hdr_record(&hdr, 500000);
    static const double lowest[] = {0, -1, (double)NAN};
    for (size_t i = 0; i < sizeof lowest / sizeof *lowest; i++)
        assert_int_equal(hdr_value_at_quantile(&hdr, lowest[i]), 499968);
    assert_int_equal(hdr_value_at_quantile(&hdr, 1e-9), 500223);
    assert_int_equal(hdr_value_at_quantile(&hdr, 1), 500223);
    hdr_fini(&hdr);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The rank-th of the sorted values, with the rank worked out in whole numbers. */
static void test_quantile_against_sorted(void **state)
{
    (void)state;
    enum { COUNT = 3000, PARTS = 1000 };
    int64_t values[COUNT];
    struct base_rng rng;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        base_rng_seed(&rng, seed);
        struct hdr hdr = make(1 + (int64_t)(seed % 3) * 100, INT64_C(1) << 42, 1 + (int)(seed % 4));
        int count = 1 + (int)base_rng_below(&rng, COUNT);
        for (int i = 0; i < count; i++) {
            values[i] = any_magnitude(&rng, 42);
            hdr_record(&hdr, values[i]);
        }
        qsort(values, (size_t)count, sizeof values[0], by_value);
        for (int k = 1; k <= PARTS; k++) {
            int rank = (k * count + PARTS - 1) / PARTS;
            assert_int_equal(hdr_value_at_quantile(&hdr, (double)k / PARTS),
                             hdr_highest_equivalent(&hdr, values[rank - 1]));
        }
        assert_int_equal(hdr_max(&hdr), hdr_highest_equivalent(&hdr, values[count - 1]));
        assert_int_equal(hdr_min(&hdr), hdr_lowest_equivalent(&hdr, values[0]));
        hdr_fini(&hdr);
    }
}

static void test_iterates_every_count(void **state)
{
    (void)state;
    struct base_rng rng;
    base_rng_seed(&rng, 5);
    struct hdr hdr = make(1, INT64_MAX, 2);
    for (int i = 0; i < 5000; i++)
        hdr_record(&hdr, any_magnitude(&rng, 63));
    struct hdr copy = make(1, INT64_MAX, 2);
    struct hdr_iter iter;
    hdr_iter_init(&iter, &hdr);
    int64_t previous = -1;
    while (hdr_iter_next(&iter)) {
        assert_true(iter.value > previous);
        assert_true(iter.count > 0);
        assert_int_equal(iter.cumulative, hdr_count_at_or_below(&hdr, iter.value));
        hdr_record_n(&copy, iter.value, iter.count);
        previous = iter.value;
    }
    assert_int_equal(iter.cumulative, hdr.total);
    assert_true(hdr_equal(&hdr, &copy));
    hdr_fini(&copy);
    hdr_fini(&hdr);
}

static void test_merging_parts_equals_the_whole(void **state)
{
    (void)state;
    enum { PARTS = 7 };
    struct base_rng rng;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        base_rng_seed(&rng, seed);
        struct hdr whole;
        struct hdr sum;
        struct hdr parts[PARTS];
        assert_true(hdr_init_latency(&whole, NULL) && hdr_init_latency(&sum, NULL));
        for (size_t i = 0; i < PARTS; i++)
            assert_true(hdr_init_latency(&parts[i], NULL));
        for (int i = 0; i < 20000; i++) {
            int64_t value = any_magnitude(&rng, 50) - 10; /* some clamped at both ends */
            hdr_record(&whole, value);
            hdr_record(&parts[base_rng_below(&rng, PARTS)], value);
        }
        for (size_t i = 0; i < PARTS; i++)
            assert_true(hdr_add(&sum, &parts[i], NULL));
        assert_true(hdr_equal(&whole, &sum));
        assert_int_equal(whole.min, sum.min);
        assert_int_equal(whole.max, sum.max);
        assert_true(hdr_mean(&whole) == hdr_mean(&sum));
        for (size_t i = 0; i < PARTS; i++)
            hdr_fini(&parts[i]);
        hdr_fini(&sum);
        hdr_fini(&whole);
    }
}

/* Zeros alone, values alone, both, and values of which only the bucket of zero is used. */
static void test_reset_and_add_reach_every_count(void **state)
{
    (void)state;
    static const struct {
        int64_t lowest, a, b;
    } cases[] = {{1, 0, 0}, {1, 900, 70000}, {1, 0, 70000}, {1, 3, 1000000}, {1000, 5, 7}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hdr fresh = make(cases[i].lowest, 1000000, 3);
        struct hdr hdr = make(cases[i].lowest, 1000000, 3);
        struct hdr sum = make(cases[i].lowest, 1000000, 3);
        hdr_record(&hdr, cases[i].a);
        hdr_record(&hdr, cases[i].b);
        assert_true(hdr_add(&sum, &hdr, NULL));
        assert_true(hdr_equal(&sum, &hdr));
        hdr_reset(&hdr);
        assert_true(hdr_equal(&hdr, &fresh));
        hdr_fini(&sum);
        hdr_fini(&hdr);
        hdr_fini(&fresh);
    }
}

static void test_add_other_shapes(void **state)
{
    (void)state;
    struct base_error err = {.code = BASE_OK};
    struct hdr small = make(1, 10000, 3);
    struct hdr large = make(1, INT64_C(1) << 40, 3);
    for (int64_t v = 0; v <= 10000; v++)
        hdr_record(&small, v);
    assert_true(hdr_add(&large, &small, &err));
    assert_int_equal(large.total, small.total);
    for (int64_t v = 0; v <= 10000; v++)
        assert_int_equal(hdr_count_at(&large, v), hdr_count_at(&small, v));
    /* The other way too, as long as the values fit ... */
    assert_true(hdr_add(&small, &large, &err));
    assert_int_equal(small.total, 2 * 10001);
    /* ... and nothing changes when one does not. */
    hdr_record(&large, INT64_C(1) << 30);
    struct hdr before = make(1, 10000, 3);
    assert_true(hdr_add(&before, &small, &err));
    assert_false(hdr_add(&small, &large, &err));
    assert_int_equal(err.code, BASE_INVALID);
    assert_true(hdr_equal(&small, &before));
    hdr_fini(&before);
    hdr_fini(&large);
    hdr_fini(&small);
}

static void test_add_refuses_overflow(void **state)
{
    (void)state;
    struct base_error err = {.code = BASE_OK};
    struct hdr a = make(1, 10000, 3);
    struct hdr b = make(1, 10000, 3);
    hdr_record_n(&a, 1, INT64_MAX);
    hdr_record(&b, 1);
    assert_false(hdr_add(&a, &b, &err));
    assert_int_equal(err.code, BASE_INVALID);
    assert_int_equal(hdr_count_at(&a, 1), INT64_MAX);
    hdr_fini(&b);
    hdr_fini(&a);
}

static void test_equal_sees_differences(void **state)
{
    (void)state;
    struct hdr a = make(1, 10000, 3);
    struct hdr b = make(1, 10000, 3);
    assert_true(hdr_equal(&a, &b));
    hdr_record(&a, 5);
    assert_false(hdr_equal(&a, &b));
    hdr_record(&b, 6);
    assert_false(hdr_equal(&a, &b)); /* as many, elsewhere */
    hdr_record(&a, 6);
    hdr_record(&b, 5);
    assert_true(hdr_equal(&a, &b));
    struct hdr c = make(1, 10001, 3); /* the same layout under another name */
    hdr_record(&c, 5);
    hdr_record(&c, 6);
    assert_false(hdr_equal(&a, &c));
    hdr_fini(&c);
    hdr_fini(&b);
    hdr_fini(&a);
}

/* One value in a million is where it belongs: nothing is sampled, decayed or cut off. */
static void test_tail_past_p9999_vegeta_726(void **state)
{
    (void)state;
    struct hdr hdr;
    assert_true(hdr_init_latency(&hdr, NULL));
    for (int64_t i = 1; i <= 1000000; i++)
        hdr_record(&hdr, i * 1000);
    static const double quantiles[] = {0.9999, 0.99999, 0.999999, 1};
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        double exact = ceil(quantiles[i] * 1e6 - 1e-6) * 1000;
        double measured = (double)hdr_value_at_quantile(&hdr, quantiles[i]);
        assert_true(fabs(measured / exact - 1) < 0.001);
    }
    /* A hundred outliers, ten seconds each, are p99.99 to the last of them, and not p99.98. */
    hdr_record_n(&hdr, 10000 * BASE_NS_PER_MS, 100);
    assert_true(hdr_value_at_quantile(&hdr, 0.99991) > 9990 * BASE_NS_PER_MS);
    assert_true(hdr_value_at_quantile(&hdr, 0.9998) < 1001 * BASE_NS_PER_MS);
    assert_true(hdr_value_at_quantile(&hdr, 1) <= hdr_max(&hdr));
    hdr_fini(&hdr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_of_latency),
        cmocka_unit_test(test_sub_buckets_per_figures),
        cmocka_unit_test(test_init_refuses),
        cmocka_unit_test(test_index_boundaries),
        cmocka_unit_test(test_known_indices),
        cmocka_unit_test(test_relative_error),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_record_clamps),
        cmocka_unit_test(test_min_ignores_zero),
        cmocka_unit_test(test_record_n),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_quantile_rounding),
        cmocka_unit_test(test_quantile_against_sorted),
        cmocka_unit_test(test_iterates_every_count),
        cmocka_unit_test(test_merging_parts_equals_the_whole),
        cmocka_unit_test(test_reset_and_add_reach_every_count),
        cmocka_unit_test(test_add_other_shapes),
        cmocka_unit_test(test_add_refuses_overflow),
        cmocka_unit_test(test_equal_sees_differences),
        cmocka_unit_test(test_tail_past_p9999_vegeta_726),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
