/* SPDX-License-Identifier: Apache-2.0 */
/* What each kind of fault becomes, and what the platform cannot take. */
#include "fixture.h"

#include <math.h>
#include <signal.h>

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

static void test_what_is_followed_is_how_many_are_selected(void **state)
{
    (void)state;
    static const struct {
        const char *select;
        uint64_t count;
        double share;
    } cases[] = {{"pause: {}, track: true", 1, 0},
                 {"pause: {}, track: true, select: {count: 1}", 1, 0},
                 {"pause: {}, track: true, select: {percent: 50%}", 0, 0.5},
                 {"pause: {}, track: true, select: all, maxAffected: 100%", 0, 1},
                 {"pause: {}", 0, 0}};
    struct topo topo = platform(TOPO_NETNS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = replaced(SAMPLE, "kill: {}", cases[i].select);
        struct plan plan = planned(text, &topo, &plain);
        const struct fault_spec *spec = &plan.faults[0].spec;
        assert_int_equal(spec->track.on, i < 4);
        assert_int_equal(spec->track.count, cases[i].count);
        assert_true(spec->track.share == cases[i].share);
        plan_fini(&plan);
        free(text);
    }
    topo_fini(&topo);
}

/* Of one whose processes must be found, the agent knows what it has. */
static void test_who_is_found_is_taken_for_every_kind(void **state)
{
    (void)state;
    static const char *const kinds[] = {"pause: {}",
                                        "cpu: {}",
                                        "memory: {size: 64MiB}",
                                        "limits: {files: 9}",
                                        "kill: {}",
                                        "partition: {from: [postgres]}",
                                        "network: {peers: [postgres], delay: 9ms}",
                                        "tcp: {latency: 100ms}",
                                        "http: {abort: {status: 503}}",
                                        "dns: {names: [a.test], answer: servfail}"};
    struct topo topo = platform(TOPO_LOOPBACK);
    for (size_t s = 0; s < topo.service_count; s++) {
        for (size_t i = 0; i < topo.services[s].instance_count; i++) {
            struct topo_instance *instance = &topo.services[s].instances[i];
            free(instance->status_file);
            free(instance->cgroup);
            free(instance->netns);
            instance->status_file = base_str_dup("");
            instance->cgroup = instance->netns = NULL;
            instance->find_by = base_str_dup("port");
            instance->find_value = base_str_dup("80");
        }
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char *text = replaced(SAMPLE, "kill: {}", kinds[i]);
        struct plan plan = planned(text, &topo, &plain);
        plan_fini(&plan);
        free(text);
    }
    topo_fini(&topo);
}

static void set_pods(struct topo *topo)
{
    for (size_t s = 0; s < topo->service_count; s++)
        for (size_t i = 0; i < topo->services[s].instance_count; i++) {
            struct topo_instance *instance = &topo->services[s].instances[i];
            instance->pod_namespace = base_str_dup("shop");
            instance->pod_name = base_str_printf("%s-7d9f", instance->name);
            instance->pod_uid = base_str_printf("uid-%s", instance->name);
        }
}

/* The nodes are those that the topology names; it needs neither pods nor processes. */
static void test_a_cordon(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *text = replaced(SAMPLE, "kill: {}", "node: {cordon: {}}");
    for (size_t s = 0; s < topo.service_count; s++)
        for (size_t i = 0; i < topo.services[s].instance_count; i++)
            assert_null(topo.services[s].instances[i].node);
    assert_refused(text, &topo, &plain, "spec.faults[0].node: needs to know the node");
    for (size_t s = 0; s < topo.service_count; s++)
        for (size_t i = 0; i < topo.services[s].instance_count; i++)
            topo.services[s].instances[i].node = base_str_printf("n-%zu", i);
    assert_refused(text, &topo, &plain, "spec.faults[0].node: cordon needs Kubernetes' API server");
    topo.kubernetes_url = base_str_dup("https://10.0.0.1:6443");
    struct plan plan = planned(text, &topo, &plain);
    assert_int_equal(plan.faults[0].spec.kind, FAULT_NODE);
    assert_int_equal(plan.faults[0].spec.node.action, FAULT_NODE_CORDON);
    plan_fini(&plan);
    free(text);
    text = replaced(SAMPLE, "kill: {}", "node: {drain: {emptyDir: true}}");
    plan = planned(text, &topo, &plain);
    assert_int_equal(plan.faults[0].spec.node.action, FAULT_NODE_DRAIN);
    assert_true(plan.faults[0].spec.node.empty_dir);
    plan_fini(&plan);
    free(text);
    topo_fini(&topo);
}

