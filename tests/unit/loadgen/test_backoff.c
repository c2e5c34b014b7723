/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backoff.h"

static void test_doubles_up_to_a_second(void **state)
{
    (void)state;
    static const int64_t most_ms[] = {10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000};
    struct base_rng rng;
    base_rng_seed(&rng, 1);
    for (int round = 0; round < 1000; round++) {
        struct load_backoff backoff = {0};
        for (size_t i = 0; i < sizeof most_ms / sizeof *most_ms; i++) {
            int64_t wait = load_backoff_fail(&backoff, &rng).ns;
            assert_true(wait >= most_ms[i] * BASE_NS_PER_MS / 2);
            assert_true(wait <= most_ms[i] * BASE_NS_PER_MS);
        }
    }
}

static void test_spreads(void **state)
{
    (void)state;
    enum { PEERS = 1000 };
    struct base_rng rng;
    int early = 0;
    base_rng_seed(&rng, 7);
    for (int i = 0; i < PEERS; i++) {
        struct load_backoff backoff = {.failures = 20};
        early += load_backoff_fail(&backoff, &rng).ns < 750 * BASE_NS_PER_MS;
    }
    assert_true(early > PEERS * 4 / 10 && early < PEERS * 6 / 10);
}

static void test_reset(void **state)
{
    (void)state;
    struct base_rng rng;
    struct load_backoff backoff = {.failures = UINT32_MAX};
    base_rng_seed(&rng, 7);
    assert_true(load_backoff_fail(&backoff, &rng).ns <= BASE_NS_PER_S);
    assert_int_equal(backoff.failures, UINT32_MAX); /* and not 0: no wrap to eager retries */
    load_backoff_reset(&backoff);
    assert_true(load_backoff_fail(&backoff, &rng).ns <= 10 * BASE_NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_a_second),
        cmocka_unit_test(test_spreads),
        cmocka_unit_test(test_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
