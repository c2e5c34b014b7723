/* SPDX-License-Identifier: Apache-2.0 */
/* When requests are due, and how connections are used for them. */
#include "base/buf.h"
#include "fixture.h"

static void assert_stage(const struct load_stage *stage, int64_t ms, double from, double to,
                         uint64_t burst)
{
    assert_int_equal(stage->length.ns, ms * BASE_NS_PER_MS);
    assert_true(stage->from == from && stage->to == to);
    assert_int_equal(stage->burst, burst);
}

static void test_stages(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *text = replaced(SAMPLE, "rate: 100/s",
                          "stages:\n"
                          "      - {for: 2s, to: 60/m}\n"
                          "      - {for: 3s, to: 10/s}\n"
                          "      - {for: 3s, from: 0.0/h, to: 20/s, steps: 2}\n"
                          "      - {for: 1s, rate: 0/s}\n"
                          "      - {for: 11s, burst: 7, every: 500ms}");
    struct plan plan = planned(text, &topo, &plain);
    const struct load_spec *load = &plan.load;
    assert_true(load->rate == 0);
    assert_int_equal(load->stage_count, 6);
    assert_stage(&load->stages[0], 2000, 0, 1, 0);
    assert_stage(&load->stages[1], 3000, 1, 10, 0);
    assert_stage(&load->stages[2], 1500, 0, 0, 0);
    assert_stage(&load->stages[3], 1500, 20, 20, 0);
    assert_stage(&load->stages[4], 1000, 0, 0, 0);
    assert_stage(&load->stages[5], 11000, 0, 0, 7);
    assert_int_equal(load->stages[5].every.ns, 500 * BASE_NS_PER_MS);
    struct plan again;
    json_t *json = plan_to_json(&plan);
    assert_true(plan_from_json(json, &again, NULL));
    json_decref(json);
    plan_fini(&again);
    plan_fini(&plan);
    topo_fini(&topo);
    free(text);
}

static void assert_phases_of(const char *stages, const char *faults, const char *plan_has,
                             const char *load_has)
{
    struct topo topo = platform(TOPO_NETNS);
    char *staged = replaced(SAMPLE, "rate: 100/s", stages);
    char *text = replaced(staged, FAULTS REST, faults);
    struct plan plan = planned(text, &topo, &plain);
    struct base_buf got;
    base_buf_init(&got, 1000);
    for (size_t i = 0; i < plan.phase_count; i++)
        base_buf_printf(&got, "%s%s@%g", i > 0 ? " " : "", plan.phases[i].name,
                        base_dur_to_s(plan.phases[i].start));
    assert_string_equal(got.data, plan_has);
    base_buf_clear(&got);
    base_buf_printf(&got, "%s", plan.load.first_phase);
    for (size_t i = 0; i < plan.load.phase_count; i++)
        base_buf_printf(&got, " %s@%g", plan.load.phases[i].name,
                        base_dur_to_s(plan.load.phases[i].start));
    assert_string_equal(got.data, load_has);
    base_buf_fini(&got);
    struct plan again;
    json_t *json = plan_to_json(&plan);
    assert_true(plan_from_json(json, &again, NULL));
    json_decref(json);
    assert_int_equal(again.load.phase_count, plan.load.phase_count);
    plan_fini(&again);
    plan_fini(&plan);
    topo_fini(&topo);
    free(text);
    free(staged);
}

/* A stage names its phase until a fault comes, however often. */
static void test_phases(void **state)
{
    (void)state;
#define STAGES                                                                                     \
    "stages:\n"                                                                                    \
    "      - {name: warm-up, for: 1s, to: 60/m}\n"                                                 \
    "      - {name: warm-up, for: 2s, rate: 10/s}\n"                                               \
    "      - {for: 5s, rate: 10/s}\n"                                                              \
    "      - {name: peak, for: 2s, burst: 7, every: 500ms}\n"                                      \
    "      - {name: warm-up, for: 10s, from: 0/s, to: 9/s, steps: 5}"
#define ONE_FAULT(at, more)                                                                        \
    "  faults: [{name: lose, at: " at ", for: 1s, service: users, kill: {}" more "}]\n"
    assert_phases_of(STAGES, "", "warm-up@0 steady@3 peak@8 warm-up@10",
                     "warm-up steady@3 peak@8 warm-up@10");
    assert_phases_of(STAGES, ONE_FAULT("9s", ""), "warm-up@0 steady@3 peak@8 lose@9 after-lose@10",
                     "warm-up steady@3 peak@8");
    assert_phases_of(STAGES, ONE_FAULT("8s", ""), "warm-up@0 steady@3 lose@8 after-lose@9",
                     "warm-up steady@3");
    assert_phases_of(STAGES, ONE_FAULT("0s", ""), "lose@0 after-lose@1", "lose");
    /* Who waits may come later: until then the stages go on. */
    assert_phases_of(STAGES, ONE_FAULT("2s", ", suspend: {within: 5s}"),
                     "warm-up@0 lose@2 after-lose@3", "warm-up steady@3 peak@8 warm-up@10");
    assert_phases_of("users: {stages: [{for: 4s, count: 2}, {name: busy, for: 16s, to: 9}]}", "",
                     "steady@0 busy@4", "steady busy@4");
}

