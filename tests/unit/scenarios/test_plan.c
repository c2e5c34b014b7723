/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "fixture.h"

#include <signal.h>

static char *refused(const char *text, const struct topo *topo,
                     const struct scn_plan_options *options)
{
    struct scn_scenario scenario = parsed(text);
    struct scn_problems problems = {.items = NULL};
    struct plan plan;
    struct plan untouched;
    memset(&plan, 0xA5, sizeof plan);
    memset(&untouched, 0xA5, sizeof untouched);
    if (scn_plan(&scenario, topo, options, &plan, &problems))
        fail_msg("planned: %s", text);
    assert_memory_equal(&plan, &untouched, sizeof plan);
    char *list = scn_problems_text(&problems);
    scn_problems_fini(&problems);
    scn_scenario_fini(&scenario);
    return list;
}

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

/* A grace is for those who are asked: SIGTERM, unless the scenario says what to ask with. */
static void test_grace_asks_with_sigterm(void **state)
{
    (void)state;
    static const struct {
        const char *kill;
        int number;
    } cases[] = {{"kill: {grace: 1s}", SIGTERM},
                 {"kill: {grace: 1s, signal: SIGINT}", SIGINT},
                 {"kill: {every: 1s}", SIGKILL}};
    struct topo topo = platform(TOPO_NETNS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = replaced(SAMPLE, "kill: {}", cases[i].kill);
        struct plan plan = planned(text, &topo, &plain);
        assert_int_equal(plan.faults[0].spec.kill.signal, cases[i].number);
        assert_int_equal(plan.faults[0].spec.kill.grace.ns + plan.faults[0].spec.kill.every.ns,
                         BASE_NS_PER_S);
        plan_fini(&plan);
        free(text);
    }
    topo_fini(&topo);
}

