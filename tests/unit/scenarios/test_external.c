/* SPDX-License-Identifier: Apache-2.0 */
/* Targets that are no platform of ours. */
#include "fixture.h"

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

static void test_other_protocols(void **state)
{
    (void)state;
    static const char text[] = HEAD
        "  target: {kind: external, urls: ['rediss://web.test', 'rediss://[::1]:81/'],\n"
        "           tls: {caFile: /ca}}\n"
        "  duration: 20s\n"
        "  load:\n"
        "    rate: 100/s\n"
        "    routes: [{name: a, command: GET x, weight: 3}, {name: b, command: 'SET x {{seq}}'}]\n";
    struct scn_scenario scenario = parsed(text);
    struct scn_problems problems = {.items = NULL};
    struct topo topo;
    int asked = 0;
    assert_true(scn_external_topology(&scenario, resolve, &asked, &topo, &problems));
    assert_string_equal(topo.services[0].kind, "redis");
    struct plan plan = planned(text, &topo, &plain);
    assert_int_equal(plan.load.protocol, LOAD_SPEECH_REDIS);
    assert_string_equal(plan.load.tls.server_name, "web.test");
    assert_string_equal(plan.load.tls.ca_file, "/ca");
    assert_int_equal(plan.load.targets[0].port, 6379);
    assert_int_equal(plan.load.targets[1].port, 81);
    assert_string_equal(plan.load.routes[0].body, "GET x");
    assert_int_equal(plan.load.routes[0].weight, 3);
    assert_string_equal(plan.load.routes[1].body, "SET x {{seq}}");
    plan_fini(&plan);
    topo_fini(&topo);
    scn_scenario_fini(&scenario);
}

/* Each route has an end of its own, and there is no port to fall back on. */
static void test_plain_tcp(void **state)
{
    (void)state;
    static const char text[] =
        HEAD "  target: {kind: external, urls: ['tcp://10.1.2.3:7']}\n"
             "  duration: 20s\n"
             "  load:\n"
             "    rate: 100/s\n"
             "    routes: [{name: a, send: \"get x\\r\\n\", until: \"END\\r\\n\"},\n"
             "             {name: b, send: x, answerBytes: 5}]\n";
    struct scn_scenario scenario = parsed(text);
    struct scn_problems problems = {.items = NULL};
    struct topo topo;
    assert_true(scn_external_topology(&scenario, NULL, NULL, &topo, &problems));
    struct plan plan = planned(text, &topo, &plain);
    assert_int_equal(plan.load.protocol, LOAD_SPEECH_TCP);
    assert_null(plan.load.tls.server_name);
    assert_string_equal(plan.load.routes[0].body, "get x\r\n");
    assert_string_equal(plan.load.routes[0].until, "END\r\n");
    assert_int_equal(plan.load.routes[1].answer_bytes, 5);
    plan_fini(&plan);
    topo_fini(&topo);
    scn_scenario_fini(&scenario);
    char *without = replaced(text, "10.1.2.3:7", "10.1.2.3");
    scenario = parsed(without);
    assert_false(scn_external_topology(&scenario, NULL, NULL, &topo, &problems));
    char *list = scn_problems_text(&problems);
    assert_contains(list, "spec.target.urls[0]: expected HOST:PORT with a port");
    free(list);
    scn_problems_fini(&problems);
    scn_scenario_fini(&scenario);
    free(without);
}

/* The pattern of the format and the model's table are two, and say the same. */
static void test_every_scheme_is_an_origin(void **state)
{
    (void)state;
    for (size_t i = 0; i < load_scheme_count; i++) {
        const char *key = scn_request_key(load_schemes[i].protocol);
        if (key == NULL)
            continue;
        char *url = base_str_printf("%s[::1]:7", load_schemes[i].prefix);
        char *text = base_str_printf(HEAD "  target: {kind: external, urls: ['%s']}\n"
                                          "  duration: 20s\n"
                                          "  load: {rate: 1/s, routes: [{name: a, %s: /x}]}\n",
                                     url, key);
        struct scn_scenario scenario = parsed(text);
        assert_int_equal(scn_load_protocol(&scenario), load_schemes[i].protocol);
        scn_scenario_fini(&scenario);
        free(text);
        free(url);
    }
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
    assert_int_equal(plan.load.engine, LOAD_ENGINE_AUTO);
    assert_false(plan.load.http2);
    assert_int_equal(plan.load.streams, 0);
    plan_fini(&plan);
    from = replaced(text, "    rate:",
                    "    http2: true\n    streams: 8\n    engine: curl\n"
                    "    proxy: http://p:1\n    rate:");
    plan = planned(from, &topo, &plain);
    assert_int_equal(plan.load.engine, LOAD_ENGINE_CURL);
    assert_true(plan.load.http2);
    assert_int_equal(plan.load.streams, 8);
    assert_string_equal(plan.load.proxy, "http://p:1");
    assert_null(plan.load.unix_socket);
    plan_fini(&plan);
    free(from);
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
        cmocka_unit_test(test_external),          cmocka_unit_test(test_other_protocols),
        cmocka_unit_test(test_plain_tcp),         cmocka_unit_test(test_every_scheme_is_an_origin),
        cmocka_unit_test(test_external_over_tls), cmocka_unit_test(test_external_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
