/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/expectation.h"

static const struct {
    const char *text;
    const char *formatted; /* NULL: the same */
    struct expectation value;
} good[] = {
    {"p99.9 < 250ms", NULL, {EXPECT_QUANTILE, 0.999, EXPECT_LT, 250e6}},
    {"p50 <= 1.5s", NULL, {EXPECT_QUANTILE, 0.5, EXPECT_LE, 1.5e9}},
    {"p99.999 < 7ns", NULL, {EXPECT_QUANTILE, 0.99999, EXPECT_LT, 7}},
    {"mean < 20ms", NULL, {EXPECT_MEAN, 0, EXPECT_LT, 20e6}},
    {"max < 1s", NULL, {EXPECT_MAX, 0, EXPECT_LT, 1e9}},
    {"errors < 1%", NULL, {EXPECT_ERRORS, 0, EXPECT_LT, 0.01}},
    {"errors <= 0%", NULL, {EXPECT_ERRORS, 0, EXPECT_LE, 0}},
    {"errors < 0.07%", NULL, {EXPECT_ERRORS, 0, EXPECT_LT, 0.07 / 100}},
    {"achieved_rate >= 99%", NULL, {EXPECT_ACHIEVED_RATE, 0, EXPECT_GE, 0.99}},
    {"rate > 500/s", NULL, {EXPECT_RATE, 0, EXPECT_GT, 500}},
    {"rate > 1000000/s", NULL, {EXPECT_RATE, 0, EXPECT_GT, 1e6}},
    {"count > 1000", NULL, {EXPECT_COUNT, 0, EXPECT_GT, 1000}},
    {"  p99<250ms ", "p99 < 250ms", {EXPECT_QUANTILE, 0.99, EXPECT_LT, 250e6}},
    {"count>=0", "count >= 0", {EXPECT_COUNT, 0, EXPECT_GE, 0}},
    {"rate > 60/m", "rate > 1/s", {EXPECT_RATE, 0, EXPECT_GT, 1}},
    {"p(99)<250ms", "p99 < 250ms", {EXPECT_QUANTILE, 0.99, EXPECT_LT, 250e6}},
    {"p(99)<250", "p99 < 250ms", {EXPECT_QUANTILE, 0.99, EXPECT_LT, 250e6}},
    {"p(99.9) <= 0.5", "p99.9 <= 500us", {EXPECT_QUANTILE, 0.999, EXPECT_LE, 5e5}},
    {"med<5", "p50 < 5ms", {EXPECT_QUANTILE, 0.5, EXPECT_LT, 5e6}},
    {"avg<200", "mean < 200ms", {EXPECT_MEAN, 0, EXPECT_LT, 200e6}},
    {"p(99.9) < 1s", "p99.9 < 1s", {EXPECT_QUANTILE, 0.999, EXPECT_LT, 1e9}},
    {"p95<200ms", "p95 < 200ms", {EXPECT_QUANTILE, 0.95, EXPECT_LT, 200e6}},
    {"med<5ms", "p50 < 5ms", {EXPECT_QUANTILE, 0.5, EXPECT_LT, 5e6}},
    {"avg<5ms", "mean < 5ms", {EXPECT_MEAN, 0, EXPECT_LT, 5e6}},
    {"rate>100/s", "rate > 100/s", {EXPECT_RATE, 0, EXPECT_GT, 100}},
    {"count>100", "count > 100", {EXPECT_COUNT, 0, EXPECT_GT, 100}},
};

static void test_parse_and_format(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct expectation parsed;
        struct base_error err;
        char text[EXPECT_TEXT];
        if (!expectation_parse(good[i].text, &parsed, &err))
            fail_msg("%s: %s", good[i].text, err.message);
        assert_int_equal(parsed.stat, good[i].value.stat);
        assert_int_equal(parsed.op, good[i].value.op);
        assert_true(fabs(parsed.quantile - good[i].value.quantile) < 1e-12);
        assert_true(parsed.value == good[i].value.value);
        expectation_format(&parsed, text);
        assert_string_equal(text, good[i].formatted != NULL ? good[i].formatted : good[i].text);
    }
}

