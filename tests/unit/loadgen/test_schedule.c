/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "loadgen/replay.h"
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

/* How many arrivals the rates and bursts of a spec amount to. */
static double expected(const struct load_spec *spec)
{
    double sum = spec->stage_count > 0 ? 0 : spec->rate * base_dur_to_s(spec->duration);
    for (size_t i = 0; i < spec->stage_count; i++) {
        const struct load_stage *stage = &spec->stages[i];
        sum += (stage->from + stage->to) / 2 * base_dur_to_s(stage->length);
        if (stage->burst > 0)
            sum += (double)stage->burst * ceil((double)stage->length.ns / (double)stage->every.ns);
    }
    return sum;
}

static struct load_arrival *draw(const struct load_spec *spec, uint32_t share, uint32_t shares,
                                 size_t *count)
{
    struct load_schedule schedule;
    size_t cap = (size_t)(expected(spec) * 1.5) + 1000;
    struct load_arrival *list = calloc(cap, sizeof *list);
    assert_non_null(list);
    load_schedule_init(&schedule, spec, NULL, share, shares);
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
    /* 0.07 * 100 comes out above 7, 0.57 * 100 below 57. */
    static const struct {
        double rate;
        int64_t seconds;
        size_t due;
    } cases[] = {{0.1, 10, 1}, {0.07, 100, 7}, {0.28, 100, 28}, {0.57, 100, 57}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        spec = spec_of(LOAD_CONSTANT, cases[i].rate, cases[i].seconds, 1, 1);
        list = draw(&spec, 0, 1, &count);
        assert_int_equal(count, cases[i].due);
        free(list);
    }
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
        load_schedule_init(&schedule, &spec, NULL, 0, 1);
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

/* ---- stages ---- */

static struct load_spec stages_of(enum load_arrivals arrivals, struct load_stage *stages,
                                  size_t count, uint64_t seed)
{
    struct load_spec spec = spec_of(arrivals, 0, 0, seed, 1);
    spec.stages = stages;
    spec.stage_count = count;
    for (size_t i = 0; i < count; i++)
        spec.duration.ns += stages[i].length.ns;
    return spec;
}

/* The integral of the rates over the first t ns, in extended precision, by the trapezium's rule. */
static long double area_until(const struct load_spec *spec, int64_t t)
{
    long double area = 0;
    for (size_t i = 0; i < spec->stage_count && t > 0; i++) {
        const struct load_stage *stage = &spec->stages[i];
        int64_t part = t < stage->length.ns ? t : stage->length.ns;
        long double share = (long double)part / (long double)stage->length.ns;
        long double from = (long double)stage->from;
        long double there = from + ((long double)stage->to - from) * share;
        area += (from + there) / 2 * ((long double)part / 1e9L);
        t -= part;
    }
    return area;
}

/* Burst arrivals before t. */
static uint64_t fired_until(const struct load_spec *spec, int64_t t)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < spec->stage_count && t > 0; i++) {
        const struct load_stage *stage = &spec->stages[i];
        int64_t part = t < stage->length.ns ? t : stage->length.ns;
        if (stage->burst > 0)
            sum += stage->burst * (uint64_t)((part - 1) / stage->every.ns + 1);
        t -= part;
    }
    return sum;
}

/* At every arrival's time and at a thousand others: what is due before t is the ceiling of the
 * integral. Two nanoseconds of rounding are left, one here and one there. */
static void assert_integral(const struct load_spec *spec, const struct load_arrival *list,
                            size_t count)
{
    size_t before = 0;
    for (size_t i = 0; i < 1000; i++) {
        int64_t t = spec->duration.ns / 1000 * (int64_t)(i + 1);
        while (before < count && list[before].at < t)
            before++;
        uint64_t fired = fired_until(spec, t);
        uint64_t least = (uint64_t)ceill(area_until(spec, t - 2) - 1e-9L) + fired;
        uint64_t most = (uint64_t)ceill(area_until(spec, t + 2) + 1e-9L) + fired;
        if (before < least || before > most)
            fail_msg("before %lld ns: %zu arrivals, expected %llu to %llu", (long long)t, before,
                     (unsigned long long)least, (unsigned long long)most);
    }
    assert_true(fabs((double)count - ceil(expected(spec) - 1e-6)) < 0.5);
}