static void test_pause_needs_a_process(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *text = replaced(SAMPLE, "kill: {}", "pause: {}");
    struct plan plan = planned(text, &topo, &plain);
    assert_int_equal(plan.faults[0].spec.kind, FAULT_PAUSE);
    plan_fini(&plan);
    for (size_t s = 0; s < topo.service_count; s++) {
        for (size_t i = 0; i < topo.services[s].instance_count; i++) {
            struct topo_instance *instance = &topo.services[s].instances[i];
            free(instance->status_file);
            free(instance->cgroup);
            instance->status_file = instance->cgroup = NULL;
        }
    }
    char *list = refused(text, &topo, &plain);
    assert_contains(list, "spec.faults[0].pause: needs to know the control group or the process");
    free(list);
    free(text);
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

/* Changes to the sample that this platform does not go along with. */
static const struct {
    const char *old;
    const char *new_text;
    const char *complaint;
} bad[] = {
    {"service: gateway\n", "service: gatewy\n",
     "s.yaml:7:14: spec.load.service: no service \"gatewy\", did you mean \"gateway\"?"},
    {"[{name: ready}]", "[{name: ready, service: cache}]",
     "s.yaml:13:37: spec.steadyState.checks[0].service: no service \"cache\", expected one of "
     "gateway, users, postgres, prometheus"},
    {"for: 2s, service: users", "for: 2s, service: userz", "no service \"userz\", did you mean"},
    {"from: [postgres]", "from: [redis]",
     "s.yaml:16:71: spec.faults[1].partition.from[0]: no service \"redis\""},
    {"kill: {}", "network: {peers: [postgres, redis], delay: 1ms}",
     "s.yaml:15:81: spec.faults[0].network.peers[1]: no service \"redis\""},
    {"kill: {}", "kill: {}, select: all",
     "s.yaml:15:7: spec.faults[0].maxAffected: 4 of 4 instances of \"users\" would be hit, more "
     "than the 50% allowed; select fewer or raise maxAffected"},
    {"kill: {}", "kill: {}, select: {percent: 75%}", "3 of 4 instances"},
    {"kill: {}", "kill: {}, select: {randomMaxPercent: 75%}", "3 of 4 instances"},
    {"kill: {}", "kill: {}, select: {randomMaxPercent: 10%}", "10% of the 4 instances"},
    {"kill: {}", "kill: {}, select: {percent: 10%}",
     "s.yaml:15:71: spec.faults[0].select: 10% of the 4 instances of \"users\" is none"},
    {"kill: {}", "kill: {}, select: {count: 5}", "5 instances are asked for, but \"users\" has 4"},
    {"service: users, kill", "service: postgres, kill", "1 of 1 instances of \"postgres\""},
    {"service: users, kill", "service: prometheus, kill",
     "spec.faults[0].maxAffected: \"prometheus\" observes the platform; without it a run can "
     "prove nothing. Give maxAffected to hit it all the same"},
    {"service: users, kill: {}", "service: postgres, maxAffected: 100%, app: {latency: 1s}",
     "spec.faults[0].app: \"postgres\" has no endpoints that inject errors or latency"},
    {"{service: gateway}}\n", "{service: edge}}\n",
     "spec.slos[0].availability.service: no service \"edge\""},
    {"  duration: 20s", "  duration: 20s\n  target: {name: other}",
     "s.yaml:6:11: spec.target: asks for the sandbox \"other\", but this one is \"default\""},
};

static void test_what_the_platform_refuses(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *text = replaced(SAMPLE, bad[i].old, bad[i].new_text);
        char *list = refused(text, &topo, &plain);
        if (strstr(list, bad[i].complaint) == NULL) {
            print_error("%s -> %s\n%sexpected: %s\n\n", bad[i].old, bad[i].new_text, list,
                        bad[i].complaint);
            wrong++;
        }
        free(list);
        free(text);
    }
    assert_int_equal(wrong, 0);
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

#define NETWORK_A                                                                                  \
    "network: {peers: [postgres, gateway-1, '10.0.0.9:80'], ports: [5432, 80], delay: 100ms, "     \
    "jitter: 10ms, correlation: 25%, distribution: normal, direction: egress, "                    \
    "lossBursts: {enter: 1%, leave: 25%}}"

static void test_network(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *text = replaced(SAMPLE, "kill: {}", NETWORK_A);
    struct plan plan = planned(text, &topo, &plain);
    const struct fault_network *network = &plan.faults[0].spec.network;
    const struct fault_impairment *im = &network->impairment;
    assert_int_equal(plan.faults[0].spec.kind, FAULT_NETWORK);
    assert_int_equal(network->peer_count, 3);
    assert_string_equal(network->peers[1], "gateway-1");
    assert_string_equal(network->peers[2], "10.0.0.9:80");
    assert_int_equal(network->port_count, 2);
    assert_string_equal(network->ports[0], "5432");
    assert_int_equal(network->direction, FAULT_EGRESS);
    assert_int_equal(im->delay.ns, 100 * BASE_NS_PER_MS);
    assert_int_equal(im->distribution, FAULT_NORMAL);
    assert_true(im->correlation > 0.249 && im->correlation < 0.251);
    assert_true(im->burst.enter > 0.0099 && im->burst.leave > 0.249 && im->burst.loss > 0.999);
    assert_true(im->rate <= 0.0 && im->loss <= 0.0);
    /* The chances are the plan's: the same seed, the same chances, and another for another fault.
     */
    struct plan again = planned(text, &topo, &plain);
    assert_true(network->seed != 0 && network->seed == again.faults[0].spec.network.seed);
    json_t *json = plan_to_json(&plan);
    struct plan read;
    struct base_error err;
    if (!plan_from_json(json, &read, &err))
        fail_msg("%s", err.message);
    assert_true(read.faults[0].spec.network.seed == network->seed);
    json_decref(json);
    plan_fini(&read);
    plan_fini(&again);
    plan_fini(&plan);
    topo_fini(&topo);
    topo = platform(TOPO_LOOPBACK);
    char *list = refused(text, &topo, &plain);
    assert_contains(list, "spec.faults[0].network: needs a network namespace");
    free(list);
    struct scn_plan_options without = {.run = "r1", .without_kernel_faults = true};
    plan = planned(text, &topo, &without);
    assert_string_equal(plan.skipped[0].name, "lose");
    assert_contains(plan.skipped[0].why, "network needs kernel privileges");
    plan_fini(&plan);
    free(text);
    topo_fini(&topo);
}

static void test_proxy_faults_are_planned(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *text = replaced(SAMPLE, "kill: {}",
                          "http: {path: /api/users, percent: 20%, headers: {X-Who: me}, "
                          "peers: [gateway], port: 80, abort: {status: 503, body: \"no\"}}");
    struct plan plan = planned(text, &topo, &plain);
    const struct fault_spec *spec = &plan.faults[0].spec;
    assert_int_equal(spec->kind, FAULT_HTTP);
    assert_string_equal(spec->http.path, "/api/users");
    assert_null(spec->http.path_prefix);
    assert_string_equal(spec->http.headers.list[0], "X-Who: me");
    assert_string_equal(spec->http.route.peers[0], "gateway");
    assert_true(spec->http.route.port == 80 && spec->http.route.side == FAULT_INBOUND);
    assert_true(spec->http.action == FAULT_HTTP_ABORT && spec->http.status == 503);
    uint64_t seed = spec->http.seed;
    plan_fini(&plan);
    struct scn_plan_options other = {.run = "r", .seed_given = true, .seed = 2};
    plan = planned(text, &topo, &other);
    assert_true(plan.faults[0].spec.http.seed != seed);
    plan_fini(&plan);
    free(text);
    text = replaced(SAMPLE, "kill: {}", "tcp: {slicer: {size: 5, delay: 10ms}, peers: [redis]}");
    char *list = refused(text, &topo, &plain);
    assert_contains(list, "spec.faults[0].tcp.peers[0]: no service \"redis\"");
    free(list);
    free(text);
    topo_fini(&topo);
    topo = platform(TOPO_LOOPBACK);
    text = replaced(SAMPLE, "kill: {}", "dns: {names: [a.b]}");
    list = refused(text, &topo, &plain);
    assert_contains(list, "spec.faults[0].dns: needs a network namespace");
    free(list);
    free(text);
    topo_fini(&topo);
}

static void test_kernel_faults_need_root(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_LOOPBACK);
    char *list = refused(SAMPLE, &topo, &plain);
    assert_contains(list, "s.yaml:16:63: spec.faults[1].partition: needs a network namespace, "
                          "which \"users-1\" has none of (target \"default\" is loopback): bring "
                          "the sandbox up as root, or leave this fault out with "
                          "--without-kernel-faults");
    free(list);
    struct scn_plan_options without = {.run = "r1", .without_kernel_faults = true};
    struct plan plan = planned(SAMPLE, &topo, &without);
    assert_int_equal(plan.fault_count, 2);
    assert_string_equal(plan.faults[1].spec.id, "r1-2");
    assert_phases(&plan, "steady@0 lose@2! after-lose@4 err@10! after-err@12");
    /* What was left out is named: the fault and both thresholds that lost their phase. */
    assert_int_equal(plan.skipped_count, 3);
    assert_string_equal(plan.skipped[0].name, "cut");
    assert_contains(plan.skipped[0].why, "--without-kernel-faults");
    assert_string_equal(plan.skipped[1].name, "cut-holds");
    assert_contains(plan.skipped[1].why, "\"cut\"");
    assert_string_equal(plan.skipped[2].name, "after");
    assert_int_equal(plan.threshold_count, 1);
    plan_fini(&plan);
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
        char *list = refused(SAMPLE, &topo, &options);
        assert_contains(list, "s.yaml: the run id");
        free(list);
    }
    struct scn_plan_options timed = {.run = "r", .started = {42}};
    plan = planned(SAMPLE, &topo, &timed);
    assert_true(plan.fault_count > 0);
    for (size_t i = 0; i < plan.fault_count; i++)
        assert_int_equal(plan.faults[i].spec.started.ns, 42);
    plan_fini(&plan);
    struct scn_plan_options seed = {.run = "r", .seed_given = true, .seed = UINT64_MAX};
    char *list = refused(SAMPLE, &topo, &seed);
    assert_contains(list, "s.yaml: the seed is out of range");
    free(list);
    topo_fini(&topo);
}