/* A kill of pods needs no process, and the API server; one of processes needs no pod. */
static void test_a_kill_of_pods(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *text = replaced(SAMPLE, "kill: {}", "kill: {by: delete, force: true}");
    assert_refused(text, &topo, &plain, "spec.faults[0].kill: needs to know the pod");
    set_pods(&topo);
    assert_refused(text, &topo, &plain,
                   "spec.faults[0].kill: by: delete needs Kubernetes' API server");
    topo.kubernetes_url = base_str_dup("https://10.0.0.1:6443");
    for (size_t s = 0; s < topo.service_count; s++)
        for (size_t i = 0; i < topo.services[s].instance_count; i++) {
            free(topo.services[s].instances[i].status_file);
            topo.services[s].instances[i].status_file = base_str_dup("");
        }
    struct plan plan = planned(text, &topo, &plain);
    assert_int_equal(plan.faults[0].spec.kill.by, FAULT_KILL_DELETE);
    assert_int_equal(plan.faults[0].spec.kill.signal, 0);
    assert_true(plan.faults[0].spec.kill.force);
    assert_true(fault_is_of_pod(&plan.faults[0].spec));
    plan_fini(&plan);
    free(text);
    text = replaced(SAMPLE, "kill: {}", "kill: {by: evict, grace: 1s}");
    plan = planned(text, &topo, &plain);
    assert_int_equal(plan.faults[0].spec.kill.by, FAULT_KILL_EVICT);
    assert_int_equal(plan.faults[0].spec.kill.signal, 0);
    assert_int_equal(plan.faults[0].spec.kill.grace.ns, BASE_NS_PER_S);
    plan_fini(&plan);
    free(text);
    assert_refused(SAMPLE, &topo, &plain, "spec.faults[0].kill: needs to know the process");
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
    assert_refused(text, &topo, &plain,
                   "spec.faults[0].pause: needs to know the control group or the process");
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
    assert_refused(text, &topo, &plain, "spec.faults[0].network: needs a network namespace");
    struct scn_plan_options without = {.run = "r1", .without_kernel_faults = true};
    plan = planned(text, &topo, &without);
    assert_string_equal(plan.skipped[0].name, "lose");
    assert_contains(plan.skipped[0].why, "network needs kernel privileges");
    plan_fini(&plan);
    free(text);
    topo_fini(&topo);
}

/* Of all packets nothing is said, so that an agent which knows of no share is told nothing new. */
static void test_network_of_some_packets(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double share;
    } cases[] = {{"network: {peers: [postgres], loss: 50%, percent: 2.5%}", 0.025},
                 {"network: {peers: [postgres], loss: 50%, percent: 100%}", 0.0},
                 {"network: {peers: [postgres], loss: 50%}", 0.0}};
    struct topo topo = platform(TOPO_NETNS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = replaced(SAMPLE, "kill: {}", cases[i].text);
        struct plan plan = planned(text, &topo, &plain);
        assert_true(fabs(plan.faults[0].spec.network.impairment.share - cases[i].share) < 1e-9);
        json_t *json = fault_spec_to_json(&plan.faults[0].spec);
        const json_t *share = json_object_get(json_object_get(json, "network"), "share");
        assert_int_equal(share != NULL, cases[i].share > 0.0);
        json_decref(json);
        plan_fini(&plan);
        free(text);
    }
    topo_fini(&topo);
}

