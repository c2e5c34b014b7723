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
    char *why = load_limits_judge(evidence);
    if (part == NULL)
        assert_null(why);
    else if (why == NULL || strstr(why, part) == NULL)
        fail_msg("\"%s\" without \"%s\"", why == NULL ? "(none)" : why, part);
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
}

static void test_ports(void **state)
{
    (void)state;
    struct load_evidence evidence = good();
    evidence.out_of_ports = 1;
    expect(&evidence, "local port");
}

static void test_cpu(void **state)
{
    (void)state;
    struct load_busy busy = {0};
    struct load_evidence evidence = good();
    const struct dur_ns second = {BASE_NS_PER_S}, full = {970 * BASE_NS_PER_MS}, half = {500000000};
    evidence.threads = &busy;
    evidence.thread_count = 1;
    load_busy_add(&busy, half, second);
    load_busy_add(&busy, full, second);
    load_busy_add(&busy, full, second);
    expect(&evidence, NULL); /* a burst of two seconds */
    load_busy_add(&busy, half, second);
    load_busy_add(&busy, full, second);
    expect(&evidence, NULL); /* not in a row */
    load_busy_add(&busy, full, second);
    load_busy_add(&busy, full, second);
    expect(&evidence, "whole CPU");
    busy = (struct load_busy){0};
    load_busy_add(&busy, full, second);
    expect(&evidence, "whole CPU"); /* all of a short run */
}

static void test_short_intervals(void **state)
{
    (void)state;
    struct load_busy busy = {0};
    struct load_evidence evidence = good();
    const struct dur_ns tick = {50 * BASE_NS_PER_MS}, idle = {BASE_NS_PER_S}, none = {0};
    evidence.threads = &busy;
    evidence.thread_count = 1;
    load_busy_add(&busy, none, idle);
    for (int i = 0; i < 45; i++)
        load_busy_add(&busy, tick, tick);
    expect(&evidence, NULL); /* many intervals, but 2.25 s */
    for (int i = 0; i < 10; i++)
        load_busy_add(&busy, tick, tick);
    expect(&evidence, "2.5 s on end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lateness), cmocka_unit_test(test_lateness_of_a_few),
        cmocka_unit_test(test_missed),   cmocka_unit_test(test_ports),
        cmocka_unit_test(test_cpu),      cmocka_unit_test(test_short_intervals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