/* Whatever percentage a person writes comes back from plan.json as the same number. */
static void test_every_percentage_survives(void **state)
{
    (void)state;
    for (int hundredths = 0; hundredths <= 10000; hundredths++) {
        struct expectation value = {
            .stat = EXPECT_ERRORS, .op = EXPECT_LT, .value = hundredths / 100.0 / 100};
        struct expectation again;
        char text[EXPECT_TEXT];
        expectation_format(&value, text);
        if (!expectation_parse(text, &again, NULL) || again.value != value.value)
            fail_msg("%d became %s", hundredths, text);
    }
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "at character 1: expected a statistic"},
        {"latency < 1s", "found \"latency\""},
        {"p < 1s", "a percentile such as p99"},
        {"p0 < 1s", "at character 1"},
        {"p100 < 1s", "at character 1"},
        {"p-5 < 1s", "at character 1"},
        {"p1e1 < 1s", "at character 1"},
        {"p99", "at character 4: expected one of < <= > >="},
        {"p99 = 1s", "at character 5: expected one of < <= > >=, found \"=\""},
        {"p99 << 1s", "found \"<<\""},
        {"p99 < 250", "at character 7: expected a duration with its unit such as 250ms"},
        {"p99 <", "expected a duration"},
        {"p99 < 1s 2s", "expected a duration"},
        {"p99 < -1s", "expected a duration"},
        {"errors < 1", "at character 10: expected a percentage"},
        {"errors < 101%", "expected a percentage"},
        {"errors < nan%", "expected a percentage"},
        {"rate > 500", "expected a rate such as 500/s"},
        {"count > 1.5", "expected a whole number"},
        {"p99<250", "at character 5: expected a duration with its unit such as 250ms (ns, us, ms, "
                    "s, m, h), found \"250\"; did you mean 250ms?"},
        {"mean<250", "; did you mean 250ms?"},
        {"p(99)<1e3", "expected a duration"},
        {"p(99)<-1", "expected a duration"},
        {"p(99)<", "expected a duration"},
        {"p(99)<1.2.3", "expected a duration"},
        {"errors<0.01", "at character 8: expected a percentage from 0% to 100% such as 1%, found "
                        "\"0.01\"; did you mean 1%?"},
        {"errors<5", "; did you mean 5%?"},
        {"rate<0.01", "found \"0.01\"; for a share of failures write errors < 1%"},
        {"rate>0.95", "found \"0.95\"; for a share of successes write errors < 5%"},
        {"rate>500", "found \"500\"; did you mean 500/s?"},
        {"p99 == 1s", "at character 5: expected one of < <= > >=, found \"==\"; what is measured"},
        {"min < 1s", "; the fastest request promises nothing"},
        {"checks>0.9", "; for a share of successes write errors"},
        {"http_req_duration: p(95)<500", "; write the statistic itself"},
        {"http_req_duration{name:x}: p(95)<500", "; write the statistic itself"},
        {"http_req_failed < 1%", "; did you mean errors?"},
        {"error < 1%", "found \"error\"; did you mean errors?"},
        {"achieved_rat >= 99%", "; did you mean achieved_rate?"},
        {"p(100) < 1s", "at character 1: expected a statistic"},
        {"p(100) < 1s", "; did you mean max?"},
        {"p() < 1s", "at character 1"},
        {"p(99 < 1s", "at character 1"},
        {"p(-1) < 1s", "at character 1"},
        {"count > 99999999999999999999", "expected a whole number"},
        {"rate > 333333333333333333333333333333333333333333333333335/m", "too large"},
        {"rate > 0.00000000000000000000000000000000012345/s", "too small"},
        /* Cut at 63 characters these would mean something. */
        {"count >= 0000000000000000000000000000000000000000000000000000000000000000000001000000",
         "expected a whole number such as 1000, found \"00000000000000000000...\""},
        {"p99.00000000000000000000000000000000000000000000000000000000000000junk < 1s",
         "at character 1: expected a statistic"},
        {"errors < 0.0000000000000000000000000000000000000000000000000000000000000000000000001%",
         "expected a percentage"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct expectation parsed = {.value = 123};
        struct base_error err;
        if (expectation_parse(cases[i].text, &parsed, &err))
            fail_msg("accepted: %s", cases[i].text);
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].text, err.message, cases[i].message);
        assert_true(parsed.value == 123);
    }
}

static void test_holds(void **state)
{
    (void)state;
    static const struct {
        enum expect_op op;
        bool below, equal, above;
    } cases[] = {
        {EXPECT_LT, true, false, false},
        {EXPECT_LE, true, true, false},
        {EXPECT_GT, false, false, true},
        {EXPECT_GE, false, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct expectation value = {.stat = EXPECT_RATE, .op = cases[i].op, .value = 5};
        assert_int_equal(expectation_holds(&value, 4), cases[i].below);
        assert_int_equal(expectation_holds(&value, 5), cases[i].equal);
        assert_int_equal(expectation_holds(&value, 6), cases[i].above);
        assert_false(expectation_holds(&value, (double)NAN));
    }
}

static void test_format_value(void **state)
{
    (void)state;
    static const struct {
        enum expect_stat stat;
        double measured;
        const char *text;
    } cases[] = {
        {EXPECT_QUANTILE, 12345678, "12.35ms"},
        {EXPECT_QUANTILE, 250e6, "250ms"},
        {EXPECT_QUANTILE, 250.4e6, "250.4ms"},
        {EXPECT_MAX, 1e9, "1s"},
        {EXPECT_MEAN, 999, "999ns"},
        {EXPECT_MEAN, 0, "0ns"},
        {EXPECT_ERRORS, 0.004, "0.4%"},
        {EXPECT_ERRORS, 0, "0%"},
        {EXPECT_ERRORS, 1e-9, "0.0000001%"},
        {EXPECT_ACHIEVED_RATE, 1, "100%"},
        {EXPECT_ACHIEVED_RATE, 0.99999999, "99.999999%"},
        {EXPECT_RATE, 500, "500/s"},
        {EXPECT_RATE, 499.87654, "499.877/s"},
        {EXPECT_COUNT, 1234567, "1234567"},
        {EXPECT_COUNT, (double)NAN, "no data"},
        {EXPECT_MAX, (double)INFINITY, "no answer"},
        {EXPECT_MAX, 1e19, "out of range"},
        {EXPECT_RATE, (double)INFINITY, "out of range"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct expectation value = {.stat = cases[i].stat};
        char text[EXPECT_TEXT];
        expectation_format_value(&value, cases[i].measured, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_format), cmocka_unit_test(test_every_percentage_survives),
        cmocka_unit_test(test_parse_refuses),    cmocka_unit_test(test_holds),
        cmocka_unit_test(test_format_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
