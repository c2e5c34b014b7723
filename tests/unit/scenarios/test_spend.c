/* SPDX-License-Identifier: Apache-2.0 */
/* What faults can cost at most, against sums made by hand. Loads of 60 s; users has four instances,
 * gateway two, postgres one. */
#include <math.h>

#include "base/cleanup.h"
#include "fixture.h"
#include "scenarios/spend.h"

#define FLAT "rate: 100/s"

static char *text_of(const char *load, const char *faults, const char *more)
{
    return base_str_printf(
        "%s  duration: 60s\n  load: {service: gateway, %s, routes: [{name: r, path: /}]}\n"
        "  faults:\n%s"
        "  probes:\n    - {name: g, mode: gate, exec: {command: 'true'}}\n"
        "    - {name: d, mode: continuous, exec: {command: 'true'}}\n"
        "  slos:\n    - {name: avail, objective: 99%%, availability: {service: gateway}}\n"
        "    - {name: quick, objective: 90%%, latency: {service: gateway, within: 250ms}}\n%s",
        HEAD, load, faults, more);
}

#define FAULT(name, service, rest)                                                                 \
    "    - {name: " name ", service: " service ", maxAffected: 100%, " rest "}\n"
/* So that the probe for faults has its fault, which costs nothing. */
#define LAST FAULT("last", "prometheus", "at: 36s, for: 1s, if: g, kill: {restartWithin: 1s}")

static void assert_bad(const char *load, const char *faults, double requests, double avail,
                       double quick)
{
    struct topo topo = platform(TOPO_NETNS);
    BASE_AUTO_FREE char *with_last = base_str_printf("%s%s", faults, LAST);
    BASE_AUTO_FREE char *text = text_of(load, with_last, "");
    struct plan plan = planned(text, &topo, &plain);
    const double expected[] = {avail, quick};
    for (size_t i = 0; i < 2; i++) {
        struct scn_spend spend = scn_spend(&plan, &topo, i);
        if (fabs(spend.requests - requests) > 1e-6 || fabs(spend.bad - expected[i]) > 1e-6)
            fail_msg("%s: %.9g of %.9g, expected %.9g of %.9g", faults, spend.bad, spend.requests,
                     expected[i], requests);
        assert_true(fabs(plan.slos[i].predicted_bad - expected[i] / requests) < 1e-9);
        free(spend.parts);
    }
    plan_fini(&plan);
    topo_fini(&topo);
}

