/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <signal.h>

static struct plan planned(const char *text, const struct topo *topo,
                           const struct scn_plan_options *options)
{
    struct scn_scenario scenario = parsed(text);
    struct scn_problems problems = {.items = NULL};
    struct plan plan;
    if (!scn_plan(&scenario, topo, options, &plan, &problems)) {
        char *list = scn_problems_text(&problems);
        fail_msg("%s", list);
    }
    scn_scenario_fini(&scenario);
    return plan;
}

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

static const struct scn_plan_options plain = {.run = "r1"};

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
                        "status=~\"5..\"}");
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

static void assert_phases(const struct plan *plan, const char *expected)
{
    struct base_buf text;
    base_buf_init(&text, 1000);
    for (size_t i = 0; i < plan->phase_count; i++)
        base_buf_printf(&text, "%s%s@%lld%s", i > 0 ? " " : "", plan->phases[i].name,
                        (long long)(plan->phases[i].start.ns / BASE_NS_PER_S),
                        plan->phases[i].fault != NULL ? "!" : "");
    assert_string_equal(text.data, expected);
    base_buf_fini(&text);
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
    {"kill: {}", "kill: {}, select: all",
     "s.yaml:15:7: spec.faults[0].maxAffected: 4 of 4 instances of \"users\" would be hit, more "
     "than the 50% allowed; select fewer or raise maxAffected"},
    {"kill: {}", "kill: {}, select: {percent: 75%}", "3 of 4 instances"},
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
    {"  duration: 20s", "  duration: 20s\n  target: {kind: external, urls: [http://h]}",
     "asks for a target that is external, but \"default\" is a sandbox"},
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
    assert_string_equal(plan.faults[1].spec.id, "r1-3");
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
    assert_null(plan.agent_url);
    plan_fini(&plan);
    topo_fini(&topo);
    scn_scenario_fini(&scenario);
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_resolved),
        cmocka_unit_test(test_first_of_the_catalog),
        cmocka_unit_test(test_plan_survives_its_file),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_selection_is_seeded),
        cmocka_unit_test(test_a_fault_more_leaves_selections_alone),
        cmocka_unit_test(test_how_many_are_selected),
        cmocka_unit_test(test_what_the_platform_refuses),
        cmocka_unit_test(test_observability_when_named_with_a_cap),
        cmocka_unit_test(test_one_instance_cannot_have_two_faults_at_once),
        cmocka_unit_test(test_faults_at_one_time_share_the_cap),
        cmocka_unit_test(test_proxy_faults_are_planned),
        cmocka_unit_test(test_kernel_faults_need_root),
        cmocka_unit_test(test_missing_agent_and_prometheus),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_external),
        cmocka_unit_test(test_external_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