static void test_network_of_four_states(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *text = replaced(SAMPLE, "kill: {}",
                          "network: {peers: [postgres], lossStates: {alone: 1%, enter: 2%, "
                          "leave: 20%, pass: 30%, relapse: 50%}}");
    struct plan plan = planned(text, &topo, &plain);
    const struct fault_impairment *im = &plan.faults[0].spec.network.impairment;
    assert_true(im->states.alone > 0.0099 && im->states.alone < 0.0101);
    assert_true(im->states.enter > 0.0199 && im->states.enter < 0.0201);
    assert_true(im->states.leave > 0.199 && im->states.leave < 0.201);
    assert_true(im->states.pass > 0.299 && im->states.pass < 0.301);
    assert_true(im->states.relapse > 0.499 && im->states.relapse < 0.501);
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
    assert_string_equal(spec->http.route.ports[0], "80");
    assert_true(spec->http.route.port_count == 1 && spec->http.route.side == FAULT_INBOUND);
    assert_true(spec->http.action == FAULT_HTTP_ABORT && spec->http.status == 503);
    uint64_t seed = spec->http.seed;
    plan_fini(&plan);
    struct scn_plan_options other = {.run = "r", .seed_given = true, .seed = 2};
    plan = planned(text, &topo, &other);
    assert_true(plan.faults[0].spec.http.seed != seed);
    plan_fini(&plan);
    free(text);
    text = replaced(SAMPLE, "kill: {}", "tcp: {slicer: {size: 5, delay: 10ms}, peers: [redis]}");
    assert_refused(text, &topo, &plain, "spec.faults[0].tcp.peers[0]: no service \"redis\"");
    free(text);
    topo_fini(&topo);
    topo = platform(TOPO_LOOPBACK);
    text = replaced(SAMPLE, "kill: {}", "dns: {names: [a.b]}");
    assert_refused(text, &topo, &plain, "spec.faults[0].dns: needs a network namespace");
    free(text);
    topo_fini(&topo);
}

static void store_of(struct topo *topo, const char *kind)
{
    struct topo_service *service = &topo->services[2]; /* called postgres */
    free(service->kind);
    free(service->credentials_file);
    service->kind = base_str_dup(kind);
    service->credentials_file = base_str_dup("/c");
}

static void test_faults_of_postgres_are_planned(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_LOOPBACK); /* no kernel has to help */
    struct scn_plan_options without = {.run = "r1", .without_kernel_faults = true};
    char *text = replaced(SAMPLE, "service: users, kill: {}",
                          "service: postgres, maxAffected: 100%, "
                          "postgres: {lock: {table: public.users, mode: writes}}");
    assert_refused(text, &topo, &without,
                   "spec.faults[0].postgres: \"postgres\" is of the kind \"http\"");
    store_of(&topo, "postgres");
    struct plan plan = planned(text, &topo, &without);
    const struct fault_spec *spec = &plan.faults[0].spec;
    assert_int_equal(spec->kind, FAULT_POSTGRES);
    assert_int_equal(spec->postgres.action, FAULT_POSTGRES_LOCK);
    assert_int_equal(spec->postgres.lock, FAULT_POSTGRES_LOCK_WRITES);
    assert_string_equal(spec->postgres.table, "public.users");
    plan_fini(&plan);
    free(topo.services[2].credentials_file);
    topo.services[2].credentials_file = NULL;
    assert_refused(text, &topo, &without, "has no credentialsFile in the topology");
    free(text);
    topo_fini(&topo);
}

/* As ioThrottle: of the kernel, with a folder; as any fault of a store: with credentials. */
static void test_a_slow_disk_is_planned(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_LOOPBACK);
    struct scn_plan_options without = {.run = "r1", .without_kernel_faults = true};
    char *text = replaced(SAMPLE, "service: users, kill: {}",
                          "service: postgres, maxAffected: 100%, "
                          "postgres: {slowDisk: {folder: pg, writeOps: 50, readRate: 1MiB}}");
    free(topo.state_dir);
    topo.state_dir = base_str_dup("/state");
    assert_refused(text, &topo, &plain,
                   "spec.faults[0].postgres: \"postgres\" is of the kind \"http\"");
    store_of(&topo, "postgres");
    free(topo.services[2].instances[0].status_file);
    topo.services[2].instances[0].status_file = NULL;
    assert_refused(text, &topo, &plain,
                   "spec.faults[0].postgres: needs to know the control group or the process of");
    topo.services[2].instances[0].cgroup = base_str_dup("/group");
    struct plan plan = planned(text, &topo, &without);
    assert_string_equal(plan.skipped[0].name, "lose");
    plan_fini(&plan);
    topo.mode = TOPO_NETNS;
    for (size_t s = 0; s < topo.service_count; s++)
        for (size_t i = 0; i < topo.services[s].instance_count; i++)
            topo.services[s].instances[i].netns = base_str_dup("/n");
    plan = planned(text, &topo, &plain);
    const struct fault_spec *spec = &plan.faults[0].spec;
    assert_int_equal(spec->postgres.action, FAULT_POSTGRES_SLOW_DISK);
    assert_string_equal(spec->postgres.disk.path, "/state/pg");
    assert_int_equal(spec->postgres.disk.limits[FAULT_IO_READ_RATE], 1 << 20);
    assert_int_equal(spec->postgres.disk.limits[FAULT_IO_WRITE_OPS], 50);
    assert_ptr_equal(fault_throttling_of(spec), &spec->postgres.disk);
    plan_fini(&plan);
    free(text);
    topo_fini(&topo);
}

