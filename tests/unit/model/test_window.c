/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "model/window.h"

static struct expectation expect_of(const char *text)
{
    struct expectation expect;
    struct base_error err;
    if (!expectation_parse(text, &expect, &err))
        fail_msg("%s", err.message);
    return expect;
}

static struct load_window *window_of(const char *text, const char *phase, const char *route,
                                     int64_t over)
{
    struct expectation expect = expect_of(text);
    return load_window_new(&expect, phase, route, base_dur_s(over), base_dur_s(1));
}

static char steady[] = "steady", lose[] = "lose", list[] = "list", data[] = "data";

/* One interval of a second: so many answers of that latency for each part, so many failures. */
struct part {
    char *phase;
    char *route;
    uint64_t ok;
    int64_t ms;
    uint64_t failed;
};

static enum load_window_state tell(struct load_window *window, int64_t second,
                                   const struct part *parts, size_t count)
{
    struct load_part made[4];
    struct load_interval interval = {.start_mono = {second * BASE_NS_PER_S},
                                     .length = base_dur_s(1),
                                     .parts = made,
                                     .part_count = count};
    for (size_t i = 0; i < count; i++) {
        struct hdr hdr;
        uint64_t sum = parts[i].ok + parts[i].failed;
        made[i] = (struct load_part){.phase = parts[i].phase,
                                     .route = parts[i].route,
                                     .counts = {.intended = sum, .sent = sum, .ok = parts[i].ok}};
        made[i].counts.failed[LOAD_FAIL_RESET] = parts[i].failed;
        load_counts_add(&interval.counts, &made[i].counts);
        assert_true(hdr_init_latency(&hdr, NULL));
        hdr_record_n(&hdr, parts[i].ms * BASE_NS_PER_MS, (int64_t)parts[i].ok);
        load_window_histogram(window, parts[i].phase, parts[i].route, LOAD_ENDED, &hdr);
        /* Other kinds are no response times, or not those of what ended in the interval. */
        hdr_record_n(&hdr, 3600 * BASE_NS_PER_S, 1000000);
        load_window_histogram(window, parts[i].phase, parts[i].route, LOAD_RESPONSE, &hdr);
        load_window_histogram(window, parts[i].phase, parts[i].route, "service", &hdr);
        hdr_fini(&hdr);
    }
    return load_window_interval(window, &interval);
}

static enum load_window_state tell_one(struct load_window *window, int64_t second, uint64_t ok,
                                       int64_t ms, uint64_t failed)
{
    const struct part part = {steady, list, ok, ms, failed};
    return tell(window, second, &part, 1);
}

/* What is bad for two seconds of ten is no percentile of the whole, but one of a window. */
static void test_a_window_sees_what_the_whole_does_not_k6_2379(void **state)
{
    (void)state;
    struct load_window *window = window_of("p90 < 100ms", NULL, NULL, 2);
    static const int64_t ms[] = {5, 5, 5, 5, 300, 300, 5, 5, 5, 5, 5, 5,
                                 5, 5, 5, 5, 5,   5,   5, 5, 5, 5, 5, 5};
    static const enum load_window_state states[] = {
        LOAD_WINDOW_OPEN,  LOAD_WINDOW_HOLDS, LOAD_WINDOW_HOLDS, LOAD_WINDOW_HOLDS,
        LOAD_WINDOW_FAILS, LOAD_WINDOW_FAILS, LOAD_WINDOW_FAILS, LOAD_WINDOW_HOLDS};
    struct hdr whole;
    assert_true(hdr_init_latency(&whole, NULL));
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
        enum load_window_state now = tell_one(window, (int64_t)i, 1000, ms[i], 0);
        assert_int_equal(now, i < 8 ? states[i] : LOAD_WINDOW_HOLDS);
        hdr_record_n(&whole, ms[i] * BASE_NS_PER_MS, 1000);
    }
    const struct load_window_sum *sum = load_window_total(window);
    assert_int_equal(sum->full, 23);
    assert_int_equal(sum->failed, 3);
    assert_int_equal(sum->starved, 0);
    assert_int_equal(sum->failed_at.ns, 5 * BASE_NS_PER_S);
    assert_true(fabs(sum->worst / 300e6 - 1) < 0.001);
    struct expectation expect = expect_of("p90 < 100ms");
    const struct load_counts none = {.intended = 0};
    assert_true(expectation_holds(&expect, load_measure(&expect, &none, &whole, 0).value));
    hdr_fini(&whole);
    load_window_free(window);
}

/* The worst window is the lowest of what is to be high; a failure that was never sent is one; and
 * where nobody answers, every answer was slower than allowed, without being evidence. */
