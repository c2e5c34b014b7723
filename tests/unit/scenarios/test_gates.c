/* SPDX-License-Identifier: Apache-2.0 */
/* What faults wait for and depend on, as scenarios say it and as plans hold it. */
#include "base/cleanup.h"
#include "fixture.h"

#define FAULT(name, rest)                                                                          \
    "    - {name: " name ", service: users, maxAffected: 100%, kill: {}, " rest "}\n"
#define PROBE(name, rest) "    - {name: " name ", exec: {command: 'true'}, " rest "}\n"
#define GATE              PROBE("g", "mode: gate")

static char *text_of(const char *faults, const char *probes)
{
    return base_str_printf("%s  duration: 60s\n%s  faults:\n%s%s%s", HEAD, LOAD, faults,
                           *probes != '\0' ? "  probes:\n" : "", probes);
}

static struct plan plan_of(const char *faults, const char *probes)
{
    struct topo topo = platform(TOPO_NETNS);
    BASE_AUTO_FREE char *text = text_of(faults, probes);
    struct plan plan = planned(text, &topo, &plain);
    topo_fini(&topo);
    return plan;
}

/* What the planner, which knows the instances, says against it. */
static char *refusal_of(const char *faults, const char *probes)
{
    struct topo topo = platform(TOPO_NETNS);
    BASE_AUTO_FREE char *text = text_of(faults, probes);
    struct scn_scenario scenario = parsed(text);
    struct scn_problems problems = {.items = NULL};
    struct plan plan;
    assert_false(scn_plan(&scenario, &topo, &plain, &plan, &problems));
    char *list = scn_problems_text(&problems);
    scn_problems_fini(&problems);
    scn_scenario_fini(&scenario);
    topo_fini(&topo);
    return list;
}

static void test_gates_are_planned(void **state)
{
    (void)state;
    struct plan plan = plan_of(
        FAULT("a", "at: 5s, for: 2s, repeat: {times: 2, every: 5s}, if: g, waitFor: {probe: g, "
                   "within: 3s}, suspend: {within: 4s, message: look}")
            FAULT("b", "after: a, at: 1s, for: 1s, unless: g"),
        GATE);
    assert_true(plan_has_gates(&plan));
    const struct plan_gate *first = &plan.faults[0].gate;
    assert_string_equal(first->wait_for, "g");
    assert_int_equal(first->within.ns, 3 * BASE_NS_PER_S);
    assert_int_equal(first->suspend.ns, 4 * BASE_NS_PER_S);
    assert_string_equal(first->message, "look");
    assert_string_equal(first->only_if, "g");
    assert_null(first->unless);
    const struct plan_gate *second = &plan.faults[1].gate; /* waits once, is asked each time */
    assert_null(second->wait_for);
    assert_int_equal(second->suspend.ns, 0);
    assert_string_equal(second->only_if, "g");
    assert_string_equal(plan.faults[2].gate.unless, "g");
    /* As it is read back. */
    struct base_error err;
    struct plan again;
    json_t *json = plan_to_json(&plan);
    assert_true(plan_from_json(json, &again, &err));
    assert_string_equal(again.faults[0].gate.message, "look");
    assert_int_equal(again.faults[0].gate.within.ns, 3 * BASE_NS_PER_S);
    assert_string_equal(again.faults[2].gate.unless, "g");
    assert_true(plan_gate_is_open(&again.faults[2].gate) == false);
    json_decref(json);
    plan_fini(&again);
    plan_fini(&plan);
}