/* ---- external targets ---- */

#define EXTERNAL(urls)                                                                             \
    HEAD "  target: {kind: external, urls: [" urls "], prometheus: http://p:9090}\n"               \
         "  duration: 20s\n"                                                                       \
         "  load:\n"                                                                               \
         "    rate: 100/s\n"                                                                       \
         "    routes: [{name: a, path: /}]\n"                                                      \
         "  steadyState: {checks: [{name: up, path: /}]}\n"                                        \
         "  slos: [{name: s, objective: 99%, availability: {service: web}}]\n"

static bool resolve(void *context, const char *host, char *out, size_t out_size,
                    struct base_error *err)
{
    ++*(int *)context;
    if (strcmp(host, "web.test") != 0)
        return base_fail(err, BASE_NOT_FOUND, "unknown host");
    (void)snprintf(out, out_size, "192.0.2.7");
    return true;
}

static void test_external(void **state)
{
    (void)state;
    static const char text[] =
        EXTERNAL("'http://web.test:8080', 'http://[::1]:81/', http://localhost, http://10.1.2.3");
    struct scn_scenario scenario = parsed(text);
    struct scn_problems problems = {.items = NULL};
    struct topo topo;
    int asked = 0;
    assert_true(scn_external_topology(&scenario, resolve, &asked, &topo, &problems));
    assert_int_equal(asked, 1);
    struct plan plan = planned(text, &topo, &plain);
    assert_string_equal(plan.target_mode, "external");
    assert_string_equal(plan.load.host, "web.test:8080");
    static const struct {
        const char *address;
        uint16_t port;
        const char *url;
    } expected[] = {{"192.0.2.7", 8080, "http://192.0.2.7:8080/"},
                    {"::1", 81, "http://[::1]:81/"},
                    {"127.0.0.1", 80, "http://127.0.0.1:80/"},
                    {"10.1.2.3", 80, "http://10.1.2.3:80/"}};
    assert_int_equal(plan.load.target_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(plan.load.targets[i].address, expected[i].address);
        assert_int_equal(plan.load.targets[i].port, expected[i].port);
        assert_string_equal(plan.checks[0].urls[i], expected[i].url);
    }
    assert_string_equal(plan.slos[0].up, "up{job=\"web\"}");
    assert_int_equal(plan.slos[0].instances, 4);
    assert_null(plan.agent_url); /* without faults there is nobody to ask */
    plan_fini(&plan);
    topo_fini(&topo);
    scn_scenario_fini(&scenario);
}

