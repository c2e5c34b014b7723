/* SPDX-License-Identifier: Apache-2.0 */
#include "json_cases.h"

#include <unistd.h>

#include "base/file.h"
#include "model/topology.h"

#define INSTANCE(n)                                                                                \
    "{'name':'users-" n "','address':'10.0.0.1" n "','port':8082,'netns':'/run/netns/users-" n     \
    "','cgroup':'/sys/fs/cgroup/users-" n "','statusFile':'/s/users-" n                            \
    ".json','logFile':'/l/users-" n ".log','find':{'by':'port','value':'80'}}"
#define SAMPLE                                                                                     \
    "{'version':1,'name':'default','mode':'netns','stateDir':'/var/lib/squall',"                   \
    "'agent':{'url':'http://127.0.0.1:7070','tokenFile':'/t','caFile':'/ca','certFile':'/"         \
    "c','keyFile':'/k'},"                                                                          \
    "'prometheus':{'url':'http://10.0.0.2:9090','scrapeIntervalNs':1000000000},"                   \
    "'services':[{'name':'users','port':8082,'kind':'http','healthPath':'/health',"                \
    "'readyPath':'/ready','adminTokenFile':'/a','credentialsFile':'/c','observability':false,"     \
    "'instances':[" INSTANCE("1") "," INSTANCE("2") "]}]}"

static const char *const nullable[] = {
    "agent",           "prometheus", "netns",  "cgroup",   "readyPath", "adminTokenFile",
    "credentialsFile", "healthPath", "caFile", "certFile", "keyFile",   "find"};
CASE(topo, struct topo, nullable);

static void test_round_trip(void **state)
{
    (void)state;
    assert_round_trip(&topo_case, SAMPLE);
    assert_round_trip(&topo_case,
                      "{'version':1,'name':'x','mode':'external','stateDir':'','agent':null,"
                      "'prometheus':null,'services':[{'name':'s','port':1,'kind':'http',"
                      "'healthPath':null,'readyPath':null,'adminTokenFile':null,"
                      "'credentialsFile':null,"
                      "'observability':true,'instances':[]}]}");
}

static void test_every_key_guarded(void **state)
{
    (void)state;
    assert_every_key_guarded(&topo_case, SAMPLE);
}