static void test_shares(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        double avail, quick;
    } cases[] = {
        /* One of four for 10 s of 100/s; a restart that may take longer counts. */
        {FAULT("a", "users", "at: 5s, for: 10s, kill: {restartWithin: 1s}"), 250, 250},
        {FAULT("a", "users", "at: 5s, for: 10s, kill: {restartWithin: 20s}"), 500, 500},
        {FAULT("a", "users", "at: 5s, for: 10s, kill: {restartWithin: 2s, every: 3s}"), 300, 300},
        {FAULT("a", "users", "at: 5s, for: 10s, select: {count: 3}, pause: {}"), 750, 750},
        {FAULT("a", "postgres", "at: 5s, for: 10s, pause: {}"), 1000, 1000},
        /* What it states itself. Errors are no events of an objective on latency. */
        {FAULT("a", "users", "at: 5s, for: 10s, app: {errorRate: 20%}"), 50, 0},
        {FAULT("a", "users", "at: 5s, for: 10s, app: {errorRate: 20%, latency: 1s}"), 250, 250},
        {FAULT("a", "gateway", "at: 5s, for: 10s, http: {abort: {status: 503}, percent: 10%}"), 50,
         50},
        /* A ramp states it in steps: 10 % and 20 %, 5 s each. */
        {FAULT("a", "users", "at: 5s, for: 10s, ramp: {steps: 2}, app: {errorRate: 20%}"), 37.5, 0},
        {FAULT("a", "users", "at: 5s, for: 5s, repeat: {times: 3, every: 10s}, pause: {}"), 375,
         375},
        /* It observes, and serves nobody. */
        {FAULT("a", "prometheus", "at: 5s, for: 10s, select: all, pause: {}"), 0, 0},
        /* Two at a time add up, but never to more than there is. */
        {FAULT("a", "users", "at: 5s, for: 10s, pause: {}")
             FAULT("b", "gateway", "at: 5s, for: 10s, pause: {}"),
         750, 750},
        {FAULT("a", "users", "at: 1s, for: 50s, select: all, pause: {}")
             FAULT("b", "gateway", "at: 1s, for: 50s, select: all, pause: {}"),
         6000, 6000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_bad(FLAT, cases[i].fault, 6000, cases[i].avail, cases[i].quick);
}

/* 20 s from 0 to 100/s (1000), 20 s at 100/s (2000), 20 s of 50 each 5 s (200). */
#define STAGES                                                                                     \
    "stages: [{for: 20s, from: 0/s, to: 100/s}, {for: 20s, rate: 100/s}, {for: 20s, burst: 50, "   \
    "every: 5s}]"

static void test_nodes(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        double bad;
    } cases[] = {
        {FAULT("a", "users", "at: 5s, for: 10s, node: {cordon: {}}"), 0},
        /* Of the node's two of users and one of gateway, which has two. */
        {FAULT("a", "users", "at: 5s, for: 10s, node: {drain: {}}"), 500},
        {FAULT("a", "users", "at: 5s, for: 10s, select: all, node: {drain: {}}"), 1000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct topo topo = platform(TOPO_NETNS);
        BASE_AUTO_FREE char *with_last = base_str_printf("%s%s", cases[i].fault, LAST);
        BASE_AUTO_FREE char *text = text_of(FLAT, with_last, "");
        topo.kubernetes_url = base_str_dup("https://10.0.0.1:6443");
        for (size_t s = 0; s < topo.service_count; s++)
            for (size_t k = 0; k < topo.services[s].instance_count; k++)
                topo.services[s].instances[k].node =
                    base_str_printf("n-%zu", topo.services[s].instance_count > 1 ? k % 2 : 9);
        struct plan plan = planned(text, &topo, &plain);
        struct scn_spend spend = scn_spend(&plan, &topo, 0);
        if (fabs(spend.bad - cases[i].bad) > 1e-6)
            fail_msg("case %zu: %.9g, expected %.9g", i, spend.bad, cases[i].bad);
        free(spend.parts);
        plan_fini(&plan);
        topo_fini(&topo);
    }
}

static void test_traffic(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        double bad;
    } cases[] = {
        /* From 5 to 10 s of the ramp: (10^2 - 5^2) * 5 / 2 = 187.5; one of four. */
        {FAULT("a", "users", "at: 5s, for: 5s, pause: {}"), 187.5 / 4},
        {FAULT("a", "users", "at: 25s, for: 5s, pause: {}"), 500.0 / 4},
        /* Bursts at 40, 45, 50, 55 s. */
        {FAULT("a", "users", "at: 41s, for: 5s, pause: {}"), 50.0 / 4},
        {FAULT("a", "users", "at: 39s, for: 12s, pause: {}"), (100.0 + 150.0) / 4},
        {FAULT("a", "users", "at: 46s, for: 3s, pause: {}"), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_bad(STAGES, cases[i].fault, 3200, cases[i].bad, cases[i].bad);
}

/* What waits may come when most is due; with bursts, to all that are in reach. */
static void test_what_waits(void **state)
{
    (void)state;
#define RAMP "stages: [{for: 30s, from: 0/s, to: 100/s}, {for: 30s, rate: 10/s}]"
    static const struct {
        const char *fault;
        double bad;
    } cases[] = {
        /* In the first 5 s 41.7 are due; up to 15 s the rate is at most 50/s. */
        {FAULT("a", "users", "at: 0s, for: 5s, pause: {}"), 5.0 * 5 / 30 * 100 / 2 / 4},
        {FAULT("a", "users", "at: 1s, for: 5s, waitFor: {probe: g, within: 9s}, pause: {}"),
         5 * 50.0 / 4},
        /* No more than is due in all of that time. */
        {FAULT("a", "users", "at: 30s, for: 20s, waitFor: {probe: g, within: 2s}, pause: {}"),
         20 * 10.0 / 4},
        /* What follows it may be as late, and an operator makes all of it late. */
        {FAULT("a", "prometheus", "at: 1s, for: 1s, waitFor: {probe: g, within: 20s}, pause: {}")
             FAULT("b", "users", "after: a, at: 1s, for: 2s, pause: {}"),
         2 * 25.0 * 100 / 30 / 4},
        {FAULT("a", "prometheus", "at: 1s, for: 1s, suspend: {within: 20s}, pause: {}")
             FAULT("b", "users", "at: 4s, for: 2s, pause: {}"),
         2 * 26.0 * 100 / 30 / 4},
        {FAULT("b", "users", "at: 4s, for: 2s, pause: {}")
             FAULT("a", "prometheus", "at: 7s, for: 1s, suspend: {within: 20s}, pause: {}"),
         (36.0 - 16.0) * 100 / 30 / 2 / 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_bad(RAMP, cases[i].fault, 1800, cases[i].bad, cases[i].bad);
}

/* Users come as fast as they are served: then the whole is 1. */
static void test_unknown_traffic(void **state)
{
    (void)state;
    assert_bad("users: {count: 5}", FAULT("a", "users", "at: 5s, for: 15s, pause: {}"), 1, 0.0625,
               0.0625);
}

static void test_a_budget_is_kept(void **state)
{
    (void)state;
    static const struct {
        const char *budget, *says; /* NULL: it may run */
    } cases[] = {
        {"  budget: {maxSpend: 100%}\n",
         "spec.budget.maxSpend: the faults can spend 416.7% of the "
         "error budget that \"avail\" has in 1m, more than the 100%"},
        /* 250 of 6000 bad, 60 allowed; 417 % of a minute's budget are 4.17 % of that of 100. */
        {"  budget: {maxSpend: 4.1%, over: 100m}\n", "can spend 4.167% of the error budget"},
        {"  budget: {maxSpend: 4.2%, over: 100m}\n", NULL},
        {"", NULL},
    };
    struct topo topo = platform(TOPO_NETNS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BASE_AUTO_FREE char *text =
            text_of(FLAT, FAULT("a", "users", "at: 5s, for: 10s, kill: {restartWithin: 1s}") LAST,
                    cases[i].budget);
        struct scn_scenario scenario = parsed(text);
        struct scn_problems problems = {.items = NULL};
        struct plan plan;
        bool ok = scn_plan(&scenario, &topo, &plain, &plan, &problems);
        BASE_AUTO_FREE char *list = scn_problems_text(&problems);
        assert_int_equal(ok, cases[i].says == NULL);
        if (ok)
            plan_fini(&plan);
        else
            assert_contains(list, cases[i].says);
        assert_true(ok || strstr(list, "quick") == NULL || i == 0);
        scn_problems_fini(&problems);
        scn_scenario_fini(&scenario);
    }
    BASE_AUTO_FREE char *none =
        base_str_printf("%s  duration: 60s\n%s  budget: {maxSpend: 1%%}\n", HEAD, LOAD);
    BASE_AUTO_FREE char *list = complaints(none, strlen(none));
    assert_contains(list, "spec.budget: of which objectives?");
    topo_fini(&topo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),          cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_traffic),         cmocka_unit_test(test_what_waits),
        cmocka_unit_test(test_unknown_traffic), cmocka_unit_test(test_a_budget_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
