/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/balancer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct kit_balancer three_up(void)
{
    struct kit_balancer balancer;
    assert_true(kit_balancer_init(&balancer, "a:1,b:2,[::1]:3", NULL));
    for (size_t i = 0; i < 3; i++)
        assert_true(kit_balancer_probed(&balancer, i, KIT_PROBE_OK));
    return balancer;
}

static void test_parsing(void **state)
{
    (void)state;
    struct kit_balancer balancer = three_up();
    assert_int_equal(balancer.count, 3);
    assert_string_equal(balancer.peers[1].name, "b:2");
    assert_string_equal(balancer.peers[2].name, "[::1]:3");
    assert_string_equal(balancer.peers[2].endpoint.host, "::1");
    static const char *const bad[] = {"",     "a",   "a:",      "a:0",     ":1",
                                      "a:1,", "a:x", "a:1,a:1", "a:65536", "::1:3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct base_error error;
        assert_false(kit_balancer_init(&balancer, bad[i], &error));
        assert_int_equal(error.code, BASE_INVALID);
    }
    assert_int_equal(balancer.count, 3); /* untouched by failures */
}

static void test_nothing_is_taken_before_a_probe(void **state)
{
    (void)state;
    struct kit_balancer balancer;
    assert_true(kit_balancer_init(&balancer, "a:1,b:2", NULL));
    assert_int_equal(kit_balancer_take(&balancer, 0), -1);
    kit_balancer_probed(&balancer, 1, KIT_PROBE_OK);
    assert_int_equal(kit_balancer_take(&balancer, 0), 1);
}

static void test_round_robin_among_equals(void **state)
{
    (void)state;
    struct kit_balancer balancer = three_up();
    unsigned seen[3] = {0};
    for (int i = 0; i < 30; i++) {
        int peer = kit_balancer_take(&balancer, 0);
        seen[peer]++;
        kit_balancer_give(&balancer, (size_t)peer, KIT_OUTCOME_OK);
    }
    assert_int_equal(seen[0], 10);
    assert_int_equal(seen[1], 10);
    assert_int_equal(seen[2], 10);
}

static void test_least_in_flight_and_exceptions(void **state)
{
    (void)state;
    struct kit_balancer balancer = three_up();
    balancer.peers[0].in_flight = 5;
    balancer.peers[1].in_flight = 1;
    balancer.peers[2].in_flight = 3;
    assert_int_equal(kit_balancer_take(&balancer, 0), 1);
    assert_int_equal(kit_balancer_take(&balancer, 1U << 1), 2);
    assert_int_equal(kit_balancer_take(&balancer, 1U << 1 | 1U << 2), 0);
    assert_int_equal(kit_balancer_take(&balancer, 7), -1);
    assert_int_equal(balancer.peers[1].in_flight, 2);
    kit_balancer_drop(&balancer, 1);
    assert_int_equal(balancer.peers[1].in_flight, 1);
}

static void test_unreachable_is_out_at_once_until_a_good_probe(void **state)
{
    (void)state;
    struct kit_balancer balancer = three_up();
    assert_true(kit_balancer_give(&balancer, 0, KIT_OUTCOME_UNREACHABLE));
    assert_false(kit_balancer_give(&balancer, 0, KIT_OUTCOME_UNREACHABLE)); /* out already */
    assert_int_equal(balancer.peers[0].state, KIT_PEER_EJECTED);
    assert_int_equal(balancer.peers[0].ejections, 1);
    assert_int_equal(kit_balancer_up(&balancer), 2);
    for (int i = 0; i < 10; i++)
        assert_int_not_equal(kit_balancer_take(&balancer, 0), 0);
    assert_true(kit_balancer_probed(&balancer, 0, KIT_PROBE_REFUSED));
    assert_true(kit_balancer_probed(&balancer, 0, KIT_PROBE_OK));
    assert_int_equal(kit_balancer_up(&balancer), 3);
}

static void test_broken_answers_count_in_a_row(void **state)
{
    (void)state;
    struct kit_balancer balancer = three_up();
    for (int i = 0; i < KIT_BROKEN_LIMIT - 1; i++)
        assert_false(kit_balancer_give(&balancer, 0, KIT_OUTCOME_BROKEN));
    assert_false(kit_balancer_give(&balancer, 0, KIT_OUTCOME_OK));
    for (int i = 0; i < KIT_BROKEN_LIMIT - 1; i++)
        assert_false(kit_balancer_give(&balancer, 0, KIT_OUTCOME_BROKEN));
    assert_true(kit_balancer_give(&balancer, 0, KIT_OUTCOME_BROKEN));
}

static void test_probes(void **state)
{
    (void)state;
    struct kit_balancer balancer = three_up();
    assert_false(kit_balancer_probed(&balancer, 0, KIT_PROBE_SILENT));
    assert_false(kit_balancer_probed(&balancer, 0, KIT_PROBE_OK)); /* the row is broken */
    assert_false(kit_balancer_probed(&balancer, 0, KIT_PROBE_SILENT));
    assert_true(kit_balancer_probed(&balancer, 0, KIT_PROBE_SILENT));
    assert_int_equal(balancer.peers[0].state, KIT_PEER_UNREADY);
    assert_true(kit_balancer_probed(&balancer, 1, KIT_PROBE_REFUSED));
    /* What is not taken cannot be ejected. */
    assert_false(kit_balancer_give(&balancer, 1, KIT_OUTCOME_UNREACHABLE));
    assert_int_equal(balancer.peers[1].state, KIT_PEER_UNREADY);
}

static void test_retry_budget(void **state)
{
    (void)state;
    struct kit_retry_budget budget;
    kit_retry_budget_init(&budget, 0.2, 10);
    assert_false(kit_retry_budget_spend(&budget));
    unsigned retries = 0;
    for (int i = 0; i < 1000; i++) {
        kit_retry_budget_earn(&budget);
        retries += kit_retry_budget_spend(&budget);
    }
    assert_in_range(retries, 199, 200);
    for (int i = 0; i < 1000; i++)
        kit_retry_budget_earn(&budget);
    unsigned burst = 0;
    while (kit_retry_budget_spend(&budget))
        burst++;
    assert_int_equal(burst, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parsing),
        cmocka_unit_test(test_nothing_is_taken_before_a_probe),
        cmocka_unit_test(test_round_robin_among_equals),
        cmocka_unit_test(test_least_in_flight_and_exceptions),
        cmocka_unit_test(test_unreachable_is_out_at_once_until_a_good_probe),
        cmocka_unit_test(test_broken_answers_count_in_a_row),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_retry_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
