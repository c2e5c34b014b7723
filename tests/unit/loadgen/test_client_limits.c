/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "client_limits.h"

static struct hdr late;

static int setup(void **state)
{
    (void)state;
    return hdr_init_latency(&late, NULL) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    hdr_fini(&late);
    return 0;
}

static void expect(const struct load_evidence *evidence, const char *part)
{
    char *why;
    enum load_limit limit = load_limits_judge(evidence, &why);
    assert_int_equal(limit == LOAD_LIMIT_NONE, why == NULL);
    if (part == NULL)
        assert_null(why);
    else if (why == NULL || strstr(why, part) == NULL)
        fail_msg("\"%s\" without \"%s\"", why == NULL ? "(none)" : why, part);
    free(why);
}

static void expect_limit(const struct load_evidence *evidence, enum load_limit limit)
{
    char *why;
    assert_int_equal(load_limits_judge(evidence, &why), limit);
    free(why);
}

static struct load_evidence good(void)
{
    return (struct load_evidence){
        .own_late = &late, .max_late = {10 * BASE_NS_PER_MS}, .intended = 1000};
}

static void test_lateness(void **state)
{
    (void)state;
    struct load_evidence evidence = good();
    hdr_record_n(&late, 50 * BASE_NS_PER_US, 990);
    expect(&evidence, NULL);
    hdr_record_n(&late, 11 * BASE_NS_PER_MS, 9);
    expect(&evidence, NULL); /* 9 of 999: p99 is still low */
    hdr_record_n(&late, 11 * BASE_NS_PER_MS, 3);
    expect(&evidence, "late by itself");
    hdr_reset(&late);
}

/* Under saturation only few requests meet a free connection: their share of all decides. */
static void test_lateness_of_a_few(void **state)
{
    (void)state;
    struct load_evidence evidence = good();
    hdr_record_n(&late, 11 * BASE_NS_PER_MS, 9);
    expect(&evidence, NULL);
    hdr_record_n(&late, 11 * BASE_NS_PER_MS, 3);
    expect(&evidence, "late by itself");
    evidence.intended = 10000;
    expect(&evidence, NULL);
    hdr_reset(&late);
}

static void test_missed(void **state)
{
    (void)state;
    struct load_evidence evidence = good();
    evidence.missed_busy = 10;
    expect(&evidence, NULL);
    evidence.missed_busy = 11;
    expect(&evidence, "no free connection");
    expect_limit(&evidence, LOAD_LIMIT_CONNECTIONS);
}

static void test_ports(void **state)
{
    (void)state;
    struct load_evidence evidence = good();
    evidence.out_of_ports = 1;
    expect(&evidence, "local port");
    expect_limit(&evidence, LOAD_LIMIT_PORTS);
}

static void add(struct load_busy *busy, int64_t cpu_ms, int64_t waited_ms, int64_t span_ms)
{
    load_busy_add(busy, &(struct load_thread){.span = base_dur_ms(span_ms),
                                              .cpu = base_dur_ms(cpu_ms),
                                              .waited = base_dur_ms(waited_ms)});
}

static void test_cpu(void **state)
{
    (void)state;
    struct load_busy busy = {.saturated = false};
    struct load_evidence evidence = good();
    evidence.threads = &busy;
    evidence.thread_count = 1;
    add(&busy, 500, 0, 1000);
    add(&busy, 970, 0, 1000);
    add(&busy, 970, 0, 1000);
    expect(&evidence, NULL); /* a burst of two seconds */
    add(&busy, 500, 0, 1000);
    add(&busy, 970, 0, 1000);
    expect(&evidence, NULL); /* not in a row */
    add(&busy, 970, 0, 1000);
    add(&busy, 970, 0, 1000);
    expect(&evidence, "whole CPU");
    expect_limit(&evidence, LOAD_LIMIT_CPU);
    busy = (struct load_busy){.saturated = false};
    add(&busy, 970, 0, 1000);
    expect(&evidence, "whole CPU"); /* all of a short run */
}

/* It would have worked all the time, but was not let. */
static void test_loop(void **state)
{
    (void)state;
    struct load_busy busy = {.saturated = false};
    struct load_evidence evidence = good();
    evidence.threads = &busy;
    evidence.thread_count = 1;
    add(&busy, 600, 300, 1000);
    expect(&evidence, NULL);
    add(&busy, 500, 500, 1000);
    add(&busy, 500, 500, 1000);
    add(&busy, 500, 500, 1000);
    expect(&evidence, "waiting for a CPU that others used");
    expect_limit(&evidence, LOAD_LIMIT_LOOP);
    busy = (struct load_busy){.saturated = false};
    add(&busy, 920, 60, 1000);
    expect_limit(&evidence, LOAD_LIMIT_CPU);
}

static void test_short_intervals(void **state)
{
    (void)state;
    struct load_busy busy = {.saturated = false};
    struct load_evidence evidence = good();
    evidence.threads = &busy;
    evidence.thread_count = 1;
    add(&busy, 0, 0, 1000);
    for (int i = 0; i < 45; i++)
        add(&busy, 50, 0, 50);
    expect(&evidence, NULL); /* many intervals, but 2.25 s */
    for (int i = 0; i < 10; i++)
        add(&busy, 50, 0, 50);
    expect(&evidence, "2.5 s on end");
}

static void test_causes(void **state)
{
    (void)state;
    static const struct {
        int64_t due, now;
        enum load_delay cause;
    } cases[] = {
        {500, 1000, LOAD_DELAY_TIMER}, /* asleep from 100 to 1000, sent at once */
        {1000, 1000, LOAD_DELAY_TIMER}, {100, 1800, LOAD_DELAY_TIMER},
        {500, 1500, LOAD_DELAY_TIMER},  {500, 1501, LOAD_DELAY_BUSY}, /* others were sent first */
        {1001, 1002, LOAD_DELAY_BUSY}, /* became due while it was at work */
        {99, 1000, LOAD_DELAY_BUSY},   /* was due before it went to sleep */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(load_delay_of(100, 1000, cases[i].due, cases[i].now), cases[i].cause);
}

/* What to do depends on what made it late. */
static void test_lateness_by_cause(void **state)
{
    (void)state;
    struct hdr timer;
    struct load_evidence evidence = good();
    assert_true(hdr_init_latency(&timer, NULL));
    evidence.timer_late = &timer;
    hdr_record_n(&late, 11 * BASE_NS_PER_MS, 40);
    hdr_record_n(&timer, 11 * BASE_NS_PER_MS, 21);
    expect(&evidence, "mostly because it was not woken in time");
    hdr_reset(&timer);
    hdr_record_n(&timer, 11 * BASE_NS_PER_MS, 19);
    hdr_record_n(&timer, 9 * BASE_NS_PER_MS, 500);
    expect(&evidence, "mostly because it was still sending others");
    expect_limit(&evidence, LOAD_LIMIT_LATENESS);
    hdr_fini(&timer);
    hdr_reset(&late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lateness),
        cmocka_unit_test(test_lateness_of_a_few),
        cmocka_unit_test(test_missed),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_short_intervals),
        cmocka_unit_test(test_loop),
        cmocka_unit_test(test_causes),
        cmocka_unit_test(test_lateness_by_cause),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
