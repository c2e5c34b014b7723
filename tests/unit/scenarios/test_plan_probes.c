/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#define PROBES                                                                                     \
    "  probes:\n"                                                                                  \
    "    - {name: page, http: {service: users, path: /x, contains: y}, atLeast: 90%}\n"            \
    "    - {name: port, mode: during, fault: err, tcp: {service: postgres, port: 5432}}\n"         \
    "    - {name: any, mode: during, every: 500ms, tcp: {}}\n"                                     \
    "    - {name: metric, mode: after, within: 9s, promql: {query: 'up == 1'}}\n"                  \
    "    - {name: cmd, mode: before, exec: {command: 'true'}}\n"

static void test_probes_are_resolved(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    char *once = replaced(SAMPLE, "  thresholds:\n", PROBES "  thresholds:\n");
    char *text = replaced(once, "at: 10s, for: 2s", "at: 10s, for: 2s, ramp: {steps: 2}");
    struct plan plan = planned(text, &topo, &plain);
    assert_int_equal(plan.probe_count, 5);
    const struct plan_probe *page = &plan.probes[0];
    assert_int_equal(page->mode, PLAN_PROBE_CONTINUOUS);
    assert_int_equal(page->http.url_count, 4);
    assert_string_equal(page->http.urls[3], "http://10.0.1.4:3000/x");
    assert_string_equal(page->http.contains, "y");
    assert_true(page->at_least > 0.899 && page->at_least < 0.901);
    const struct plan_probe *port = &plan.probes[1];
    assert_int_equal(port->tcp.target_count, 1);
    assert_string_equal(port->tcp.targets[0].address, "10.0.2.1");
    assert_int_equal(port->tcp.targets[0].port, 5432);
    assert_int_equal(port->fault_count, 2); /* each time that it happens */
    assert_string_equal(port->faults[1], "err-2");
    assert_int_equal(plan.probes[2].fault_count, 4);
    assert_int_equal(plan.probes[2].tcp.targets[0].port, 3000); /* of the load's service */
    assert_int_equal(plan.probes[3].within.ns, 9 * BASE_NS_PER_S);
    assert_string_equal(plan.probes[4].exec.command, "true");
    plan_fini(&plan);
    free(text);
    free(once);
    topo_fini(&topo);
}

static void test_a_probe_goes_with_its_fault(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_LOOPBACK);
    char *text = replaced(SAMPLE, "  thresholds:\n",
                          "  probes:\n    - {name: port, mode: during, fault: cut, tcp: {}}\n"
                          "  thresholds:\n");
    struct scn_plan_options without = {.run = "r1", .without_kernel_faults = true};
    struct plan plan = planned(text, &topo, &without);
    assert_int_equal(plan.probe_count, 0);
    assert_string_equal(plan.skipped[1].name, "port");
    assert_contains(plan.skipped[1].why, "left out");
    plan_fini(&plan);
    free(text);
    topo_fini(&topo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probes_are_resolved),
        cmocka_unit_test(test_a_probe_goes_with_its_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