static void test_worst_missed_and_silent(void **state)
{
    (void)state;
    struct load_window *window = window_of("rate > 30/s", NULL, NULL, 1);
    static const uint64_t rates[] = {50, 20, 90, 25, 60};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        (void)tell_one(window, (int64_t)i, rates[i], 1, 0);
    assert_int_equal(load_window_total(window)->failed, 2);
    assert_true(load_window_total(window)->worst == 20);
    assert_true(load_window_total(window)->first_failed.value == 20);
    load_window_free(window);

    struct expectation errors = expect_of("errors < 1%");
    struct expectation rate = expect_of("achieved_rate >= 99%");
    struct expectation p99 = expect_of("p99 < 1s");
    struct load_counts counts = {.intended = 100, .sent = 60, .ok = 50, .missed = 40};
    counts.failed[LOAD_FAIL_TIMEOUT] = 10;
    assert_true(load_measure(&errors, &counts, NULL, 1).value == 0.5);
    assert_true(load_measure(&rate, &counts, NULL, 1).value == 0.6);
    assert_true(isnan(load_measure(&p99, &counts, NULL, 1).value));
    counts.ok = 0;
    struct load_measure silent = load_measure(&p99, &counts, NULL, 1);
    assert_true(isinf(silent.value) && silent.events < silent.need);
    assert_false(expectation_holds(&p99, silent.value));
}

/* Percentiles of a window are those of all its samples, not of its intervals' percentiles. */
static void test_percentiles_are_exact(void **state)
{
    (void)state;
    enum { OVER = 5, SECONDS = 40 };
    struct base_rng rng;
    struct load_window *window = window_of("p75 < 1ns", NULL, NULL, OVER);
    struct hdr hdrs[SECONDS];
    base_rng_seed(&rng, 9);
    for (int i = 0; i < SECONDS; i++) {
        struct hdr all;
        struct load_interval interval = {.length = base_dur_s(1), .counts = {.intended = 1}};
        assert_true(hdr_init_latency(&hdrs[i], NULL) && hdr_init_latency(&all, NULL));
        for (uint64_t k = base_rng_below(&rng, 300) + 50; k > 0; k--)
            hdr_record(&hdrs[i], (int64_t)base_rng_exponential(&rng, 1e6 * (1 + i % 7)));
        load_window_histogram(window, steady, list, LOAD_ENDED, &hdrs[i]);
        (void)load_window_interval(window, &interval);
        for (int k = i < OVER ? 0 : i - OVER + 1; k <= i; k++)
            assert_true(hdr_add(&all, &hdrs[k], NULL));
        if (i + 1 >= OVER) {
            struct load_measure now = load_window_measure(window);
            assert_true(now.value == (double)hdr_value_at_quantile(&all, 0.75));
            assert_true(now.events == (double)all.total);
        }
        hdr_fini(&all);
    }
    for (int i = 0; i < SECONDS; i++)
        hdr_fini(&hdrs[i]);
    load_window_free(window);
}

static void test_counts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"errors < 1%", 30.0 / 330},
                 {"rate > 1/s", 100},
                 {"count > 1", 300},
                 {"achieved_rate > 1%", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct load_window *window = window_of(cases[i].text, NULL, NULL, 3);
        (void)tell_one(window, 0, 999, 1, 999);
        for (int64_t second = 1; second < 4; second++)
            (void)tell_one(window, second, 50 * (uint64_t)second, 1, 5 * (uint64_t)second);
        struct load_measure now = load_window_measure(window);
        if (fabs(now.value - cases[i].value) > 1e-12 || now.events != 330)
            fail_msg("%s: %g of %g", cases[i].text, now.value, now.events);
        load_window_free(window);
    }
}

static void test_too_few_events(void **state)
{
    (void)state;
    struct load_window *window = window_of("p99 < 100ms", NULL, NULL, 2);
    assert_int_equal(tell_one(window, 0, 499, 5, 0), LOAD_WINDOW_OPEN);
    assert_int_equal(tell_one(window, 1, 500, 5, 0), LOAD_WINDOW_STARVED);
    assert_int_equal(tell_one(window, 2, 500, 5, 0), LOAD_WINDOW_HOLDS);
    assert_int_equal(tell_one(window, 3, 0, 5, 700), LOAD_WINDOW_STARVED);
    assert_int_equal(load_window_total(window)->starved, 2);
    load_window_free(window);
    window = window_of("errors < 1%", NULL, NULL, 1);
    assert_int_equal(tell_one(window, 0, 0, 0, 0), LOAD_WINDOW_STARVED);
    load_window_free(window);
}