static void test_failovers_are_planned(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    struct scn_plan_options options = {.run = "r1"};
    struct scn_plan_options without = {.run = "r1", .without_kernel_faults = true};
    store_of(&topo, "redis");
    char *text = replaced(SAMPLE, "service: users, kill: {}",
                          "service: postgres, maxAffected: 100%, redis: {failover: {members: "
                          "[postgres]}}");
    assert_refused(text, &topo, &options,
                   "spec.faults[0].redis: members: nobody but \"postgres-1\" itself");
    struct plan plan = planned(text, &topo, &without);
    for (size_t i = 0; i < plan.fault_count; i++)
        assert_null(fault_failover_of(&plan.faults[i].spec)); /* left out */
    plan_fini(&plan);
    free(text);
    text = replaced(SAMPLE, "service: users, kill: {}",
                    "service: postgres, maxAffected: 100%, redis: {failover: {members: [users]}}");
    assert_refused(text, &topo, &options,
                   "spec.faults[0].redis.failover.members[0]: \"users\" is of the kind \"http\"");
    free(topo.services[1].kind);
    topo.services[1].kind = base_str_dup("redis");
    assert_refused(text, &topo, &options, "\"users\" has no credentialsFile");
    topo.services[1].credentials_file = base_str_dup("/etc/squall/redis");
    plan = planned(text, &topo, &options);
    const struct fault_failover *failover = fault_failover_of(&plan.faults[0].spec);
    assert_non_null(failover);
    assert_string_equal(failover->members[0], "users");
    assert_int_equal(failover->restored_within.ns, 30 * BASE_NS_PER_S);
    plan_fini(&plan);
    free(text);
    text = replaced(SAMPLE, "service: users, kill: {}",
                    "service: users, maxAffected: 100%, select: all, redis: {failover: {members: "
                    "[postgres]}}");
    assert_refused(text, &topo, &options, "one node is cut off at a time");
    free(text);
    topo_fini(&topo);
}

static void test_faults_of_redis_are_planned(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_LOOPBACK);
    struct scn_plan_options without = {.run = "r1", .without_kernel_faults = true};
    char *text = replaced(SAMPLE, "service: users, kill: {}",
                          "service: postgres, maxAffected: 100%, redis: {fill: {size: 64MiB}}");
    store_of(&topo, "postgres");
    assert_refused(text, &topo, &without,
                   "spec.faults[0].redis: \"postgres\" is of the kind \"postgres\", "
                   "expected \"redis\"");
    store_of(&topo, "redis");
    struct plan plan = planned(text, &topo, &without);
    assert_int_equal(plan.faults[0].spec.redis.action, FAULT_REDIS_FILL);
    assert_int_equal(plan.faults[0].spec.redis.bytes, 64 << 20);
    plan_fini(&plan);
    free(text);
    text = replaced(SAMPLE, "service: users, kill: {}",
                    "service: postgres, maxAffected: 100%, redis: {evict: {destroys: 8MiB}}");
    plan = planned(text, &topo, &without);
    assert_int_equal(plan.faults[0].spec.redis.action, FAULT_REDIS_EVICT);
    assert_int_equal(plan.faults[0].spec.redis.bytes, 8 << 20);
    plan_fini(&plan);
    free(text);
    topo_fini(&topo);
}

