/* SPDX-License-Identifier: Apache-2.0 */
/* Flows in scenario files: what they are read as, and each mistake with its place. */
#include "fixture.h"

#define SAMPLE_FLOW                                                                                \
    HEAD "  duration: 20s\n"                                                                       \
         "  load:\n"                                                                               \
         "    service: gateway\n"                                                                  \
         "    rate: 100/s\n"                                                                       \
         "    feeders:\n"                                                                          \
         "      - {name: people, file: data/people.csv, order: unique}\n"                          \
         "    flows:\n"                                                                            \
         "      - name: life\n"                                                                    \
         "        weight: 3\n"                                                                     \
         "        setup:\n"                                                                        \
         "          - {name: login, method: POST, path: /login, extract: [{name: token, header: "  \
         "X-Token}]}\n"                                                                            \
         "        steps:\n"                                                                        \
         "          - name: create\n"                                                              \
         "            method: POST\n"                                                              \
         "            path: /users\n"                                                              \
         "            headers: {Authorization: \"Bearer {{token}}\"}\n"                            \
         "            body: '{\"name\":\"{{people.name|json}}\"}'\n"                               \
         "            expected: 20ms\n"                                                            \
         "            think: 1s\n"                                                                 \
         "            extract: [{name: id, json: /data/id}]\n"                                     \
         "            expect: [{status: 201}, {json: /data/name, equals: \"{{people.name}}\"}]\n"  \
         "          - {name: read, path: \"/users/{{id}}\"}\n"                                     \
         "  thresholds:\n"                                                                         \
         "    - {name: fast, expect: p99 < 250ms, route: life.read}\n"

static void test_is_read(void **state)
{
    (void)state;
    struct scn_scenario scenario = parsed(SAMPLE_FLOW);
    assert_int_equal(scenario.load.flow_count, 1);
    const struct load_flow *flow = &scenario.load.flows[0];
    assert_int_equal(flow->weight, 3);
    assert_int_equal(flow->step_count, 2);
    assert_int_equal(flow->setup_count, 1);
    assert_int_equal(flow->setup[0].extract[0].from, LOAD_EXTRACT_HEADER);
    const struct load_step *create = &flow->steps[0];
    assert_string_equal(create->headers[0], "Authorization: Bearer {{token}}");
    assert_int_equal(create->expected.ns, 20 * BASE_NS_PER_MS);
    assert_int_equal(create->think.ns, BASE_NS_PER_S);
    assert_int_equal(create->expect[0].on, LOAD_EXPECT_STATUS);
    assert_int_equal(create->expect[0].status, 201);
    assert_int_equal(create->expect[1].on, LOAD_EXPECT_JSON);
    assert_int_equal(flow->steps[1].think.ns, 0);
    assert_string_equal(flow->steps[1].method, "GET");
    assert_int_equal(scenario.load.feeders[0].order, LOAD_FEEDER_UNIQUE);
    assert_int_equal(scenario.load.feeders[0].format, LOAD_FEEDER_CSV);
    scn_scenario_fini(&scenario);
}

/* The plan holds copies of its own, with files that count from where we are. */
static void test_is_planned(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_LOOPBACK);
    struct scn_scenario scenario;
    struct scn_problems problems = {.items = NULL};
    struct plan plan;
    assert_true(scn_parse("dir/s.yaml", SAMPLE_FLOW, strlen(SAMPLE_FLOW), &scenario, &problems));
    assert_true(scn_plan(&scenario, &topo, &plain, &plan, &problems));
    scn_scenario_fini(&scenario);
    assert_string_equal(plan.load.feeders[0].file, "dir/data/people.csv");
    assert_string_equal(plan.load.flows[0].steps[1].path, "/users/{{id}}");
    assert_int_equal(load_spec_routes(&plan.load), 2);
    assert_string_equal(plan.thresholds[0].route, "life.read");
    plan_fini(&plan);
    topo_fini(&topo);
}

