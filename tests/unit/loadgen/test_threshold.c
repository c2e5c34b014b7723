/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "loadgen/threshold.h"

static void test_forms(void **state)
{
    (void)state;
    struct load_thresholds thresholds = {.count = 0};
    assert_true(load_thresholds_add(&thresholds, "p99 < 250ms", NULL));
    assert_true(load_thresholds_add(&thresholds, "errors<1% over 10s", NULL));
    assert_true(load_thresholds_add(&thresholds, "rate > 5/s over 2s abort", NULL));
    assert_int_equal(thresholds.items[0].over.ns, 0);
    assert_int_equal(thresholds.items[1].over.ns, 10 * BASE_NS_PER_S);
    assert_false(thresholds.items[1].abort);
    assert_true(thresholds.items[2].abort);
    assert_int_equal(thresholds.items[2].expect.stat, EXPECT_RATE);
    static const char *const bad[][2] = {
        {"p99 < 250", "did you mean 250ms?"},
        {"p99 < 1s over", "expected a duration"},
        {"p99 < 1s over 10", "at character 15: expected the length of a window"},
        {"p99 < 1s over 0s", "at character 15"},
        {"p99 < 1s over 5s stop", "at character 15"},
        {"p99 < 1s over 5s abort now", "at character 15"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct base_error err;
        if (load_thresholds_add(&thresholds, bad[i][0], &err))
            fail_msg("accepted: %s", bad[i][0]);
        if (strstr(err.message, bad[i][1]) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", bad[i][0], err.message, bad[i][1]);
    }
    assert_int_equal(thresholds.count, 3);
    const struct load_spec shorter = {.duration = {5 * BASE_NS_PER_S}, .interval = {BASE_NS_PER_S}};
    struct base_error err;
    assert_false(load_thresholds_start(&thresholds, &shorter, &err));
    assert_non_null(strstr(err.message, "longer than the load"));
    load_thresholds_fini(&thresholds);
    load_thresholds_fini(&thresholds);
}

/* Only one that says so ends the load, and only when it fails. */
static void test_abort(void **state)
{
    (void)state;
    const struct load_spec spec = {.duration = {9 * BASE_NS_PER_S}, .interval = {BASE_NS_PER_S}};
    struct load_interval good = {.length = {BASE_NS_PER_S},
                                 .counts = {.intended = 100, .sent = 100, .ok = 100}};
    struct load_interval bad = good;
    bad.counts.ok = 50;
    bad.counts.failed[LOAD_FAIL_RESET] = 50;
    struct load_thresholds thresholds = {.count = 0};
    assert_true(load_thresholds_add(&thresholds, "errors < 1% over 1s", NULL));
    assert_true(load_thresholds_add(&thresholds, "errors < 30% over 2s abort", NULL));
    assert_true(load_thresholds_start(&thresholds, &spec, NULL));
    assert_true(load_thresholds_interval(&thresholds, &good));
    assert_true(load_thresholds_interval(&thresholds, &bad)); /* 25 % over two seconds */
    assert_false(load_thresholds_interval(&thresholds, &bad));
    load_thresholds_fini(&thresholds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