static void test_limits_are_planned(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *text = replaced(SAMPLE, "kill: {}", "limits: {files: 0, pidsPercent: 50%}");
    struct plan plan = planned(text, &topo, &plain);
    const struct fault_spec *spec = &plan.faults[0].spec;
    assert_int_equal(spec->kind, FAULT_LIMITS);
    assert_int_equal(spec->limits.files, 0);
    assert_int_equal(spec->limits.pids, -1);
    assert_true(spec->limits.files_share == 0);
    assert_true(spec->limits.pids_share == 0.5);
    plan_fini(&plan);
    free(text);
    text = replaced(SAMPLE, "kill: {}", "limits: {filesPercent: 10%, pids: 7}");
    plan = planned(text, &topo, &plain);
    spec = &plan.faults[0].spec;
    assert_int_equal(spec->limits.files, -1);
    assert_int_equal(spec->limits.pids, 7);
    assert_true(spec->limits.files_share == 0.1);
    assert_true(spec->limits.pids_share == 0);
    plan_fini(&plan);
    free(text);
    topo_fini(&topo);
}

static void test_faults_of_disks_are_planned(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    free(topo.state_dir);
    topo.state_dir = base_str_dup("/state");
    char *text = replaced(SAMPLE, "kill: {}",
                          "io: {folder: pg, workers: 3, mode: read, size: 2MiB, rate: 1MiB}");
    assert_refused(
        text, &topo, &plain,
        "spec.faults[0].io: needs a control group of its own, which \"users-1\" has none of "
        "in target \"default\" (netns): name it with \"cgroup\" in the topology, or say "
        "with \"find\"");
    for (size_t s = 0; s < topo.service_count; s++)
        for (size_t i = 0; i < topo.services[s].instance_count; i++)
            topo.services[s].instances[i].cgroup = base_str_dup("/group");
    struct plan plan = planned(text, &topo, &plain);
    const struct fault_spec *spec = &plan.faults[0].spec;
    assert_int_equal(spec->kind, FAULT_IO);
    assert_string_equal(spec->io.path, "/state/pg");
    assert_int_equal(spec->io.workers, 3);
    assert_int_equal(spec->io.mode, FAULT_IO_READ);
    assert_int_equal(spec->io.bytes, 2 << 20);
    assert_int_equal(spec->io.rate, 1 << 20);
    plan_fini(&plan);
    free(text);
    text = replaced(SAMPLE, "kill: {}", "ioThrottle: {readRate: 1MiB, writeOps: 50}");
    plan = planned(text, &topo, &plain);
    spec = &plan.faults[0].spec;
    assert_int_equal(spec->kind, FAULT_IO_THROTTLE);
    assert_string_equal(spec->throttle.path, "/state/.");
    assert_int_equal(spec->throttle.limits[FAULT_IO_READ_RATE], 1 << 20);
    assert_int_equal(spec->throttle.limits[FAULT_IO_WRITE_RATE], 0);
    assert_int_equal(spec->throttle.limits[FAULT_IO_READ_OPS], 0);
    assert_int_equal(spec->throttle.limits[FAULT_IO_WRITE_OPS], 50);
    plan_fini(&plan);
    /* Whoever wrote the topology: it has a state folder when it says so. */
    const struct scn_plan_options given = {.run = "r1", .target_given = true};
    topo.mode = TOPO_EXTERNAL;
    plan = planned(text, &topo, &given);
    assert_string_equal(plan.faults[0].spec.throttle.path, "/state/.");
    plan_fini(&plan);
    topo.mode = TOPO_NETNS;
    for (int empty = 0; empty < 2; empty++) {
        free(topo.state_dir);
        topo.state_dir = empty != 0 ? base_str_dup("") : NULL;
        assert_refused(text, &topo, &plain,
                       "spec.faults[0].ioThrottle: needs a platform with a state folder");
    }
    free(text);
    topo_fini(&topo);
}

static void test_kernel_faults_need_root(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_LOOPBACK);
    assert_refused(SAMPLE, &topo, &plain,
                   "s.yaml:16:63: spec.faults[1].partition: needs a network namespace, "
                   "which \"users-1\" has none of (target \"default\" is loopback): bring "
                   "the sandbox up as root, or leave this fault out with "
                   "--without-kernel-faults");
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