static void test_external_over_tls(void **state)
{
    (void)state;
    char *text =
        replaced(EXTERNAL("'https://web.test', 'https://[::1]:81/'"),
                 "prometheus:", "tls: {caFile: /ca, certFile: /c, keyFile: /k}, prometheus:");
    struct scn_scenario scenario = parsed(text);
    struct scn_problems problems = {.items = NULL};
    struct topo topo;
    int asked = 0;
    assert_true(scn_external_topology(&scenario, resolve, &asked, &topo, &problems));
    struct plan plan = planned(text, &topo, &plain);
    assert_string_equal(plan.load.host, "web.test");
    assert_int_equal(plan.load.targets[0].port, 443);
    assert_int_equal(plan.load.targets[1].port, 81);
    assert_string_equal(plan.load.tls.server_name, "web.test");
    assert_string_equal(plan.load.tls.ca_file, "/ca");
    assert_string_equal(plan.load.tls.cert_file, "/c");
    assert_string_equal(plan.load.tls.key_file, "/k");
    assert_false(plan.load.tls.insecure);
    assert_int_equal(plan.load.source_count, 0);
    assert_string_equal(plan.checks[0].urls[0], "https://web.test/");
    assert_string_equal(plan.checks[0].urls[1], "https://[::1]:81/");
    plan_fini(&plan);
    char *lax = replaced(text, "caFile: /ca, certFile: /c, keyFile: /k", "verify: none");
    char *from = replaced(lax, "    rate:", "    sources: [127.0.0.2, 127.0.0.3]\n    rate:");
    free(lax);
    lax = from;
    plan = planned(lax, &topo, &plain);
    assert_true(plan.load.tls.insecure);
    assert_null(plan.load.tls.ca_file);
    assert_int_equal(plan.load.source_count, 2);
    assert_string_equal(plan.load.sources[1], "127.0.0.3");
    plan_fini(&plan);
    topo_fini(&topo);
    scn_scenario_fini(&scenario);
    free(lax);
    free(text);
}

