/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "limit.h"

static void test_a_share_of_a_limit(void **state)
{
    (void)state;
    static const struct {
        const char *now;
        double share;
        int64_t part;
    } cases[] = {
        {"1024", 0.1, 102},  /* rounded down */
        {"100", 0.29, 29},   /* which is 28.999999999999996 */
        {"1000", 0.57, 570}, /* 569.9999999999999 */
        {"9", 0.1, 1},       /* 1 at least */
        {"0", 0.5, 1},       {"2147483647", 0.99, 2126008810},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct base_error err = {0};
        int64_t part = 0;
        assert_true(fault_limit_part(cases[i].now, cases[i].share, &part, &err));
        assert_int_equal(part, cases[i].part);
    }
}

static void test_no_share_of_no_limit(void **state)
{
    (void)state;
    static const char *const none[] = {"max", "unlimited", "", "2147483648"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        struct base_error err = {0};
        int64_t part = -1;
        assert_false(fault_limit_part(none[i], 0.5, &part, &err));
        assert_int_equal(part, -1); /* untouched */
        assert_int_equal(err.code, BASE_UNAVAILABLE);
        assert_non_null(strstr(err.message, "of which 50 % could be taken: give a number"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_share_of_a_limit),
        cmocka_unit_test(test_no_share_of_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