static void test_bad_values(void **state)
{
    (void)state;
    static const struct bad_value cases[] = {
        {"version", "2"},
        {"mode", "'vm'"},
        {"name", "''"},
        {"prometheus/scrapeIntervalNs", "0"},
        {"services/0/port", "0"},
        {"services/0/port", "65536"},
        {"services/0/healthPath", "'health'"},
        {"services/0/instances/1/port", "-1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_bad_value(&topo_case, SAMPLE, cases[i].pointer, cases[i].value);
}

static void test_names_are_unique(void **state)
{
    (void)state;
    json_t *json = json_of("{'version':1,'name':'x','mode':'loopback','stateDir':'','services':[{"
                           "'name':'users','port':1,'kind':'http','observability':false,"
                           "'instances':[" INSTANCE("1") "," INSTANCE("1") "]}]}");
    assert_refused(&topo_case, json, "\"users-1\" is named twice");
    json_decref(json);
}

#define PLACED                                                                                     \
    "{'name':'%s','address':'10.0.0.1','port':80,'netns':null,'cgroup':null,'statusFile':'',"      \
    "'logFile':'','find':null%s}"

/* free() it. */
static char *placed_topology(void)
{
    static const char *const more[] = {
        ",'zone':'a','namespace':'shop','labels':['tier=front']",
        ",'zone':'a','node':'n1','labels':['colour=blue','tier=front']", ""};
    char *list[3];
    for (size_t i = 0; i < 3; i++) {
        char *name = base_str_printf("x-%zu", i + 1);
        list[i] = base_str_printf(PLACED, name, more[i]);
        free(name);
    }
    char *text = base_str_printf(
        "{'version':1,'name':'x','mode':'netns','stateDir':'','agent':null,'prometheus':null,"
        "'services':[{'name':'x','port':80,'kind':'http','healthPath':null,'readyPath':null,"
        "'adminTokenFile':null,'credentialsFile':null,'observability':false,'instances':[%s,%s,"
        "%s]}]}",
        list[0], list[1], list[2]);
    for (size_t i = 0; i < 3; i++)
        free(list[i]);
    return text;
}

static void assert_matches(const struct topo_service *service, const struct topo_where *where,
                           const char *expected)
{
    struct base_buf names;
    size_t count = 0;
    base_buf_init(&names, 100);
    for (size_t i = 0; i < service->instance_count; i++) {
        if (!topo_matches(&service->instances[i], where))
            continue;
        count++;
        (void)base_buf_printf(&names, "%s ", service->instances[i].name);
    }
    assert_string_equal(names.len > 0 ? names.data : "", expected);
    assert_int_equal(topo_count_matching(service, where), count);
    base_buf_fini(&names);
}

/* What an instance is like is told by its keys, each of which may be left out. */
static void test_matching(void **state)
{
    (void)state;
    static char a[] = "a";
    static char n1[] = "n1";
    static char shop[] = "shop";
    static char front[] = "tier=front";
    static char blue[] = "colour=blue";
    static char *both[] = {front, blue};
    static const struct {
        struct topo_where where;
        const char *names;
    } cases[] = {
        {{.zone = NULL}, "x-1 x-2 x-3 "},
        {{.zone = a}, "x-1 x-2 "},
        {{.node = n1}, "x-2 "},
        {{.namespace = shop}, "x-1 "},
        {{.labels = both, .label_count = 1}, "x-1 x-2 "},
        {{.labels = both, .label_count = 2}, "x-2 "},
        {{.zone = a, .namespace = shop, .labels = both, .label_count = 1}, "x-1 "},
        {{.node = n1, .namespace = shop}, ""},
    };
    struct topo topo;
    struct base_error err;
    char *text = placed_topology();
    assert_round_trip(&topo_case, text);
    json_t *json = json_of(text);
    assert_true(topo_from_json(json, &topo, &err));
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_matches(&topo.services[0], &cases[c].where, cases[c].names);
    json_decref(json);
    topo_fini(&topo);
    free(text);
}

#define POD_TOPOLOGY                                                                               \
    "{'version':1,'name':'x','mode':'external','stateDir':'','agent':null,'prometheus':null,"      \
    "'services':[{'name':'x','port':80,'kind':'http','healthPath':null,'readyPath':null,"          \
    "'adminTokenFile':null,'credentialsFile':null,'observability':false,'instances':[{'name':"     \
    "'x-1','address':'10.0.0.1','port':80,'netns':null,'cgroup':null,'statusFile':'','logFile':'"  \
    "','find':{'by':'pod','value':'1-2/c'},'namespace':'shop',"                                    \
    "'pod':{'namespace':'shop','name':'x-7d9f','uid':'1-2'}}]}],"                                  \
    "'kubernetes':{'url':'https://10.0.0.1:6443','caFile':'/ca','tokenFile':'/t'}}"

static void test_pods(void **state)
{
    (void)state;
    static const struct {
        const char *pointer;
        const char *value;
    } bad[] = {
        {"kubernetes/url", "'http://10.0.0.1:8080'"},
        {"kubernetes/url", "'10.0.0.1:6443'"},
        {"kubernetes/url", "null"},
        {"kubernetes/caFile", "null"},
        {"kubernetes/tokenFile", "''"},
        {"services/0/instances/0/pod/uid", "null"},
        {"services/0/instances/0/pod/uid", "'1-'"},
        {"services/0/instances/0/pod/uid", "'1-2/c'"},
        {"services/0/instances/0/pod/name", "''"},
        {"services/0/instances/0/pod/namespace", "'other'"},
        {"services/0/instances/0/pod", "7"},
        {"services/0/instances/0/find/value", "'1-3'"},
    };
    assert_round_trip(&topo_case, POD_TOPOLOGY);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_bad_value(&topo_case, POD_TOPOLOGY, bad[i].pointer, bad[i].value);
    struct topo topo;
    struct base_error err;
    json_t *json = json_of(POD_TOPOLOGY);
    assert_true(topo_from_json(json, &topo, &err));
    assert_true(topo_knows_pod(&topo.services[0].instances[0]));
    json_decref(json);
    topo_fini(&topo);
}

static void test_find(void **state)
{
    (void)state;
    struct topo topo;
    struct base_error err;
    json_t *json = json_of(SAMPLE);
    assert_true(topo_from_json(json, &topo, &err));
    json_decref(json);
    const struct topo_service *service = NULL;
    const struct topo_instance *instance = topo_find_instance(&topo, "users-2", &service);
    assert_non_null(instance);
    assert_string_equal(instance->address, "10.0.0.12");
    assert_ptr_equal(service, topo_find_service(&topo, "users"));
    assert_null(topo_find_service(&topo, "user"));
    assert_null(topo_find_instance(&topo, "users-3", NULL));
    assert_string_equal(topo_mode_name(topo.mode), "netns");
    assert_string_equal(topo_mode_name((enum topo_mode)77), "unknown");
    topo_fini(&topo);
}

static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/squall-test-topo-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    static const char text[] = "{\"name\":\"users-1\",\"state\":\"ready\",\"pid\":12,"
                               "\"startTicks\":34,\"restarts\":5,\"lastExit\":null}";
    struct base_error err;
    struct topo_status status;
    assert_true(base_file_write(path, text, sizeof text - 1, 0600, &err));
    assert_true(topo_status_read(path, &status, &err));
    assert_string_equal(status.state, "ready");
    assert_int_equal(status.pid, 12);
    assert_int_equal(status.start_ticks, 34);
    assert_int_equal(status.restarts, 5);
    assert_null(status.last_exit);
    topo_status_fini(&status);
    struct topo topo;
    assert_false(topo_read(path, &topo, &err));
    assert_true(base_str_starts(err.message, path));
    assert_non_null(strstr(err.message, "\"version\""));
    unlink(path);
}

static void test_what_is_known(void **state)
{
    (void)state;
    char empty[] = "";
    char text[] = "x";
    static const struct {
        bool netns, cgroup, status_file, find_by;
        bool knows_netns, knows_group, knows_process, knows_one;
    } cases[] = {
        {false, false, false, false, false, false, false, false},
        {true, false, false, false, true, false, false, false},
        {false, true, false, false, false, true, false, true},
        {false, false, true, false, false, false, true, true},
        {false, false, false, true, true, true, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct topo_instance instances[2] = {
            {.status_file = empty}, /* nothing is known of the first */
            {.netns = cases[i].netns ? text : NULL,
             .cgroup = cases[i].cgroup ? text : NULL,
             .status_file = cases[i].status_file ? text : empty,
             .find_by = cases[i].find_by ? text : NULL},
        };
        struct topo_service services[2] = {{.name = text},
                                           {.instances = instances, .instance_count = 2}};
        struct topo topo = {.services = services, .service_count = 2};
        assert_int_equal(topo_any(&topo, topo_knows_netns), cases[i].knows_netns);
        assert_int_equal(topo_any(&topo, topo_knows_group), cases[i].knows_group);
        assert_int_equal(topo_any(&topo, topo_knows_process), cases[i].knows_process);
        assert_int_equal(topo_any(&topo, topo_knows_group_or_process), cases[i].knows_one);
        assert_int_equal(topo_any(&topo, topo_is_found), cases[i].find_by);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_key_guarded),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_what_is_known),
        cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_pods),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
