/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "stage_text.h"

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t stages;
        struct load_stage last;
    } cases[] = {
        {"30s 500/s", 1, {{30 * BASE_NS_PER_S}, 500, 500, 0, {0}}},
        {"1m  2k", 1, {{60 * BASE_NS_PER_S}, 2000, 2000, 0, {0}}},
        {"1s 0", 1, {{BASE_NS_PER_S}, 0, 0, 0, {0}}},
        {"1s 0..500/s", 1, {{BASE_NS_PER_S}, 0, 500, 0, {0}}},
        {"1s 30..60/m", 1, {{BASE_NS_PER_S}, 0.5, 1, 0, {0}}},
        {"1s 5/s..0/s", 1, {{BASE_NS_PER_S}, 5, 0, 0, {0}}},
        {"10s 50 every 100ms", 1, {{10 * BASE_NS_PER_S}, 0, 0, 50, {100 * BASE_NS_PER_MS}}},
        {"10s 100..500 in 5 steps", 5, {{2 * BASE_NS_PER_S}, 500, 500, 0, {0}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct load_spec spec = {.rate = 0};
        struct base_error err;
        if (!load_stage_parse(cases[i].text, &spec, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_int_equal(spec.stage_count, cases[i].stages);
        const struct load_stage *last = &spec.stages[spec.stage_count - 1];
        assert_int_equal(last->length.ns, cases[i].last.length.ns);
        assert_true(last->from == cases[i].last.from && last->to == cases[i].last.to);
        assert_int_equal(last->burst, cases[i].last.burst);
        assert_int_equal(last->every.ns, cases[i].last.every.ns);
        free(spec.stages);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "how long it lasts first"},
        {"500/s 30s", "how long it lasts first"},
        {"0s 5", "how long it lasts first"},
        {"30s", "LENGTH RATE"},
        {"30s 5 6", "LENGTH RATE"},
        {"30s 5 every 1s 7", "LENGTH RATE"},
        {"30s -5", "a rate such as"},
        {"30s 5..", "a rate such as"},
        {"30s ..5", "a rate such as"},
        {"30s 1e9", "a rate such as"},
        {"30s nan", "a rate such as"},
        {"30s 5 every 0s", "a burst such as"},
        {"30s 0.5 every 1s", "a burst such as"},
        {"30s 0 every 1s", "a burst such as"},
        {"30s 2M every 1s", "a burst such as"},
        {"30s 1..5 in 0 steps", "1 to 1000 steps"},
        {"5ns 1..5 in 6 steps", "1 to 1000 steps"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct load_spec spec = {.rate = 0};
        struct base_error err;
        if (load_stage_parse(cases[i].text, &spec, &err))
            fail_msg("accepted: %s", cases[i].text);
        assert_int_equal(err.code, BASE_INVALID);
        assert_int_equal(spec.stage_count, 0);
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].text, err.message, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
