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
        const char *key = scn_request_key(
            (enum scn_request)__builtin_ctz(scn_requests_of(load_schemes[i].protocol)));
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

#define STORE(url, more, load)                                                                     \
    HEAD "  target: {kind: external, urls: ['" url "']" more "}\n"                                 \
         "  duration: 20s\n"                                                                       \
         "  load: {rate: 100/s, " load "}\n"

/* Of a scenario in the folder f. */
static struct plan planned_store(const char *text)
{
    struct scn_scenario scenario = {.file = NULL};
    struct scn_problems problems = {.items = NULL};
    struct topo topo = {.name = NULL};
    struct plan plan = {.run = NULL};
    if (!scn_parse("f/s.yaml", text, strlen(text), &scenario, &problems) ||
        !scn_external_topology(&scenario, NULL, NULL, &topo, &problems) ||
        !scn_plan(&scenario, &topo, &plain, &plan, &problems))
        fail_msg("%s", scn_problems_text(&problems));
    topo_fini(&topo);
    scn_scenario_fini(&scenario);
    return plan;
}

static void test_postgres(void **state)
{
    (void)state;
    struct plan plan = planned_store(
        STORE("postgres://localhost", "",
              "pipeline: 8, login: {user: app, database: shop, passwordFile: app.password},\n"
              "    routes: [{name: a, sql: 'SELECT $1, $2', params: ['{{seq}}', x, x]}]"));
    assert_int_equal(plan.load.protocol, LOAD_SPEECH_POSTGRES);
    assert_string_equal(plan.load.host, "localhost"); /* libpq's, which has no port in it */
    assert_int_equal(plan.load.targets[0].port, 5432);
    assert_null(plan.load.tls.server_name);
    assert_string_equal(plan.load.user, "app");
    assert_string_equal(plan.load.database, "shop");
    assert_string_equal(plan.load.password_file, "f/app.password");
    assert_null(plan.load.password_env);
    assert_int_equal(plan.load.pipeline, 8);
    assert_string_equal(plan.load.routes[0].body, "SELECT $1, $2");
    assert_int_equal(plan.load.routes[0].param_count, 3);
    assert_string_equal(plan.load.routes[0].params[0], "{{seq}}");
    assert_string_equal(plan.load.routes[0].params[2], "x");
    plan_fini(&plan);
    plan = planned_store(STORE("postgresql://localhost:7", ", tls: {caFile: /ca}",
                               "login: {passwordEnv: PW}, routes: [{name: a, sql: SELECT 1}]"));
    assert_string_equal(plan.load.host, "localhost");
    assert_string_equal(plan.load.tls.server_name, "localhost");
    assert_string_equal(plan.load.tls.ca_file, "/ca");
    assert_string_equal(plan.load.password_env, "PW");
    assert_null(plan.load.user);
    assert_int_equal(plan.load.pipeline, 0);
    plan_fini(&plan);
}

static void test_rabbitmq(void **state)
{
    (void)state;
    struct plan plan = planned_store(
        STORE("amqps://127.0.0.1", ", tls: {verify: none}",
              "login: {user: app, virtualHost: /shop, passwordFile: /p},\n"
              "    routes: [{name: a, publish: '', exchange: all, persistent: true, body: b},\n"
              "             {name: b, get: orders, weight: 2},\n"
              "             {name: c, consume: {}, body: x},\n"
              "             {name: d, consume: {key: k}, exchange: e}]"));
    assert_int_equal(plan.load.protocol, LOAD_SPEECH_AMQP);
    assert_int_equal(plan.load.targets[0].port, 5671);
    assert_string_equal(plan.load.tls.server_name, "127.0.0.1");
    assert_true(plan.load.tls.insecure);
    assert_string_equal(plan.load.database, "/shop");
    assert_string_equal(plan.load.password_file, "/p");
    const struct load_route *routes = plan.load.routes;
    assert_string_equal(routes[0].key, ""); /* which is a key */
    assert_string_equal(routes[0].exchange, "all");
    assert_string_equal(routes[0].body, "b");
    assert_true(routes[0].persistent);
    assert_null(routes[0].queue);
    assert_string_equal(routes[1].queue, "orders");
    assert_null(routes[1].key);
    assert_false(routes[1].persistent);
    assert_int_equal(routes[1].weight, 2);
    assert_false(routes[0].consume || routes[1].consume);
    assert_true(routes[2].consume && routes[3].consume);
    assert_null(routes[2].key);
    assert_string_equal(routes[2].body, "x");
    assert_string_equal(routes[3].key, "k");
    assert_string_equal(routes[3].exchange, "e");
    plan_fini(&plan);
}

/* A platform's secrets lie with its state, and its services are spoken to as its routes say. */
static void test_a_store_of_the_platform(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    struct plan plan =
        planned(HEAD "  duration: 20s\n"
                     "  load: {service: postgres, rate: 1/s, routes: [{name: a, sql: SELECT 1}],\n"
                     "         login: {user: users, passwordFile: secrets/p}}\n",
                &topo, &plain);
    assert_int_equal(plan.load.protocol, LOAD_SPEECH_POSTGRES);
    assert_string_equal(plan.load.host, "postgres");
    assert_string_equal(plan.load.targets[0].address, "10.0.2.1");
    assert_string_equal(plan.load.password_file, "/s/secrets/p");
    plan_fini(&plan);
    topo_fini(&topo);
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
    assert_refused(EXTERNAL("http://10.0.0.1"), &sandbox, &plain,
                   "asks for a target that is external, but \"default\" is a sandbox");
    topo_fini(&sandbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_external),
        cmocka_unit_test(test_other_protocols),
        cmocka_unit_test(test_plain_tcp),
        cmocka_unit_test(test_every_scheme_is_an_origin),
        cmocka_unit_test(test_postgres),
        cmocka_unit_test(test_rabbitmq),
        cmocka_unit_test(test_a_store_of_the_platform),
        cmocka_unit_test(test_external_over_tls),
        cmocka_unit_test(test_external_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