static void test_ramp_integral_is_exact(void **state)
{
    (void)state;
    static const struct {
        double from, to;
        int64_t seconds;
        size_t count;
    } ramps[] = {{0, 1000, 10, 5000}, {1000, 0, 10, 5000},  {100, 500, 60, 18000},
                 {0, 0.5, 20, 5},     {999, 1000, 7, 6997}, {0, 100000, 3, 150000},
                 {5, 5, 10, 50}};
    for (size_t i = 0; i < sizeof ramps / sizeof *ramps; i++) {
        struct load_stage stage = {
            base_dur_s(ramps[i].seconds), ramps[i].from, ramps[i].to, 0, {0}};
        struct load_spec spec = stages_of(LOAD_CONSTANT, &stage, 1, 1);
        size_t count;
        struct load_arrival *list = draw(&spec, 0, 1, &count);
        assert_int_equal(count, ramps[i].count);
        assert_integral(&spec, list, count);
        free(list);
    }
    /* The n-th arrival of a ramp from 0 to r in T is due at T * sqrt(2n / (r*T)). */
    struct load_stage stage = {base_dur_s(10), 0, 1000, 0, {0}};
    struct load_spec spec = stages_of(LOAD_CONSTANT, &stage, 1, 1);
    size_t count;
    struct load_arrival *list = draw(&spec, 0, 1, &count);
    for (size_t i = 0; i < count; i++)
        assert_true(fabsl((long double)list[i].at - 1e10L * sqrtl((long double)i / 5000)) <= 1);
    free(list);
}

/* A stage begins with what the one before it left of a whole arrival; silence sends nothing. */
static void test_stages_join(void **state)
{
    (void)state;
    struct load_stage stages[] = {{base_dur_s(1), 10, 10, 0, {0}},
                                  {base_dur_s(5), 0, 0, 0, {0}},
                                  {base_dur_s(1), 10.5, 10.5, 0, {0}},
                                  {base_dur_s(1), 1, 1, 0, {0}}};
    struct load_spec spec = stages_of(LOAD_CONSTANT, stages, 4, 1);
    size_t count;
    struct load_arrival *list = draw(&spec, 0, 1, &count);
    assert_int_equal(count, 22); /* 10, none, 11 (the last begun half), 1 */
    assert_int_equal(list[9].at, 900 * BASE_NS_PER_MS);
    assert_int_equal(list[10].at, 6 * BASE_NS_PER_S);
    assert_int_equal(list[21].at, 7500 * BASE_NS_PER_MS);
    assert_integral(&spec, list, count);
    free(list);
}

static void test_bursts(void **state)
{
    (void)state;
    struct load_stage stages[] = {{base_dur_s(1), 0, 0, 0, {0}},
                                  {base_dur_s(2), 0, 0, 50, {800 * BASE_NS_PER_MS}},
                                  {base_dur_s(1), 4, 4, 0, {0}}};
    for (int kind = 0; kind < 2; kind++) {
        struct load_spec spec = stages_of(kind == 0 ? LOAD_CONSTANT : LOAD_POISSON, stages, 3, 3);
        size_t count;
        struct load_arrival *list = draw(&spec, 0, 1, &count);
        for (size_t i = 0; i < 150; i++)
            assert_int_equal(list[i].at, (int64_t)(1000 + i / 50 * 800) * BASE_NS_PER_MS);
        assert_true(kind == 1 || (count == 154 && list[150].at == 3 * BASE_NS_PER_S));
        free(list);
    }
    /* One that would begin at the stage's end is not in it. */
    struct load_stage whole = {base_dur_s(2), 0, 0, 5, {500 * BASE_NS_PER_MS}};
    struct load_spec spec = stages_of(LOAD_CONSTANT, &whole, 1, 3);
    size_t count;
    struct load_arrival *list = draw(&spec, 0, 1, &count);
    assert_int_equal(count, 20);
    assert_int_equal(list[19].at, 1500 * BASE_NS_PER_MS);
    free(list);
}

