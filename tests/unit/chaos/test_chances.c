/* SPDX-License-Identifier: Apache-2.0 */
/* The formulas say what becomes of round trips through the core that impairs packets. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chances.h"
#include "impair.h"
#include "statistics.h"

enum { many = 40000 };

struct seen {
    size_t lost;
    size_t doubled;
    size_t delayed[3];
};

/* Of one packet: how many copies arrive, each with the number of delays it has met. */
static int travel(struct impair *impair, int met, int out[2])
{
    const struct mono_ns now = {INT64_C(1000000000)};
    struct impair_fate fate = impair_packet(impair, now, 100);
    int count = 0;
    if (fate.drop)
        return 0;
    met += fate.leaves.ns > now.ns ? 1 : 0;
    if (!fate.corrupt)
        out[count++] = met;
    if (fate.duplicate)
        out[count++] = met;
    return count;
}

static struct seen simulate(const struct fault_network *network)
{
    struct seen seen = {0};
    struct impair there;
    struct impair back;
    impair_init(&there, &network->impairment, 7);
    impair_init(&back, &network->impairment, 8);
    for (int i = 0; i < many; i++) {
        int copies[2] = {0};
        int arrived = travel(&there, 0, copies);
        int answers = 0;
        int least = 2;
        for (int k = 0; k < arrived; k++) {
            int answer[2] = {copies[k]};
            int came = network->direction == FAULT_BOTH ? travel(&back, copies[k], answer) : 1;
            for (int a = 0; a < came; a++)
                least = answer[a] < least ? answer[a] : least;
            answers += came;
        }
        seen.lost += answers == 0 ? 1 : 0;
        seen.doubled += answers > 1 ? 1 : 0;
        seen.delayed[least] += answers > 0 ? 1 : 0;
    }
    return seen;
}

static void assert_share(size_t i, const char *what, size_t hits, size_t n, double rate)
{
    struct fault_interval interval = fault_binomial_interval(n, rate, 1e-6);
    if (hits < interval.low || hits > interval.high)
        fail_msg("case %zu, %s: %zu of %zu, expected %zu to %zu", i, what, hits, n, interval.low,
                 interval.high);
}

static const struct fault_network cases[] = {
    {.impairment = {.delay = {20000000}}},
    {.impairment = {.loss = 0.2, .corrupt = 0.1}},
    {.impairment = {.delay = {20000000}, .reorder = 0.3}},
    {.impairment = {.delay = {20000000}, .reorder = 0.3, .duplicate = 0.4}},
    {.impairment = {.share = 0.3, .delay = {20000000}}},
    {.impairment = {.share = 0.9, .delay = {20000000}, .reorder = 0.2}},
    {.impairment = {.share = 0.5, .loss = 0.4, .corrupt = 0.2, .duplicate = 0.5}},
    {.impairment = {.share = 0.4,
                    .delay = {20000000},
                    .loss = 0.3,
                    .corrupt = 0.1,
                    .duplicate = 0.4,
                    .reorder = 0.1}},
};

static void formulas_and_packets_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct fault_network network = cases[i / 2];
        network.direction = i % 2 == 0 ? FAULT_BOTH : FAULT_EGRESS;
        struct chances chances = chances_of(&network);
        struct seen seen = simulate(&network);
        size_t answered = many - seen.lost;
        assert_share(i, "lost", seen.lost, many, chances.lost);
        assert_share(i, "doubled", seen.doubled, answered, chances.doubled);
        for (int ways = 0; ways < 3; ways++)
            assert_share(i, "delayed", seen.delayed[ways], answered, chances.delayed[ways]);
    }
}

static void only_what_is_asked_has_a_chance(void **state)
{
    (void)state;
    struct chances chances = chances_of(&cases[0]);
    assert_true(chances.lost <= 0.0 && chances.doubled <= 0.0 && chances.overtook <= 0.0 &&
                chances.hit <= 0.0 && chances.telling == 2);
    chances = chances_of(&cases[2]);
    assert_true(fabs(chances.overtook - 0.51) < 1e-9 && chances.hit <= 0.0 && chances.telling == 2);
    chances = chances_of(&cases[4]);
    assert_true(fabs(chances.hit - 0.51) < 1e-9 && chances.overtook <= 0.0 && chances.telling == 1);
    chances = chances_of(&cases[5]); /* 0.72 of them, one way */
    assert_true(fabs(chances.hit - (1.0 - 0.28 * 0.28)) < 1e-9 && chances.telling == 2);
    /* Of a loss there is no delay to tell a share by. */
    struct fault_network lossy = {.impairment = {.share = 0.25, .loss = 0.2}};
    chances = chances_of(&lossy);
    assert_true(chances.hit <= 0.0 && fabs(chances.lost - (1.0 - 0.95 * 0.95)) < 1e-9);
    lossy.direction = FAULT_INGRESS;
    assert_true(fabs(chances_of(&lossy).lost - 0.05) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formulas_and_packets_agree),
        cmocka_unit_test(only_what_is_asked_has_a_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
