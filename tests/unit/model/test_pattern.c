/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/pattern.h"

static void test_searches(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *text;
        const char *found; /* NULL: nothing */
    } cases[] = {
        {"b+", "abbbc", "bbb"},
        {"token=(\\w+)", "a token=xy1; b", "xy1"},
        {"(?:a)(b)(c)(d)", "abcd", "b"},
        {"a(x)?b", "ab", "ab"},
        {"a|(b)", "b", "b"},
        {"a|(b)", "a", "a"},
        {"^$", "", ""},
        {"a.c", "aéc", "aéc"},
        {"x", "abc", NULL},
        {"^b", "ab", NULL},
        {"(?i)OK", "ok", "ok"},
        {"\\d+", "no digits", NULL},
        {"a.c",
         "a\xff"
         "c",
         NULL}, /* no UTF-8: no character */
        {"c",
         "a\xff"
         "c",
         "c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct base_error err;
        struct pattern_span span;
        struct pattern *pattern = pattern_new(cases[i].pattern, &err);
        if (pattern == NULL)
            fail_msg("%s", err.message);
        enum pattern_result result =
            pattern_find(pattern, cases[i].text, strlen(cases[i].text), &span);
        assert_int_equal(result, cases[i].found == NULL ? PATTERN_NONE : PATTERN_FOUND);
        if (cases[i].found != NULL) {
            assert_int_equal(span.len, strlen(cases[i].found));
            assert_memory_equal(cases[i].text + span.start, cases[i].found, span.len);
        }
        pattern_free(pattern);
    }
}

static void test_bytes_behind_a_nul_are_searched(void **state)
{
    (void)state;
    static const char text[] = "a\0b=7";
    struct pattern_span span;
    struct pattern *pattern = pattern_new("b=(.)", NULL);
    assert_int_equal(pattern_find(pattern, text, sizeof text - 1, &span), PATTERN_FOUND);
    assert_int_equal(span.start, 4);
    assert_int_equal(pattern_find(pattern, text, 2, &span), PATTERN_NONE);
    pattern_free(pattern);
}

/* Exponential for a backtracking search; it must end, and say so. */
static void test_a_search_without_end_gives_up(void **state)
{
    (void)state;
    char text[64];
    memset(text, 'a', sizeof text);
    struct pattern *pattern = pattern_new("^(([a-z])+.)+[A-Z]([a-z])+$", NULL);
    assert_int_equal(pattern_find(pattern, text, sizeof text, NULL), PATTERN_GAVE_UP);
    pattern_free(pattern);
}

static void test_mistakes_are_placed(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *place;
    } cases[] = {{"a(b", "at its character 4"}, {"*a", "at its character 1"}, {"[z-a]", "4"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct base_error err = {.message = ""};
        assert_null(pattern_new(cases[i].pattern, &err));
        assert_int_equal(err.code, BASE_INVALID);
        if (strstr(err.message, cases[i].place) == NULL)
            fail_msg("%s", err.message);
    }
    pattern_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_searches),
        cmocka_unit_test(test_bytes_behind_a_nul_are_searched),
        cmocka_unit_test(test_a_search_without_end_gives_up),
        cmocka_unit_test(test_mistakes_are_placed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
