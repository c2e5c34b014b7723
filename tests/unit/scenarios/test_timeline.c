/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "fixture.h"

/* "name@at+for" of every planned fault, with "<leader" and the share of errors where there is one.
 */
static void assert_timeline(const char *faults, const char *expected, const char *phases)
{
    struct topo topo = platform(TOPO_NETNS);
    char *text = base_str_printf("%s  duration: 60s\n%s  faults:\n%s", HEAD, LOAD, faults);
    struct plan plan = planned(text, &topo, &plain);
    BASE_AUTO_BUF struct base_buf got;
    base_buf_init(&got, 4096);
    for (size_t i = 0; i < plan.fault_count; i++) {
        const struct plan_fault *fault = &plan.faults[i];
        base_buf_printf(&got, "%s%s@%g+%g", i > 0 ? " " : "", fault->spec.name,
                        base_dur_to_s(fault->at), base_dur_to_s(fault->spec.duration));
        if (fault->after != NULL)
            base_buf_printf(&got, "<%s", fault->after);
        if (fault->spec.kind == FAULT_APP)
            base_buf_printf(&got, "=%g%%", fault->spec.app.error_rate * 100);
    }
    assert_string_equal(got.data, expected);
    assert_phases(&plan, phases);
    plan_fini(&plan);
    topo_fini(&topo);
    free(text);
}

#define ONE(name, times, kind)                                                                     \
    "    - {name: " name ", " times ", service: users, maxAffected: 100%, " kind "}\n"

static void test_one_fault_follows_another(void **state)
{
    (void)state;
    assert_timeline(ONE("b", "at: 3s, for: 4s, after: a", "kill: {}")
                        ONE("a", "at: 5s, for: 10s", "kill: {}")
                            ONE("c", "at: 0s, for: 1s, after: b", "kill: {}"),
                    "b@18+4<a a@5+10 c@22+1<b", "steady@0 a@5! after-a@15 b@18! c@22! after-c@23");
}

/* That of a proxy as any other. */
static void test_a_proxy_fault_repeats_and_is_followed(void **state)
{
    (void)state;
    assert_timeline(
        ONE("a", "at: 5s, for: 4s, repeat: {times: 2, every: 10s}", "tcp: {latency: 100ms}")
            ONE("b", "at: 1s, for: 2s, after: a", "dns: {names: [a.test]}")
                ONE("c", "at: 1s, for: 2s, after: b", "http: {abort: {status: 503}}"),
        "a-1@5+4 a-2@15+4<a-1 b@20+2<a-2 c@23+2<b",
        "steady@0 a-1@5! after-a-1@9 a-2@15! after-a-2@19 b@20! after-b@22 c@23! "
        "after-c@25");
}

static void test_a_fault_repeats(void **state)
{
    (void)state;
    assert_timeline(ONE("a", "at: 5s, for: 4s, repeat: {times: 3, every: 10s}", "kill: {}")
                        ONE("b", "at: 1s, for: 2s, after: a", "kill: {}"),
                    "a-1@5+4 a-2@15+4<a-1 a-3@25+4<a-2 b@30+2<a-3",
                    "steady@0 a-1@5! after-a-1@9 a-2@15! after-a-2@19 a-3@25! after-a-3@29 b@30! "
                    "after-b@32");
}

/* On the same targets, in equal parts, up to all that was asked for. */
static void test_a_fault_grows(void **state)
{
    (void)state;
    assert_timeline(ONE("a", "at: 5s, for: 9s, ramp: {steps: 3}", "app: {errorRate: 60%}"),
                    "a-1@5+3=20% a-2@8+3<a-1=40% a-3@11+3<a-2=60%",
                    "steady@0 a-1@5! a-2@8! a-3@11! after-a-3@14");
    struct topo topo = platform(TOPO_NETNS);
    struct plan plan = planned(HEAD "  duration: 60s\n" LOAD
                                    "  faults:\n" ONE("a", "at: 5s, for: 20s, ramp: {steps: 20}",
                                                      "app: {errorRate: 60%, latency: 100ms}"),
                               &topo, &plain);
    for (size_t i = 0; i < 20; i++) {
        const struct fault_spec *spec = &plan.faults[i].spec;
        assert_string_equal(spec->targets[0], plan.faults[0].spec.targets[0]);
        assert_int_equal(spec->app.latency.ns, 5 * BASE_NS_PER_MS * ((int64_t)i + 1));
    }
    plan_fini(&plan);
    topo_fini(&topo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_fault_follows_another),
        cmocka_unit_test(test_a_fault_repeats),
        cmocka_unit_test(test_a_proxy_fault_repeats_and_is_followed),
        cmocka_unit_test(test_a_fault_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
