/* SPDX-License-Identifier: Apache-2.0 */
/* Which instances a fault hits. */
#include "fixture.h"

/* Which instances a selection hits: the same for the same seed, and each of them for some seed. */
static void test_selection_is_seeded(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    struct scn_scenario scenario = parsed(SAMPLE);
    unsigned hits[4] = {0};
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct scn_plan_options options = {.run = "r", .seed_given = true, .seed = seed};
        struct plan one = planned_from(&scenario, &topo, &options);
        struct plan two = planned_from(&scenario, &topo, &options);
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
    scn_scenario_fini(&scenario);
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

static void set_text(char **at, const char *text)
{
    free(*at);
    *at = base_str_dup(text);
}

static void add_label(struct topo_instance *instance, const char *label)
{
    instance->labels =
        base_reallocarray(instance->labels, instance->label_count + 1, sizeof *instance->labels);
    instance->labels[instance->label_count++] = base_str_dup(label);
}

/* users-1 and users-3 in zone a, the others in b; users-1 and users-2 in front. */
static struct topo placed_platform(void)
{
    struct topo topo = platform(TOPO_NETNS);
    for (size_t i = 0; i < 4; i++) {
        struct topo_instance *instance = &topo.services[1].instances[i];
        set_text(&instance->zone, i % 2 == 0 ? "a" : "b");
        set_text(&instance->node, i == 3 ? "n2.test" : "n1.test");
        set_text(&instance->namespace, "shop");
        add_label(instance, i < 2 ? "tier=front" : "tier=back");
        add_label(instance, "app.kubernetes.io/name=users");
    }
    return topo;
}

/* Every way to select chooses among those that match, and each of them for some seed. */
static void test_a_selection_among_those_that_match(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        const char *never; /* numbers of users that are never hit */
        size_t least;
        size_t most;
    } cases[] = {
        {"where: {zone: a}", "24", 1, 1},
        {"where: {zone: b}, select: all", "13", 2, 2},
        {"where: {node: n1.test}, select: {count: 2}", "4", 2, 2},
        {"where: {node: n1.test}, select: {percent: 67%}", "4", 2, 2},
        {"where: {labels: [tier=front]}, select: {percent: 50%}", "34", 1, 1},
        {"where: {labels: [tier=front]}, select: {randomMaxPercent: 100%}", "34", 1, 2},
        {"where: {namespace: shop, zone: b, labels: [app.kubernetes.io/name=users, tier=back]}",
         "123", 1, 1},
    };
    struct topo topo = placed_platform();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *with = base_str_printf("kill: {}, %s", cases[i].more);
        char *text = replaced(SAMPLE, "kill: {}", with);
        struct scn_scenario scenario = parsed(text);
        size_t hits[5] = {0};
        for (uint64_t seed = 1; seed <= 20; seed++) {
            struct scn_plan_options options = {.run = "r", .seed_given = true, .seed = seed};
            struct plan plan = planned_from(&scenario, &topo, &options);
            const struct fault_spec *spec = &plan.faults[0].spec;
            assert_in_range(spec->target_count, cases[i].least, cases[i].most);
            for (size_t k = 0; k < spec->target_count; k++)
                hits[spec->targets[k][strlen("users-")] - '0']++;
            plan_fini(&plan);
        }
        for (size_t k = 1; k <= 4; k++)
            assert_int_equal(hits[k] == 0, strchr(cases[i].never, (int)('0' + k)) != NULL);
        scn_scenario_fini(&scenario);
        free(text);
        free(with);
    }
    topo_fini(&topo);
}

static void test_what_is_wrong_with_where(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        const char *message;
    } cases[] = {
        {"where: {zone: c}",
         "spec.faults[0].where: none of the 4 instances of \"users\" is like this, as the topology "
         "says"},
        {"where: {zone: a, labels: [tier=front, tier=back]}",
         "spec.faults[0].where: none of the 4"},
        {"where: {zone: a}, select: {count: 3}",
         "spec.faults[0].select: 3 instances are asked for, but \"users\" has 2 that match"},
        {"where: {zone: a}, select: {percent: 40%}",
         "spec.faults[0].select: 40% of the 2 matching instances of \"users\" is none"},
        {"where: {namespace: shop}, select: all",
         "maxAffected: 4 of 4 instances of \"users\" would be hit, more than the 50% allowed"},
        {"where: {zone: a}, select: all, maxAffected: 49%",
         "maxAffected: 2 of 4 instances of \"users\" would be hit, more than the 49% allowed"},
    };
    struct topo topo = placed_platform();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *with = base_str_printf("kill: {}, %s", cases[i].more);
        char *text = replaced(SAMPLE, "kill: {}", with);
        assert_refused(text, &topo, &plain, cases[i].message);
        free(text);
        free(with);
    }
    topo_fini(&topo);
}

