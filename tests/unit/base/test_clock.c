/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static void expect_wall(int64_t ns, const char *expected)
{
    char text[BASE_WALL_TEXT];
    base_wall_format((struct wall_ns){ns}, text);
    assert_string_equal(text, expected);
}

static void test_wall_format(void **state)
{
    (void)state;
    expect_wall(0, "1970-01-01T00:00:00.000Z");
    expect_wall(INT64_C(1763712345123999999), "2025-11-21T08:05:45.123Z");
    expect_wall(INT64_C(951782400000000000), "2000-02-29T00:00:00.000Z");
    expect_wall(-1, "1969-12-31T23:59:59.999Z");
    expect_wall(-1000000000, "1969-12-31T23:59:59.000Z");
    expect_wall(INT64_MAX, "2262-04-11T23:47:16.854Z");
    expect_wall(INT64_MIN, "1677-09-21T00:12:43.145Z");
}

static void test_dur_format(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } known[] = {{0, "0s"},
                 {7, "7ns"},
                 {30000, "30us"},
                 {1500, "1.5us"},
                 {1001, "1.001us"},
                 {250000000, "250ms"},
                 {1500000000, "1.5s"},
                 {1050000000, "1.05s"},
                 {90000000000, "90s"},
                 {120000000000, "2m"},
                 {3600000000000, "1h"},
                 {5400000000000, "90m"},
                 {1000000001, "1000000.001us"},
                 {-250000000, "-250ms"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char text[BASE_DUR_TEXT];
        base_dur_format((struct dur_ns){known[i].ns}, text);
        assert_string_equal(text, known[i].text);
    }
}

static void test_arithmetic(void **state)
{
    (void)state;
    struct mono_ns t = {1000};
    assert_int_equal(base_mono_add(t, base_dur_ms(2)).ns, 2001000);
    assert_int_equal(base_mono_sub(base_mono_add(t, base_dur_s(3)), t).ns, 3 * BASE_NS_PER_S);
    assert_true(base_mono_before(t, (struct mono_ns){1001}));
    assert_false(base_mono_before(t, t));
    assert_int_equal(base_dur_to_ms((struct dur_ns){1999999}), 1);
    assert_true(base_dur_to_s(base_dur_ms(1500)) == 1.5);
    assert_int_equal(base_wall_add((struct wall_ns){5}, (struct dur_ns){-6}).ns, -1);
}

static void test_clocks_run(void **state)
{
    (void)state;
    struct mono_ns first = base_mono_now();
    struct mono_ns later = base_mono_now();
    while (!base_mono_before(first, later))
        later = base_mono_now();
    assert_true(base_mono_sub(later, first).ns > 0);
    assert_true(base_wall_now().ns > INT64_C(1700000000) * BASE_NS_PER_S);
}

static void brief_durations_are_cut(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } known[] = {
        {0, "0s"},          {999, "0s"},        {1234567, "1.234ms"},   {10000000, "10ms"},
        {10000999, "10ms"}, {10999999, "10ms"}, {1234567890, "1.234s"}, {60000000000, "1m"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char text[BASE_DUR_TEXT];
        base_dur_format_brief((struct dur_ns){known[i].ns}, text);
        assert_string_equal(text, known[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wall_format),        cmocka_unit_test(test_dur_format),
        cmocka_unit_test(test_arithmetic),         cmocka_unit_test(test_clocks_run),
        cmocka_unit_test(brief_durations_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
