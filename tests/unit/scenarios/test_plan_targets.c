/* SPDX-License-Identifier: Apache-2.0 */
/* Which instances a fault hits. */
#include "fixture.h"

/* Which instances a selection hits: the same for the same seed, and each of them for some seed. */
static void test_selection_is_seeded(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    unsigned hits[4] = {0};
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct scn_plan_options options = {.run = "r", .seed_given = true, .seed = seed};
        struct plan one = planned(SAMPLE, &topo, &options);
        struct plan two = planned(SAMPLE, &topo, &options);
        const char *target = one.faults[0].spec.targets[0];
        assert_string_equal(target, two.faults[0].spec.targets[0]);
        assert_int_equal(one.seed, seed);
        assert_int_equal(one.load.seed, seed);
        hits[target[strlen("users-")] - '1']++;
        plan_fini(&one);
        plan_fini(&two);
    }
    /* 100 each on average; 60 is more than four standard deviations away. */
    for (size_t i = 0; i < 4; i++)
        assert_true(hits[i] > 60);
    topo_fini(&topo);
}

static void test_a_fault_more_leaves_selections_alone(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *more = replaced(SAMPLE, "  faults:\n",
                          "  faults:\n    - {name: extra, at: 15s, for: 1s, service: users, kill: "
                          "{}}\n");
    struct plan one = planned(SAMPLE, &topo, &plain);
    struct plan two = planned(more, &topo, &plain);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(one.faults[i].spec.targets[0], two.faults[i + 1].spec.targets[0]);
    plan_fini(&one);
    plan_fini(&two);
    topo_fini(&topo);
    free(more);
}

static void test_how_many_are_selected(void **state)
{
    (void)state;
    static const struct {
        const char *select;
        size_t count;
    } cases[] = {
        {"one", 1},
        {"all", 4},
        {"{count: 3}", 3},
        {"{percent: 50%}", 2},
        {"{percent: 74%}", 2},
        {"{percent: 100%}", 4},
    };
    struct topo topo = platform(TOPO_NETNS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *with = base_str_printf("kill: {}, maxAffected: 100%%, select: %s", cases[i].select);
        char *text = replaced(SAMPLE, "kill: {}", with);
        struct plan plan = planned(text, &topo, &plain);
        const struct fault_spec *spec = &plan.faults[0].spec;
        assert_int_equal(spec->target_count, cases[i].count);
        for (size_t k = 1; k < spec->target_count; k++)
            assert_true(strcmp(spec->targets[k - 1], spec->targets[k]) < 0);
        plan_fini(&plan);
        free(text);
        free(with);
    }
    topo_fini(&topo);
}

static void test_a_random_number_is_selected_by_the_seed(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *text =
        replaced(SAMPLE, "kill: {}", "kill: {}, maxAffected: 75%, select: {randomMaxPercent: 75%}");
    struct scn_scenario scenario = parsed(text);
    struct scn_problems problems = {.items = NULL};
    size_t seen[5] = {0};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        const struct scn_plan_options seeded = {.run = "r1", .seed_given = true, .seed = seed};
        struct plan plan;
        struct plan again;
        assert_true(scn_plan(&scenario, &topo, &seeded, &plan, &problems));
        assert_true(scn_plan(&scenario, &topo, &seeded, &again, &problems));
        size_t count = plan.faults[0].spec.target_count;
        assert_int_equal(again.faults[0].spec.target_count, count);
        assert_in_range(count, 1, 3);
        seen[count]++;
        plan_fini(&plan);
        plan_fini(&again);
    }
    for (size_t i = 1; i <= 3; i++)
        assert_in_range(seen[i], 5, 50);
    scn_scenario_fini(&scenario);
    free(text);
    topo_fini(&topo);
}

static void test_observability_when_named_with_a_cap(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *text =
        replaced(SAMPLE, "service: users, kill", "service: prometheus, maxAffected: 50%, kill");
    struct plan plan = planned(text, &topo, &plain);
    assert_string_equal(plan.faults[0].spec.service, "prometheus");
    plan_fini(&plan);
    topo_fini(&topo);
    free(text);
}

static void test_one_instance_cannot_have_two_faults_at_once(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    static const char text[] =
        HEAD "  duration: 20s\n" LOAD "  faults:\n"
             "    - {name: a, at: 2s, for: 4s, service: users, select: all, maxAffected: 100%, "
             "kill: {}}\n"
             "    - {name: b, at: 5s, for: 2s, service: users, app: {latency: 1s}}\n";
    char *list = refused(text, &topo, &plain);
    assert_contains(list, "s.yaml:14:21: spec.faults[1].at: hits \"users-");
    assert_contains(list, "while \"a\" is in force there");
    free(list);
    char *apart = replaced(text, "at: 5s", "at: 6s");
    struct plan plan = planned(apart, &topo, &plain);
    plan_fini(&plan);
    free(apart);
    topo_fini(&topo);
}

/* Two faults at one time whose instances differ still share the service's cap. */
static void test_faults_at_one_time_share_the_cap(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    static const char text[] =
        HEAD "  duration: 20s\n" LOAD "  faults:\n"
             "    - {name: a, at: 2s, for: 4s, service: users, kill: {}}\n"
             "    - {name: b, at: 5s, for: 2s, service: users, select: {count: 2}, kill: {}}\n";
    size_t shared = 0;
    size_t same = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct scn_plan_options options = {.run = "r", .seed_given = true, .seed = seed};
        char *list = refused(text, &topo, &options);
        shared += strstr(list, "s.yaml:14:7: spec.faults[1].maxAffected: together with the faults "
                               "that are in force when this one starts, 3 of 4 instances of "
                               "\"users\" would be hit, more than the 50% allowed") != NULL;
        same += strstr(list, "spec.faults[1].at: hits \"users-") != NULL;
        free(list);
    }
    assert_int_equal(shared + same, 50);
    assert_true(shared > 0 && same > 0);
    topo_fini(&topo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection_is_seeded),
        cmocka_unit_test(test_a_fault_more_leaves_selections_alone),
        cmocka_unit_test(test_how_many_are_selected),
        cmocka_unit_test(test_a_random_number_is_selected_by_the_seed),
        cmocka_unit_test(test_observability_when_named_with_a_cap),
        cmocka_unit_test(test_one_instance_cannot_have_two_faults_at_once),
        cmocka_unit_test(test_faults_at_one_time_share_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