static void test_routes_and_phases(void **state)
{
    (void)state;
    struct load_window *route = window_of("max < 100ms", NULL, data, 1);
    struct load_window *phase = window_of("max < 100ms", lose, NULL, 2);
    struct load_window *rate = window_of("rate > 90/s", lose, NULL, 2);
    static const struct part first[] = {{steady, list, 100, 500, 0}, {steady, data, 100, 5, 0}};
    static const struct part border[] = {{steady, list, 100, 500, 0}, {lose, list, 30, 5, 0}};
    static const struct part inside[] = {{lose, list, 100, 5, 0}};
    static const struct part slow[] = {{lose, data, 100, 500, 0}};
    assert_int_equal(tell(route, 0, first, 2), LOAD_WINDOW_HOLDS);
    assert_int_equal(tell(route, 1, slow, 1), LOAD_WINDOW_FAILS);
    /* A phase has windows of its own, which begin with it. Rates begin with its first whole
     * interval: the one in which it begins would show 30/s. */
    assert_int_equal(tell(phase, 0, first, 2), LOAD_WINDOW_OPEN);
    assert_int_equal(tell(rate, 0, first, 2), LOAD_WINDOW_OPEN);
    assert_int_equal(tell(phase, 1, border, 2), LOAD_WINDOW_OPEN);
    assert_int_equal(tell(rate, 1, border, 2), LOAD_WINDOW_OPEN);
    assert_int_equal(tell(phase, 2, inside, 1), LOAD_WINDOW_HOLDS);
    assert_int_equal(tell(rate, 2, inside, 1), LOAD_WINDOW_OPEN);
    assert_int_equal(tell(phase, 3, inside, 1), LOAD_WINDOW_HOLDS);
    assert_int_equal(tell(rate, 3, inside, 1), LOAD_WINDOW_HOLDS);
    /* A gap: what comes after it is another stretch. */
    assert_int_equal(tell(phase, 4, first, 2), LOAD_WINDOW_OPEN);
    assert_int_equal(tell(phase, 5, slow, 1), LOAD_WINDOW_OPEN);
    assert_int_equal(tell(phase, 6, slow, 1), LOAD_WINDOW_FAILS);
    assert_int_equal(load_window_total(phase)->full, 3);
    load_window_free(route);
    load_window_free(phase);
    load_window_free(rate);
}

static enum load_window_state tell_length(struct load_window *window, int64_t ms, uint64_t ok)
{
    const struct load_interval interval = {.length = base_dur_ms(ms),
                                           .counts = {.intended = ok, .sent = ok, .ok = ok}};
    return load_window_interval(window, &interval);
}

/* Intervals are never exactly as long as planned, and the last may be a few milliseconds. */
static void test_uneven_intervals(void **state)
{
    (void)state;
    struct load_window *one = window_of("errors < 1%", NULL, NULL, 1);
    assert_int_equal(tell_length(one, 999, 10), LOAD_WINDOW_HOLDS);
    assert_int_equal(tell_length(one, 1001, 10), LOAD_WINDOW_HOLDS);
    assert_true(load_window_measure(one).events == 10);
    assert_int_equal(tell_length(one, 3, 0), LOAD_WINDOW_HOLDS); /* with the one before it */
    assert_true(load_window_measure(one).events == 10);
    load_window_free(one);
    struct load_window *three = window_of("errors < 1%", NULL, NULL, 3);
    assert_int_equal(tell_length(three, 1001, 10), LOAD_WINDOW_OPEN);
    assert_int_equal(tell_length(three, 990, 10), LOAD_WINDOW_OPEN);
    assert_int_equal(tell_length(three, 1001, 10), LOAD_WINDOW_HOLDS);
    assert_int_equal(tell_length(three, 400, 7), LOAD_WINDOW_HOLDS);
    assert_true(load_window_measure(three).events == 37);
    for (int i = 0; i < 100; i++) /* more of them than fit: the newest count */
        (void)tell_length(three, 1, 1);
    assert_int_equal(tell_length(three, 5000, 9), LOAD_WINDOW_HOLDS);
    assert_true(load_window_measure(three).events == 9);
    load_window_free(three);
    /* A plan that asks for a window of centuries costs what its intervals do. */
    struct expectation expect = expect_of("errors < 1%");
    struct load_window *vast =
        load_window_new(&expect, NULL, NULL, (struct dur_ns){INT64_MAX}, (struct dur_ns){1});
    for (int i = 0; i < 100; i++)
        assert_int_equal(tell_length(vast, 1000, 10), LOAD_WINDOW_OPEN);
    load_window_free(vast);
}

static void test_entries_of_later_intervals(void **state)
{
    (void)state;
    const struct wall_ns start = {INT64_C(1764170690123456789)};
    assert_false(load_window_entry_is_later(1764170690.123, start));
    assert_false(load_window_entry_is_later(1764170690.124, start)); /* rounded up */
    assert_true(load_window_entry_is_later(1764170690.133, start));  /* 10 ms: the least there is */
    assert_false(load_window_entry_is_later(1764170689.123, start));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_window_sees_what_the_whole_does_not_k6_2379),
        cmocka_unit_test(test_worst_missed_and_silent),
        cmocka_unit_test(test_percentiles_are_exact),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_too_few_events),
        cmocka_unit_test(test_routes_and_phases),
        cmocka_unit_test(test_uneven_intervals),
        cmocka_unit_test(test_entries_of_later_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