/* Each time is planned for itself; what is wrong with all of them is said once. */
static void test_what_is_wrong_with_a_repeated_fault_is_said_once(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *text = replaced(SAMPLE, "at: 2s, for: 2s, service: users, kill: {}",
                          "at: 1s, for: 1s, service: users, repeat: {times: 3, every: 2s}, "
                          "io: {}, select: all, maxAffected: 50%");
    char *list = refused(text, &topo, &plain);
    static const char *const words[] = {"needs a control group of its own",
                                        "select fewer or raise maxAffected"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *first = strstr(list, words[i]);
        if (first == NULL || strstr(first + 1, words[i]) != NULL)
            fail_msg("not once \"%s\": %s", words[i], list);
    }
    free(list);
    free(text);
    topo_fini(&topo);
}

/* What a partition is from: names of the platform, addresses, and blocks that may be hit. */
static void test_blocks_of_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *message; /* NULL: planned */
    } cases[] = {
        {"[10.0.2.0/24]", NULL},
        {"[postgres, 10.0.0.0/23, '192.0.2.7:80', gateway-1]", NULL},
        {"['fd00::/64', postgres]", NULL},
        {"[10.0.3.0/24, prometheus]", NULL},
        {"[10.0.0.0/16]", "spec.faults[1].partition.from: 10.0.0.0/16 holds prometheus-1 "
                          "(10.0.3.1), which observes the platform"},
        {"[10.0.2.1/24]", "the block that holds it is 10.0.2.0/24"},
        {"[10.0.2.0/33]", "is no block of addresses"},
        {"[0.0.0.0/0]", "holds loopback addresses"},
        {"[postgrse]", "partition.from[0]: no service \"postgrse\", did you mean \"postgres\"?"},
    };
    struct topo topo = platform(TOPO_NETNS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *with = base_str_printf("partition: {from: %s}", cases[i].from);
        char *text = replaced(SAMPLE, "partition: {from: [postgres]}", with);
        if (cases[i].message == NULL) {
            struct plan plan = planned(text, &topo, &plain);
            plan_fini(&plan);
        } else {
            assert_refused(text, &topo, &plain, cases[i].message);
        }
        free(text);
        free(with);
    }
    topo_fini(&topo);
}

static void test_blocks_of_addresses_for_a_proxy(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *text = replaced(SAMPLE, "partition: {from: [postgres]}",
                          "tcp: {timeout: 0s, direction: outbound, peers: [10.0.2.0/24, "
                          "gateway-1, '192.0.2.7:80']}");
    struct plan plan = planned(text, &topo, &plain);
    assert_int_equal(plan.faults[1].spec.tcp.route.peer_count, 3);
    assert_string_equal(plan.faults[1].spec.tcp.route.peers[0], "10.0.2.0/24");
    plan_fini(&plan);
    free(text);
    text = replaced(SAMPLE, "partition: {from: [postgres]}",
                    "http: {abort: {status: 503}, peers: [10.0.0.0/16]}");
    assert_refused(text, &topo, &plain,
                   "spec.faults[1].http.peers: 10.0.0.0/16 holds prometheus-1 (10.0.3.1)");
    free(text);
    topo_fini(&topo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grace_asks_with_sigterm),
        cmocka_unit_test(test_what_is_followed_is_how_many_are_selected),
        cmocka_unit_test(test_who_is_found_is_taken_for_every_kind),
        cmocka_unit_test(test_a_kill_of_pods),
        cmocka_unit_test(test_a_cordon),
        cmocka_unit_test(test_pause_needs_a_process),
        cmocka_unit_test(test_what_the_platform_refuses),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_network_of_some_packets),
        cmocka_unit_test(test_network_of_four_states),
        cmocka_unit_test(test_proxy_faults_are_planned),
        cmocka_unit_test(test_faults_of_postgres_are_planned),
        cmocka_unit_test(test_a_slow_disk_is_planned),
        cmocka_unit_test(test_failovers_are_planned),
        cmocka_unit_test(test_faults_of_redis_are_planned),
        cmocka_unit_test(test_limits_are_planned),
        cmocka_unit_test(test_faults_of_disks_are_planned),
        cmocka_unit_test(test_kernel_faults_need_root),
        cmocka_unit_test(test_what_is_wrong_with_a_repeated_fault_is_said_once),
        cmocka_unit_test(test_blocks_of_addresses),
        cmocka_unit_test(test_blocks_of_addresses_for_a_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