static const struct {
    const char *old;
    const char *new_text;
    const char *complaint;
} bad[] = {
    {"path: \"/users/{{id}}\"", "path: \"/users/{{idd}}\"",
     "s.yaml:26:32: spec.load.flows[0].steps[1].path: no variable \"idd\" here, did you mean "
     "\"id\"?"},
    {"path: \"/users/{{id}}\"", "path: users",
     "expected a path that starts with '/' (or {{name}})"},
    {"json: /data/id", "json: data",
     "s.yaml:24:40: spec.load.flows[0].steps[0].extract[0].json: \"data\" is no JSON pointer"},
    {"json: /data/id", "regex: \"(\"",
     "s.yaml:24:41: spec.load.flows[0].steps[0].extract[0].regex: \"(\" is no regular expression"},
    {"json: /data/id", "json: /id, header: X", "expected exactly one source"},
    {", json: /data/id", "", "a source is missing, expected one of json, header, regex, status"},
    {"json: /data/id", "status: part", "expected whole"},
    {"name: id,", "name: seq,", "\"seq\" cannot be a variable"},
    {"{{people.name|json}}", "{{persons.name}}",
     "s.yaml:21:19: spec.load.flows[0].steps[0].body: {{persons.name}}: no feeder \"persons\""},
    {"{{people.name|json}}", "{{people.name", "is no field"},
    {"Bearer {{token}}", "Bearer {{toke}}",
     "s.yaml:20:38: spec.load.flows[0].steps[0].headers.Authorization: no variable \"toke\" here, "
     "did you mean \"token\"?"},
    {"{status: 201}", "{status: 99}", "99 is out of range, expected 100 to 599"},
    {"{status: 201}", "{status: 201, equals: x}",
     "s.yaml:25:22: spec.load.flows[0].steps[0].expect[0]: \"equals\" makes no sense here"},
    {"{status: 201}", "{json: x}", "spec.load.flows[0].steps[0].expect[0].json: \"x\" is no JSON"},
    {"{status: 201}", "{equals: x}", "a subject is missing, expected one of status, header, json"},
    {"weight: 3", "weight: 0", "0 is out of range"},
    {"think: 1s", "think: 1", "the bare number 1 needs a unit"},
    {"name: read", "name: create", "steps[1].name: \"create\" is taken by element 1"},
    {"route: life.read", "route: life.reed", "no route \"life.reed\", did you mean \"life.read\"?"},
    {"path: /login", "path: \"/login/{{seq}}\"", "setup[0].path: {{seq}} is the number of a pass"},
    {"order: unique", "order: once", "expected one of sequential, random, unique"},
    {"service: gateway", "service: gateway\n    proxy: https://p:1",
     "spec.load: flows go through no proxy that is spoken to over TLS"},
    {"service: gateway", "service: gateway\n    proxy: http://p:1",
     "spec.load: flows go through a proxy of HTTP over TLS or HTTP/2 only"},
    {"    flows:\n", "    flow:\n", "unknown key \"flow\", did you mean \"flows\"?"},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *text = replaced(SAMPLE_FLOW, bad[i].old, bad[i].new_text);
        char *list = complaints(text, strlen(text));
        assert_contains(list, bad[i].complaint);
        free(list);
        free(text);
    }
}

/* Each is told, not the first only. */
static void test_all_at_once(void **state)
{
    (void)state;
    char *one = replaced(SAMPLE_FLOW, "json: /data/id", "json: data");
    char *two = replaced(one, "{{token}}", "{{no}}");
    char *three = replaced(two, "/users/{{id}}", "/users/{{");
    char *list = complaints(three, strlen(three));
    assert_contains(list, "s.yaml:20:38: ");
    assert_contains(list, "s.yaml:24:40: ");
    assert_contains(list, "s.yaml:26:32: ");
    free(list);
    free(three);
    free(two);
    free(one);
}

static void test_neither_routes_nor_flows(void **state)
{
    (void)state;
    static const char text[] = HEAD "  duration: 2s\n  load: {service: g, rate: 1/s}\n";
    char *list = complaints(text, strlen(text));
    assert_contains(list, "spec.load.routes: this key is missing, expected a list, or flows");
    free(list);
}

static void test_what_is_never_used_is_odd(void **state)
{
    (void)state;
    char *text = replaced(SAMPLE_FLOW, "/users/{{id}}", "/users");
    struct scn_scenario scenario = parsed(text);
    struct scn_problems odd = {.items = NULL};
    scn_warnings(&scenario, &odd);
    assert_int_equal(odd.count, 1);
    assert_int_equal(odd.items[0].mark.line, 24);
    assert_contains(odd.items[0].message, "extract[0].name: \"id\" is never used");
    scn_problems_fini(&odd);
    scn_scenario_fini(&scenario);
    free(text);
    scenario = parsed(SAMPLE_FLOW);
    scn_warnings(&scenario, &odd);
    assert_int_equal(odd.count, 0);
    scn_scenario_fini(&scenario);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_read),
        cmocka_unit_test(test_is_planned),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_neither_routes_nor_flows),
        cmocka_unit_test(test_what_is_never_used_is_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
