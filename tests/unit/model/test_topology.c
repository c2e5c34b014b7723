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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_every_key_guarded),
        cmocka_unit_test(test_bad_values), cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_find),       cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
