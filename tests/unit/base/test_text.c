/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/text.h"

static void test_u64(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",   " 1", "1 ", "-1", "+1", "0x1", "1.0", "18446744073709551616", "99999999999999999999",
        "1\n"};
    uint64_t value = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(base_parse_u64(bad[i], &value));
    assert_false(base_parse_u64(NULL, &value));
    assert_int_equal(value, 77);
    assert_true(base_parse_u64("0", &value) && value == 0);
    assert_true(base_parse_u64("007", &value) && value == 7);
    assert_true(base_parse_u64("18446744073709551615", &value) && value == UINT64_MAX);
}

static void test_i64(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "-", "--1", "- 1", "9223372036854775808", "-9223372036854775809", "1-"};
    int64_t value = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(base_parse_i64(bad[i], &value));
    assert_false(base_parse_i64(NULL, &value));
    assert_int_equal(value, 77);
    assert_true(base_parse_i64("-9223372036854775808", &value) && value == INT64_MIN);
    assert_true(base_parse_i64("9223372036854775807", &value) && value == INT64_MAX);
    assert_true(base_parse_i64("-0", &value) && value == 0);
}

static void test_double(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      ".",   "-",  "1e", "1e+", "inf",   "nan",
                                      "0x1p3", "1,5", " 1", "1 ", "+1",  "1e999", "1.2.3"};
    double value = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(base_parse_double(bad[i], &value));
    assert_false(base_parse_double(NULL, &value));
    assert_true(value == 77);
    assert_true(base_parse_double("-1.5e3", &value) && value == -1500);
    assert_true(base_parse_double(".25", &value) && value == 0.25);
    assert_true(base_parse_double("1E-2", &value) && value == 0.01);
}

static void test_duration(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"0s", 0},
                {"7ns", 7},
                {"30us", 30000},
                {"250ms", 250000000},
                {"1.5s", 1500000000},
                {"2m", INT64_C(120000000000)},
                {"1.5h", INT64_C(5400000000000)},
                {"0.1s", 100000000},
                {"0.4ns", 0},
                {"0.5ns", 1},
                {".5s", 500000000},
                {"4611686018427387904ns", INT64_C(1) << 62},
                {"9007199254740993ns", INT64_C(9007199254740993)},
                {"9007199254740.993us", INT64_C(9007199254740993)}};
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "1 s",
                                      "1s ",
                                      "-1s",
                                      "-0s",
                                      "1S",
                                      "1d",
                                      "1e3s",
                                      "1.2.3s",
                                      "4611686018427387905ns",
                                      "4611686018427387903.9us",
                                      "99999999999999999999s",
                                      "2562048h"};
    struct dur_ns value = {77};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (base_parse_duration(bad[i], &value))
            fail_msg("%s was accepted", bad[i]);
    }
    assert_false(base_parse_duration(NULL, &value));
    assert_int_equal(value.ns, 77);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(base_parse_duration(good[i].text, &value));
        assert_int_equal(value.ns, good[i].ns);
    }
}

/* Every duration is written so that it is read back exactly. */
static void test_duration_round_trip(void **state)
{
    (void)state;
    struct base_rng rng;
    base_rng_seed(&rng, 2);
    for (int i = 0; i < 20000; i++) {
        static const int64_t units[] = {1, 1000, 1000000, 1000000000};
        int64_t unit = units[base_rng_below(&rng, 4)];
        int64_t count = (int64_t)(base_rng_u64(&rng) >> (2 + base_rng_below(&rng, 62)));
        struct dur_ns d = {count / unit * unit};
        struct dur_ns back = {-1};
        char text[BASE_DUR_TEXT];
        base_dur_format(d, text);
        if (!base_parse_duration(text, &back) || back.ns != d.ns)
            fail_msg("%lld ns is written %s and read %lld", (long long)d.ns, text,
                     (long long)back.ns);
    }
}

static void test_rate(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "5", "/s", "0/s", "-1/s", "5/ms", "5 /s", "5/s/s"};
    double value = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(base_parse_rate(bad[i], &value));
    assert_false(base_parse_rate(NULL, &value));
    assert_true(value == 77);
    assert_true(base_parse_rate("500/s", &value) && value == 500);
    assert_true(base_parse_rate("30/m", &value) && value == 0.5);
    assert_true(base_parse_rate("2.5/s", &value) && value == 2.5);
    assert_true(base_parse_rate("7200/h", &value) && fabs(value - 2) < 1e-12);
}