static struct load_stage random_stage(struct base_rng *rng)
{
    struct load_stage stage = {.length = {1 + (int64_t)base_rng_below(rng, 3 * 1000000000ULL)}};
    switch (base_rng_below(rng, 5)) {
    case 0: /* silence */
        break;
    case 1:
        stage.from = stage.to = base_rng_unit(rng) * 3000;
        break;
    case 2:
        stage.to = base_rng_unit(rng) * 3000;
        break;
    case 3:
        stage.from = base_rng_unit(rng) * 3000;
        stage.to = base_rng_unit(rng) * 3000;
        break;
    default:
        stage.burst = 1 + base_rng_below(rng, 40);
        stage.every.ns = 1 + (int64_t)base_rng_below(rng, 1000000000) + 10000000;
    }
    return stage;
}

/* Whatever stages are put together: integrals are exact, times do not decrease and stay inside, and
 * the threads' shares make up the whole. */
static void test_random_stages(void **state)
{
    (void)state;
    struct base_rng rng;
    base_rng_seed(&rng, 20261126);
    for (int round = 0; round < 60; round++) {
        struct load_stage stages[6];
        size_t stage_count = 1 + base_rng_below(&rng, 6);
        for (size_t i = 0; i < stage_count; i++)
            stages[i] = random_stage(&rng);
        enum load_arrivals arrivals = round % 2 == 0 ? LOAD_CONSTANT : LOAD_POISSON;
        struct load_spec spec = stages_of(arrivals, stages, stage_count, (uint64_t)round);
        size_t count, sum = 0;
        struct load_arrival *list = draw(&spec, 0, 1, &count);
        for (size_t i = 0; i < count; i++) {
            assert_true(list[i].at >= 0 && list[i].at < spec.duration.ns);
            assert_true(i == 0 || list[i].at >= list[i - 1].at);
        }
        if (arrivals == LOAD_CONSTANT)
            assert_integral(&spec, list, count);
        uint32_t shares = 2 + (uint32_t)(round % 3);
        for (uint32_t share = 0; share < shares; share++) {
            size_t n;
            struct load_arrival *part = draw(&spec, share, shares, &n);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(part[i].at, list[part[i].number].at);
            sum += n;
            free(part);
        }
        assert_int_equal(sum, count);
        free(list);
    }
}

/* Time rescaling: carried back through the integral, the arrivals of any shape are a Poisson
 * process of rate one. */
static void test_poisson_ramp_after_rescaling(void **state)
{
    (void)state;
    struct load_stage stages[] = {{base_dur_s(20), 0, 2000, 0, {0}},
                                  {base_dur_s(10), 2000, 2000, 0, {0}},
                                  {base_dur_s(20), 2000, 100, 0, {0}}};
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct load_spec spec = stages_of(LOAD_POISSON, stages, 3, seed);
        size_t count;
        struct load_arrival *list = draw(&spec, 0, 1, &count);
        assert_true(ks_of_gaps(list, count, 50e9 / (double)count) > 1.628); /* as they are: no */
        for (size_t i = 0; i < count; i++)
            list[i].at = (int64_t)(area_until(&spec, list[i].at) * 1e9L);
        double ks = ks_of_gaps(list, count, 1e9);
        if (ks > 1.628)
            fail_msg("seed %llu: KS statistic %.3f", (unsigned long long)seed, ks);
        /* 61000 expected; four standard deviations. */
        assert_true(fabs((double)count - 61000) < 4 * sqrt(61000));
        free(list);
    }
}

static void test_long_run_rate_of_a_ramp(void **state)
{
    (void)state;
    struct load_stage stage = {base_dur_s(200), 0, 40000, 0, {0}};
    struct load_spec spec = stages_of(LOAD_POISSON, &stage, 1, 11);
    size_t count;
    struct load_arrival *list = draw(&spec, 0, 1, &count);
    assert_true(fabs((double)count / 4e6 - 1) < 0.001);
    free(list);
}