static void test_external_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool with_resolver;
        const char *complaint;
    } cases[] = {
        {EXTERNAL("http://web.test"), false,
         "s.yaml:5:35: spec.target.urls[0]: \"web.test\" is not an address"},
        {EXTERNAL("http://no.test"), true, "\"no.test\" has no address: unknown host"},
        {EXTERNAL("'http://10.0.0.1:0'"), true, "a port from 1 to 65535"},
        {EXTERNAL("'http://10.0.0.1:99999'"), true, "a port from 1 to 65535"},
        {SAMPLE, true, "spec.target: is a sandbox, expected kind: external"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scn_scenario scenario = parsed(cases[i].text);
        struct scn_problems problems = {.items = NULL};
        struct topo topo;
        int asked = 0;
        assert_false(scn_external_topology(&scenario, cases[i].with_resolver ? resolve : NULL,
                                           &asked, &topo, &problems));
        char *list = scn_problems_text(&problems);
        assert_contains(list, cases[i].complaint);
        free(list);
        scn_problems_fini(&problems);
        scn_scenario_fini(&scenario);
    }
    struct topo sandbox = platform(TOPO_NETNS);
    char *list = refused(EXTERNAL("http://10.0.0.1"), &sandbox, &plain);
    assert_contains(list, "asks for a target that is external, but \"default\" is a sandbox");
    free(list);
    topo_fini(&sandbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_resolved),
        cmocka_unit_test(test_first_of_the_catalog),
        cmocka_unit_test(test_stages),
        cmocka_unit_test(test_replay_path),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_stairs_of_the_catalog),
        cmocka_unit_test(test_plan_survives_its_file),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_selection_is_seeded),
        cmocka_unit_test(test_a_fault_more_leaves_selections_alone),
        cmocka_unit_test(test_how_many_are_selected),
        cmocka_unit_test(test_grace_asks_with_sigterm),
        cmocka_unit_test(test_pause_needs_a_process),
        cmocka_unit_test(test_a_random_number_is_selected_by_the_seed),
        cmocka_unit_test(test_what_the_platform_refuses),
        cmocka_unit_test(test_observability_when_named_with_a_cap),
        cmocka_unit_test(test_one_instance_cannot_have_two_faults_at_once),
        cmocka_unit_test(test_faults_at_one_time_share_the_cap),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_proxy_faults_are_planned),
        cmocka_unit_test(test_kernel_faults_need_root),
        cmocka_unit_test(test_missing_agent_and_prometheus),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_external),
        cmocka_unit_test(test_external_over_tls),
        cmocka_unit_test(test_external_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