/* A threshold knows the phases of stages, but for those that faults hide. */
static void test_phases_of_thresholds(void **state)
{
    (void)state;
    static const struct {
        const char *phase;
        const char *fault;
        const char *said; /* NULL: nothing */
    } cases[] = {
        {"peak", ONE_FAULT("9s", ""), NULL},
        {"steady", ONE_FAULT("9s", ""), NULL},
        {"peak", ONE_FAULT("8s", ", suspend: {within: 5s}"), NULL},
        {"peak", ONE_FAULT("8s", ""), "the stage \"peak\" begins after a fault, whose phases"},
        {"peek", "", "no phase \"peek\", did you mean \"peak\"?"},
        {"lose", "", "no phase \"lose\", expected one of warm-up, steady, peak\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *rest =
            base_str_printf("%s  thresholds: [{name: fast, expect: p99 < 1s, phase: %s}]\n",
                            cases[i].fault, cases[i].phase);
        char *staged = replaced(SAMPLE, "rate: 100/s", STAGES);
        char *text = replaced(staged, FAULTS REST, rest);
        if (cases[i].said == NULL) {
            struct scn_scenario scenario = parsed(text);
            scn_scenario_fini(&scenario);
        } else {
            char *list = complaints(text, strlen(text));
            assert_contains(list, cases[i].said);
            free(list);
        }
        free(text);
        free(staged);
        free(rest);
    }
}

static struct load_spec planned_load(const char *source, const struct topo *topo)
{
    char *text = replaced(SAMPLE, "rate: 100/s", source);
    struct plan plan = planned(text, topo, &plain);
    struct load_spec load;
    json_t *json = load_spec_to_json(&plan.load);
    assert_true(load_spec_from_json(json, &load, NULL)); /* what is planned can be carried out */
    json_decref(json);
    plan_fini(&plan);
    free(text);
    return load;
}

static void test_users(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    struct load_spec load = planned_load(
        "users: {count: 50, iterations: 7, think: {lognormal: {median: 1s, p95: 4s}}}", &topo);
    assert_true(load.rate == 0);
    assert_int_equal(load.closed.stage_count, 1);
    assert_stage(&load.closed.stages[0], 20000, 50, 50, 0);
    assert_int_equal(load.closed.iterations, 7);
    assert_int_equal(load.closed.think, LOAD_THINK_LOGNORMAL);
    assert_int_equal(load.closed.think_a.ns, BASE_NS_PER_S);
    assert_int_equal(load.closed.think_b.ns, 4 * BASE_NS_PER_S);
    assert_int_equal(load.connections, 50);
    load_spec_fini(&load);

    load = planned_load("connections: 3\n    users:\n"
                        "      iterationsEach: 9\n"
                        "      think: {exponential: 2s}\n"
                        "      stages: [{for: 5s, to: 10}, {for: 5s, to: 20}, {for: 5s, from: 7, "
                        "to: 1}, {for: 5s, count: 2}]",
                        &topo);
    assert_stage(&load.closed.stages[0], 5000, 0, 10, 0);
    assert_stage(&load.closed.stages[1], 5000, 10, 20, 0);
    assert_stage(&load.closed.stages[2], 5000, 7, 1, 0);
    assert_stage(&load.closed.stages[3], 5000, 2, 2, 0);
    assert_int_equal(load.closed.each, 9);
    assert_int_equal(load.closed.think, LOAD_THINK_EXPONENTIAL);
    assert_int_equal(load.connections, 3);
    load_spec_fini(&load);

    load = planned_load("threads: 8\n    users: {count: 2}", &topo);
    assert_int_equal(load.connections, 8);
    assert_int_equal(load.closed.think, LOAD_THINK_NONE);
    load_spec_fini(&load);
    topo_fini(&topo);
}

/* Relative to the scenario, so that it works from any folder. */
static void test_replay_path(void **state)
{
    (void)state;
    static const char *const cases[][3] = {{"s.yaml", "t.txt", "t.txt"},
                                           {"a/b/s.yaml", "t.txt", "a/b/t.txt"},
                                           {"/s.yaml", "c/t.txt", "/c/t.txt"},
                                           {"a/s.yaml", "/t.txt", "/t.txt"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scn_scenario scenario = {.file = (char *)(uintptr_t)cases[i][0]};
        scenario.load.replay.file = (char *)(uintptr_t)cases[i][1];
        char *path = scn_replay_path(&scenario);
        assert_string_equal(path, cases[i][2]);
        free(path);
    }
}

static void test_stairs_of_the_catalog(void **state)
{
    (void)state;
    struct base_buf bytes;
    struct scn_problems problems = {.items = NULL};
    base_buf_init(&bytes, 1 << 20);
    assert_true(scn_read("scenarios/catalog/stairs.yaml", &bytes, &problems));
    struct topo topo = platform(TOPO_NETNS);
    struct plan plan = planned(bytes.data, &topo, &plain);
    assert_int_equal(plan.load.stage_count, 8);
    assert_stage(&plan.load.stages[4], 3000, 500, 500, 0);
    assert_int_equal(plan.thresholds[2].over.ns, 2 * BASE_NS_PER_S);
    assert_true(plan.thresholds[2].abort && !plan.thresholds[1].abort);
    plan_fini(&plan);
    topo_fini(&topo);
    base_buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stages),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_phases_of_thresholds),
        cmocka_unit_test(test_replay_path),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_stairs_of_the_catalog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
