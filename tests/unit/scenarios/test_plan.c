/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <signal.h>

static void test_everything_is_resolved(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    struct plan plan = planned(SAMPLE, &topo, &plain);
    assert_string_equal(plan.target_mode, "netns");
    assert_string_equal(plan.load.host, "gateway");
    assert_int_equal(plan.load.target_count, 2);
    assert_string_equal(plan.load.targets[1].address, "10.0.0.2");
    assert_int_equal(plan.load.duration.ns, 20 * BASE_NS_PER_S);
    assert_int_equal(plan.load.seed, 1);
    assert_string_equal(plan.load.first_phase, "steady");
    assert_int_equal(plan.checks[0].url_count, 2);
    assert_string_equal(plan.checks[0].urls[0], "http://10.0.0.1:3000/ready");
    assert_int_equal(plan.fault_count, 3);
    assert_string_equal(plan.faults[1].spec.id, "r1-2");
    assert_int_equal(plan.faults[0].spec.target_count, 1);
    assert_int_equal(plan.faults[0].spec.kill.signal, SIGKILL);
    assert_string_equal(plan.faults[1].spec.partition.peers[0], "postgres");
    assert_string_equal(plan.agent_url, "http://127.0.0.1:7070");
    assert_string_equal(plan.slos[0].total,
                        "http_requests_total{job=\"gateway\",route=~\"/api/.*\",traffic=\"load\"}");
    assert_string_equal(plan.slos[0].bad,
                        "http_requests_total{job=\"gateway\",route=~\"/api/.*\",traffic=\"load\","
                        "status=~\"499|5..\"}");
    assert_null(plan.slos[0].good);
    assert_string_equal(plan.slos[1].total,
                        "http_request_duration_seconds_count{job=\"gateway\",route=~\"/api/.*\","
                        "traffic=\"load\",outcome=\"ok\"}");
    assert_string_equal(plan.slos[1].good,
                        "http_request_duration_seconds_bucket{job=\"gateway\",route=~\"/api/.*\","
                        "traffic=\"load\",outcome=\"ok\",le=\"0.25\"}");
    assert_string_equal(plan.slos[1].up, "up{job=\"gateway\"}");
    assert_int_equal(plan.slos[1].instances, 2);
    plan_fini(&plan);
    topo_fini(&topo);
}

/* What is shipped must run on the platform that is shipped: its names, two users instances. */
static void test_first_of_the_catalog(void **state)
{
    (void)state;
    struct base_buf bytes;
    struct scn_problems problems = {.items = NULL};
    base_buf_init(&bytes, 1);
    assert_true(scn_read("scenarios/catalog/first.yaml", &bytes, &problems));
    struct topo topo = platform(TOPO_NETNS);
    topo.services[1].instance_count = 2;
    struct plan plan = planned(bytes.data, &topo, &plain);
    assert_phases(&plan, "steady@0 lose-one-users-instance@6! after-lose-one-users-instance@11 "
                         "cut-one-off-from-postgres@15! after-cut-one-off-from-postgres@20 "
                         "one-fails-now-and-then@25! after-one-fails-now-and-then@30");
    assert_int_equal(plan.duration.ns, 36 * BASE_NS_PER_S);
    plan_fini(&plan);
    topo.services[1].instance_count = 4;
    topo_fini(&topo);
    base_buf_fini(&bytes);
}

/* The plan that is written down is the plan that was made. */
static void test_plan_survives_its_file(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    struct plan plan = planned(SAMPLE, &topo, &plain);
    struct plan again;
    struct base_error err;
    json_t *json = plan_to_json(&plan);
    if (!plan_from_json(json, &again, &err))
        fail_msg("%s", err.message);
    json_t *second = plan_to_json(&again);
    assert_true(json_equal(json, second));
    json_decref(json);
    json_decref(second);
    plan_fini(&plan);
    plan_fini(&again);
    topo_fini(&topo);
}

#define FAULT(name, at, length, service)                                                           \
    "    - {name: " name ", at: " at ", for: " length ", service: " service                        \
    ", maxAffected: 100%, kill: {}}\n"

static void test_phases(void **state)
{
    (void)state;
    static const struct {
        const char *faults;
        const char *phases;
    } cases[] = {
        {"", "steady@0"},
        {"  faults:\n" FAULT("a", "2s", "3s", "users"), "steady@0 a@2! after-a@5"},
        {"  faults:\n" FAULT("a", "0s", "3s", "users"), "a@0! after-a@3"},
        {"  faults:\n" FAULT("a", "2s", "3s", "users") FAULT("b", "5s", "1s", "users"),
         "steady@0 a@2! b@5! after-b@6"},
        /* In another order than time's. */
        {"  faults:\n" FAULT("b", "8s", "1s", "users") FAULT("a", "2s", "3s", "users"),
         "steady@0 a@2! after-a@5 b@8! after-b@9"},
        /* One inside of the other: the outer one's phase goes on. */
        {"  faults:\n" FAULT("a", "2s", "6s", "users") FAULT("b", "4s", "2s", "gateway"),
         "steady@0 a@2! b@4! a@6! after-a@8"},
        /* Overlapping. */
        {"  faults:\n" FAULT("a", "2s", "4s", "users") FAULT("b", "4s", "4s", "gateway"),
         "steady@0 a@2! b@4! after-b@8"},
    };
    struct topo topo = platform(TOPO_NETNS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = base_str_printf("%s%s", HEAD "  duration: 20s\n" LOAD, cases[i].faults);
        struct plan plan = planned(text, &topo, &plain);
        assert_phases(&plan, cases[i].phases);
        assert_string_equal(plan.load.first_phase, plan.phases[0].name);
        plan_fini(&plan);
        free(text);
    }
    topo_fini(&topo);
}

static void test_missing_agent_and_prometheus(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    free(topo.agent_url);
    free(topo.prometheus_url);
    topo.agent_url = NULL;
    topo.prometheus_url = NULL;
    char *list = refused(SAMPLE, &topo, &plain);
    assert_contains(list, "spec.faults: target \"default\" has no agent that could apply faults");
    assert_contains(list, "spec.slos: the target has no Prometheus");
    free(list);
    topo_fini(&topo);
}

static void test_options(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *other = replaced(SAMPLE, "  duration: 20s", "  duration: 20s\n  target: {name: other}");
    struct scn_plan_options chosen = {.run = "r", .target_given = true};
    struct plan plan = planned(other, &topo, &chosen);
    assert_string_equal(plan.target_name, "default");
    plan_fini(&plan);
    free(other);
    static const char *const runs[] = {NULL, "", "a/b", "a b", "a,b"};
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        struct scn_plan_options options = {.run = runs[i]};
        assert_refused(SAMPLE, &topo, &options, "s.yaml: the run id");
    }
    struct scn_plan_options timed = {.run = "r", .started = {42}};
    plan = planned(SAMPLE, &topo, &timed);
    assert_true(plan.fault_count > 0);
    for (size_t i = 0; i < plan.fault_count; i++)
        assert_int_equal(plan.faults[i].spec.started.ns, 42);
    plan_fini(&plan);
    struct scn_plan_options seed = {.run = "r", .seed_given = true, .seed = UINT64_MAX};
    assert_refused(SAMPLE, &topo, &seed, "s.yaml: the seed is out of range");
    topo_fini(&topo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_resolved),
        cmocka_unit_test(test_first_of_the_catalog),
        cmocka_unit_test(test_plan_survives_its_file),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_missing_agent_and_prometheus),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