static void test_steps(void **state)
{
    (void)state;
    struct load_spec spec = spec_of(LOAD_CONSTANT, 0, 10, 1, 1);
    struct load_stage ramp = {{10000000001}, 100, 300, 0, {0}};
    load_spec_add_steps(&spec, &ramp, 3);
    assert_int_equal(spec.stage_count, 3);
    int64_t sum = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_true(spec.stages[i].from == 100 + 100 * (double)i);
        assert_true(spec.stages[i].to == spec.stages[i].from);
        sum += spec.stages[i].length.ns;
    }
    assert_int_equal(sum, ramp.length.ns);
    free(spec.stages);
}

/* A place in the area that is short of its end by one bit can come out at the end in time, where
 * the next stage begins or nothing is due any more. */
static void test_rounding_stays_in_its_stage(void **state)
{
    (void)state;
    const double rate = 0x1.c28f5c28f5c2cp-1; /* such a one: (rate - 1 bit) * (1e9 / rate) >= 1e9 */
    const double short_of = nextafter(rate, 0);
    assert_true(short_of * (1e9 / rate) >= 1e9);
    struct load_stage stages[] = {
        {.length = {BASE_NS_PER_S}, .from = 1 - short_of, .to = 1 - short_of},
        {.length = {BASE_NS_PER_S}, .from = rate, .to = rate}};
    struct load_spec spec = spec_of(LOAD_CONSTANT, 0, 2, 1, 1);
    spec.stages = stages;
    spec.stage_count = 2;
    size_t count;
    struct load_arrival *list = draw(&spec, 0, 1, &count);
    assert_int_equal(count, 2);
    assert_int_equal(list[0].at, 0);
    assert_int_equal(list[1].at, 2 * BASE_NS_PER_S - 1);
    free(list);
}

/* Late in a ramp of months a nanosecond is less than a double's last bit, and the root's rounding
 * goes up and down by some of them. */
static void test_times_never_decrease(void **state)
{
    (void)state;
    struct load_stage ramp = {
        .length = {20 * INT64_C(1000000) * BASE_NS_PER_S}, .from = 0, .to = 1e8};
    struct load_spec spec = spec_of(LOAD_POISSON, 0, 20 * 1000000, 7, 1);
    spec.stages = &ramp;
    spec.stage_count = 1;
    struct load_schedule schedule;
    struct load_arrival arrival;
    load_schedule_init(&schedule, &spec, NULL, 0, 1);
    schedule.offset = 9e14; /* instead of drawing all that comes before */
    int64_t last = 0;
    for (int i = 0; i < 20000; i++) {
        assert_true(load_schedule_next(&schedule, &arrival));
        assert_true(arrival.at >= last);
        last = arrival.at;
    }
    load_schedule_fini(&schedule);
}

static void test_replay_is_kept(void **state)
{
    (void)state;
    int64_t times[] = {0, 5, 5, 700, 1000, 2000};
    const struct load_replay replay = {.at = times, .count = 6};
    struct load_spec spec = spec_of(LOAD_POISSON, 0, 0, 1, 3);
    spec.duration.ns = 2000;
    for (uint32_t share = 0; share < 2; share++) {
        struct load_schedule schedule;
        struct load_arrival arrival;
        size_t i = share;
        load_schedule_init(&schedule, &spec, &replay, share, 2);
        for (; load_schedule_next(&schedule, &arrival); i += 2) {
            assert_int_equal(arrival.number, i);
            assert_int_equal(arrival.at, times[i]);
        }
        assert_true(i == 5 + (share == 0)); /* what lies at the end is outside */
        load_schedule_fini(&schedule);
    }
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
        cmocka_unit_test(test_ramp_integral_is_exact),
        cmocka_unit_test(test_stages_join),
        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_random_stages),
        cmocka_unit_test(test_poisson_ramp_after_rescaling),
        cmocka_unit_test(test_long_run_rate_of_a_ramp),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_rounding_stays_in_its_stage),
        cmocka_unit_test(test_times_never_decrease),
        cmocka_unit_test(test_replay_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
