/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app_sample.h"

static struct fault_spec app(double rate, int64_t latency_ms, int64_t lease_ms)
{
    struct fault_spec spec = {.kind = FAULT_APP, .lease = base_dur_ms(lease_ms)};
    spec.app.error_rate = rate;
    spec.app.latency = base_dur_ms(latency_ms);
    return spec;
}

static struct app_sample planned(double rate, int64_t latency_ms, int64_t lease_ms)
{
    struct fault_spec spec = app(rate, latency_ms, lease_ms);
    struct app_sample sample = {0};
    struct base_error err = {0};
    if (!app_sample_plan(&spec, &sample, &err))
        fail_msg("%s", err.message);
    return sample;
}

static void refused(double rate, int64_t latency_ms, int64_t lease_ms, const char *why)
{
    struct fault_spec spec = app(rate, latency_ms, lease_ms);
    struct app_sample sample = {.size = 7};
    struct base_error err = {0};
    assert_false(app_sample_plan(&spec, &sample, &err));
    assert_int_equal(err.code, BASE_INVALID);
    if (strstr(err.message, why) == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(sample.size, 7);
}

static void rates_are_told_from_half_and_twice(void **state)
{
    (void)state;
    assert_in_range(planned(0.01, 0, 2000).told_apart, 3, 10); /* the least that scenarios allow */
    static const double rates[] = {0.05, 0.2, 0.5, 0.9};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        assert_int_equal(planned(rates[i], 0, 2000).told_apart, 2);
    assert_int_equal(planned(1.0, 0, 2000).size, 100);
    assert_int_equal(planned(0.2, 0, 2000).absent, 100); /* its absence takes no more than that */
    assert_true(planned(0.2, 0, 2000).size > 400 && planned(0.01, 0, 2000).absent > 900);
    assert_int_equal(planned(0.0, 50, 2000).absent, 20);
    assert_int_equal(planned(0.0, 50, 2000).size, 20);
}

static void a_series_ends_within_the_lease(void **state)
{
    (void)state;
    static const struct {
        double rate;
        int64_t latency_ms, lease_ms;
    } cases[] = {{0.2, 400, 2000}, {0.3, 60, 4000}, {0.5, 400, 8000}, {1.0, 500, 2000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct app_sample sample = planned(cases[i].rate, cases[i].latency_ms, cases[i].lease_ms);
        size_t rounds = (sample.size + sample.parallel - 1) / sample.parallel;
        assert_true((int64_t)rounds * cases[i].latency_ms <= cases[i].lease_ms);
    }
    /* Too few for a factor of two: the evidence says for which they are enough. */
    struct app_sample small = planned(0.2, 400, 2000);
    assert_true(small.size < planned(0.2, 0, 2000).size && small.told_apart > 2);
}

static void what_cannot_be_shown_is_refused(void **state)
{
    (void)state;
    refused(0.0, 0, 2000, "needs an error rate or a latency");
    refused(0.001, 0, 2000, "cannot be shown");
    refused(0.005, 0, 2000, "ask for 1 % or more");
    refused(0.2, 1500, 2000, "longer lease");
    refused(0.0, 30000, 2000, "give a lease of at least");
}

static void the_expectation_says_what_it_keeps_out(void **state)
{
    (void)state;
    char text[128];
    struct app_sample sample = {.size = 540, .told_apart = 2};
    app_sample_describe(&sample, 0.2, (struct fault_interval){73, 145}, text, sizeof text);
    assert_string_equal(text, "20.0 %: 73 to 145; a rate 2 times smaller or larger is outside");
    app_sample_describe(&sample, 0.0, (struct fault_interval){0, 0}, text, sizeof text);
    assert_string_equal(text, "0.0 %: 0 to 0");
    app_sample_describe(&sample, 1.0, (struct fault_interval){540, 540}, text, sizeof text);
    assert_string_equal(text, "100.0 %: 540 to 540");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_told_from_half_and_twice),
        cmocka_unit_test(a_series_ends_within_the_lease),
        cmocka_unit_test(what_cannot_be_shown_is_refused),
        cmocka_unit_test(the_expectation_says_what_it_keeps_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