static void test_percent(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "1", "%", "-1%", "100.1%", "1 %", "1%%"};
    double value = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(base_parse_percent(bad[i], &value));
    assert_true(value == 77);
    assert_true(base_parse_percent("1%", &value) && value == 0.01);
    assert_true(base_parse_percent("100%", &value) && value == 1);
    assert_true(base_parse_percent("0.5%", &value) && value == 0.005);
}

static void test_bytes(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "B",   "-1",   "1.5",        "0.1B",
                                      "1KB", "1kb", "1 MB", "99999999GiB"};
    uint64_t value = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(base_parse_bytes(bad[i], &value));
    assert_int_equal(value, 77);
    assert_true(base_parse_bytes("4096", &value) && value == 4096);
    assert_true(base_parse_bytes("64KiB", &value) && value == 65536);
    assert_true(base_parse_bytes("10MB", &value) && value == 10000000);
    assert_true(base_parse_bytes("1.5GiB", &value) && value == 1610612736);
    for (uint64_t n = 1; n < 10000; n++) { /* thousandths, most of which no double holds */
        char *text = base_str_printf("%d.%03dkB", (int)(n / 1000), (int)(n % 1000));
        if (!base_parse_bytes(text, &value) || value != n)
            fail_msg("%s is not %llu bytes", text, (unsigned long long)n);
        free(text);
    }
}

static void test_comparing(void **state)
{
    (void)state;
    assert_true(base_str_eq(NULL, NULL));
    assert_false(base_str_eq(NULL, ""));
    assert_false(base_str_eq("", NULL));
    assert_true(base_str_eq("a", "a"));
    assert_false(base_str_eq("a", "b"));
    assert_true(base_str_starts("abc", "ab") && base_str_starts("abc", ""));
    assert_false(base_str_starts("ab", "abc"));
    assert_true(base_str_ends("abc", "bc") && base_str_ends("abc", ""));
    assert_false(base_str_ends("bc", "abc"));
}

static void test_copies(void **state)
{
    (void)state;
    assert_null(base_str_dup(NULL));
    char *dup = base_str_dup("text");
    char *ndup = base_str_ndup("text", 2);
    char *made = base_str_printf("%s-%d", "a", 5);
    assert_string_equal(dup, "text");
    assert_string_equal(ndup, "te");
    assert_string_equal(made, "a-5");
    free(dup);
    free(ndup);
    free(made);
    char *none = base_calloc(0, 0);
    int *some = base_calloc(4, sizeof *some);
    assert_non_null(none);
    assert_int_equal(some[3], 0);
    some[0] = 9;
    some = base_reallocarray(some, 100, sizeof *some);
    assert_int_equal(some[0], 9);
    free(none);
    free(some);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"latency", "errors", "GET", "PUT", "spec", "kill"};
    static const struct {
        const char *word;
        const char *nearest;
    } known[] = {{"latency", "latency"}, {"latncy", "latency"},
                 {"latnecy", "latency"}, {"eror", NULL},
                 {"error", "errors"},    {"errros", "errors"},
                 {"POT", "PUT"},         {"DEL", NULL},
                 {"sepc", "spec"},       {"", NULL},
                 {"zzzzzzz", NULL},      {"k", NULL},
                 {"kil", "kill"},        {"GTE", "GET"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const char *found = base_str_nearest(known[i].word, names, sizeof names / sizeof names[0]);
        if (!base_str_eq(found, known[i].nearest))
            fail_msg("%s is near %s", known[i].word, found == NULL ? "nothing" : found);
    }
    char lengthy[200];
    memset(lengthy, 'x', sizeof lengthy - 1);
    lengthy[sizeof lengthy - 1] = '\0';
    const char *const long_names[] = {lengthy};
    assert_null(base_str_nearest(lengthy, names, 6));
    assert_null(base_str_nearest("spec", long_names, 1));
    assert_null(base_str_nearest("spec", names, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64),
        cmocka_unit_test(test_i64),
        cmocka_unit_test(test_double),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_duration_round_trip),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_percent),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_comparing),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