static void test_what_makes_no_sense(void **state)
{
    (void)state;
    static const struct {
        const char *faults, *probes, *says;
    } cases[] = {
        {FAULT("a", "at: 5s, for: 2s, if: h"), GATE,
         "spec.faults[0].if: no probe \"h\", expected one of g"},
        {FAULT("a", "at: 5s, for: 2s, if: g, unless: g"), GATE, "beside \"if\""},
        {FAULT("a", "at: 5s, for: 2s, if: x"), PROBE("x", "mode: after"),
         "\"x\" is of mode after, expected one of mode gate, continuous or during"},
        {FAULT("a", "at: 5s, for: 2s, waitFor: {probe: x, within: 1s}"), PROBE("x", "mode: during"),
         "\"x\" is of mode during, expected one of mode gate or continuous"},
        {FAULT("a", "at: 5s, for: 2s, if: x"), PROBE("x", "mode: during, fault: a"),
         "\"x\" asks during this very fault"},
        {FAULT("a", "at: 5s, for: 2s"), GATE, "spec.probes[0].mode: no fault waits for it"},
        {FAULT("a", "at: 0s, for: 2s, if: g"), GATE, "needs a load that runs"},
        {FAULT("a", "at: 5s, for: 2s, waitFor: {probe: g}"), GATE, "within: this key is missing"},
        {FAULT("a", "at: 5s, for: 2s, suspend: {}"), "", "within: this key is missing"},
        {FAULT("a", "at: 5s, for: 2s, waitFor: {probe: g, within: 53s}"), GATE,
         "the fault ends at 1m when all that is waited for takes as long as it may"},
        {FAULT("a", "at: 5s, for: 2s, waitFor: {probe: g, within: 30s}")
             FAULT("b", "after: a, at: 10s, for: 14s"),
         GATE, "spec.faults[1].for: the fault ends at 61s when all"},
        {FAULT("a", "at: 5s, for: 2s, suspend: {within: 30s}") FAULT("b", "at: 20s, for: 10s"), "",
         "spec.faults[1].for: the fault ends at 1m when all"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BASE_AUTO_FREE char *text = text_of(cases[i].faults, cases[i].probes);
        BASE_AUTO_FREE char *list = complaints(text, strlen(text));
        assert_contains(list, cases[i].says);
    }
}

/* What may have to wait can meet what comes later, on the same instance. */
static void test_a_wait_may_bring_faults_together(void **state)
{
    (void)state;
#define ALL(name, rest) FAULT(name, "select: all, " rest)
    static const struct {
        const char *faults;
        bool meet;
    } cases[] = {
        {ALL("a", "at: 5s, for: 2s") ALL("b", "at: 10s, for: 2s"), false},
        {ALL("a", "at: 5s, for: 2s, waitFor: {probe: g, within: 3s}") ALL("b", "at: 10s, for: 2s"),
         false},
        {ALL("a", "at: 5s, for: 2s, waitFor: {probe: g, within: 4s}") ALL("b", "at: 10s, for: 2s"),
         true},
        {ALL("b", "at: 10s, for: 2s") ALL("a", "at: 5s, for: 2s, waitFor: {probe: g, within: 4s}"),
         true},
        /* It has to be gone first. */
        {ALL("a", "at: 5s, for: 2s, waitFor: {probe: g, within: 20s}")
             ALL("b", "after: a, at: 1s, for: 2s"),
         false},
        /* All wait for an operator alike. */
        {ALL("a", "at: 5s, for: 2s, if: g, suspend: {within: 20s}") ALL("b", "at: 10s, for: 2s"),
         false},
        /* One of them alone. */
        {ALL("a", "at: 5s, for: 2s, if: g") ALL("b", "at: 5s, for: 2s, unless: g"), false},
        {ALL("a", "at: 5s, for: 2s, if: g") ALL("b", "at: 6s, for: 2s, unless: g"), true},
        {ALL("a", "at: 5s, for: 2s, if: g") ALL("b", "at: 5s, for: 2s, if: g"), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool uses =
            strstr(cases[i].faults, "probe: g") != NULL || strstr(cases[i].faults, "if: g") != NULL;
        const char *probes = uses ? GATE : "";
        if (cases[i].meet) {
            BASE_AUTO_FREE char *list = refusal_of(cases[i].faults, probes);
            assert_contains(list, "is in force there");
        } else {
            struct plan plan = plan_of(cases[i].faults, probes);
            assert_int_equal(plan.fault_count, 2);
            plan_fini(&plan);
        }
    }
}

/* A branch that is hidden behind another one by plan may be the one that comes. */
static void test_phases_of_branches_can_be_judged(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    BASE_AUTO_FREE char *faults = text_of(
        FAULT("a", "at: 5s, for: 2s, if: g") FAULT("b", "at: 5s, for: 2s, unless: g"), GATE);
    BASE_AUTO_FREE char *text =
        base_str_printf("%s  thresholds:\n    - {name: x, expect: errors < 1%%, phase: a}\n"
                        "    - {name: y, expect: errors < 1%%, phase: after-a}\n"
                        "    - {name: z, expect: errors < 1%%, phase: b}\n",
                        faults);
    struct plan plan = planned(text, &topo, &plain);
    assert_int_equal(plan.threshold_count, 3);
    plan_fini(&plan);
    BASE_AUTO_FREE char *wrong = replaced(text, "phase: after-a}", "phase: after-c}");
    BASE_AUTO_FREE char *list = complaints(wrong, strlen(wrong));
    assert_contains(list, "no phase \"after-c\"");
    topo_fini(&topo);
}

/* What nobody can decide any more goes with that on which it would depend. */
static void test_a_branch_goes_with_its_probe(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_LOOPBACK);
    BASE_AUTO_FREE char *text = text_of(
        "    - {name: cut, at: 2s, for: 2s, service: users, partition: {from: [postgres]}}\n" FAULT(
            "more", "at: 8s, for: 2s, if: seen") FAULT("last", "at: 12s, for: 2s, if: then"),
        PROBE("seen", "mode: during, fault: cut") PROBE("then", "mode: during, fault: more"));
    struct scn_plan_options without = {.run = "r1", .without_kernel_faults = true};
    struct plan plan = planned(text, &topo, &without);
    assert_int_equal(plan.fault_count, 0);
    assert_int_equal(plan.probe_count, 0);
    assert_string_equal(plan.skipped[1].name, "more");
    assert_contains(plan.skipped[1].why, "the probe \"seen\" went with a fault that is left out");
    assert_string_equal(plan.skipped[2].name, "last");
    plan_fini(&plan);
    topo_fini(&topo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gates_are_planned),
        cmocka_unit_test(test_what_makes_no_sense),
        cmocka_unit_test(test_a_wait_may_bring_faults_together),
        cmocka_unit_test(test_phases_of_branches_can_be_judged),
        cmocka_unit_test(test_a_branch_goes_with_its_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