/* The agent gets to know it: of those that come later, it hits only such. */
static void test_where_travels_to_the_agent(void **state)
{
    (void)state;
    struct topo topo = placed_platform();
    char *text = replaced(SAMPLE, "kill: {}",
                          "pause: {}, track: true, select: all, where: {zone: a, node: n1.test, "
                          "namespace: shop, labels: [tier=front]}");
    struct plan plan = planned(text, &topo, &plain);
    const struct fault_spec *spec = &plan.faults[0].spec;
    assert_string_equal(spec->where.zone, "a");
    assert_string_equal(spec->where.node, "n1.test");
    assert_string_equal(spec->where.namespace, "shop");
    assert_int_equal(spec->where.label_count, 1);
    assert_string_equal(spec->where.labels[0], "tier=front");
    assert_null(plan.faults[1].spec.where.zone);
    plan_fini(&plan);
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
    struct scn_scenario scenario = parsed(text);
    size_t shared = 0;
    size_t same = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct scn_plan_options options = {.run = "r", .seed_given = true, .seed = seed};
        char *list = refused_from(&scenario, &topo, &options);
        shared += strstr(list, "s.yaml:14:7: spec.faults[1].maxAffected: together with the faults "
                               "that are in force when this one starts, such as \"a\", 3 of 4 "
                               "instances of "
                               "\"users\" would be hit, more than the 50% allowed") != NULL;
        same += strstr(list, "spec.faults[1].at: hits \"users-") != NULL;
        free(list);
    }
    assert_int_equal(shared + same, 50);
    assert_true(shared > 0 && same > 0);
    scn_scenario_fini(&scenario);
    topo_fini(&topo);
}

/* One that may wait can meet each of the times of another, but not all of them together. */
static void test_times_that_follow_each_other_are_not_added_up(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    static const char text[] = HEAD
        "  duration: 40s\n" LOAD "  probes: [{name: go, mode: gate, exec: {command: \"true\"}}]\n"
        "  faults:\n"
        "    - {name: a, at: 2s, for: 1s, service: users, kill: {}, "
        "waitFor: {probe: go, within: 30s}}\n"
        "    - {name: b, at: 4s, for: 1s, service: users, kill: {}, "
        "repeat: {times: 3, every: 5s}}\n";
    struct scn_scenario scenario = parsed(text);
    size_t fit = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct scn_plan_options options = {.run = "r", .seed_given = true, .seed = seed};
        struct scn_problems problems = {.items = NULL};
        struct plan plan;
        if (scn_plan(&scenario, &topo, &options, &plan, &problems)) {
            fit++;
            plan_fini(&plan);
        }
        char *list = scn_problems_text(&problems);
        assert_null(strstr(list, "together with"));
        free(list);
        scn_problems_fini(&problems);
    }
    assert_true(fit > 0);
    scn_scenario_fini(&scenario);
    topo_fini(&topo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection_is_seeded),
        cmocka_unit_test(test_a_fault_more_leaves_selections_alone),
        cmocka_unit_test(test_how_many_are_selected),
        cmocka_unit_test(test_a_random_number_is_selected_by_the_seed),
        cmocka_unit_test(test_a_selection_among_those_that_match),
        cmocka_unit_test(test_what_is_wrong_with_where),
        cmocka_unit_test(test_where_travels_to_the_agent),
        cmocka_unit_test(test_observability_when_named_with_a_cap),
        cmocka_unit_test(test_one_instance_cannot_have_two_faults_at_once),
        cmocka_unit_test(test_faults_at_one_time_share_the_cap),
        cmocka_unit_test(test_times_that_follow_each_other_are_not_added_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
