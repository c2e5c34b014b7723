/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "scenarios/fault_words.h"

static const struct scn_plan_options by_hand = {
    .run = "r1", .started = {5}, .seed_given = true, .seed = 1, .target_given = true};

static bool fault_planned(const struct scn_fault_words *words, struct plan *out,
                          char **complaints_of)
{
    struct topo topo = platform(TOPO_NETNS);
    struct scn_problems problems = {.items = NULL};
    bool ok = scn_plan_fault_words(words, &topo, &by_hand, out, &problems);
    assert_int_equal(ok, problems.count == 0);
    if (complaints_of != NULL)
        *complaints_of = scn_problems_text(&problems);
    scn_problems_fini(&problems);
    topo_fini(&topo);
    return ok;
}

static void test_words_become_one_fault(void **state)
{
    (void)state;
    static const char *const details[] = {"errorRate=20%", "errorStatus=503"};
    const struct scn_fault_words words = {.kind = "app",
                                          .service = "users",
                                          .duration = "30s",
                                          .lease = "2s",
                                          .select = "50%",
                                          .max_affected = "60%",
                                          .details = details,
                                          .detail_count = 2};
    struct plan plan;
    assert_true(fault_planned(&words, &plan, NULL));
    assert_int_equal(plan.fault_count, 1);
    const struct fault_spec *spec = &plan.faults[0].spec;
    assert_string_equal(spec->id, "r1-1");
    assert_int_equal(spec->started.ns, 5);
    assert_int_equal(plan.faults[0].at.ns, 0);
    assert_int_equal(spec->kind, FAULT_APP);
    assert_int_equal(spec->duration.ns, 30 * BASE_NS_PER_S);
    assert_int_equal(spec->lease.ns, 2 * BASE_NS_PER_S);
    assert_int_equal(spec->target_count, 2);
    assert_true(spec->max_affected == 0.6);
    assert_true(spec->app.error_rate == 0.2);
    assert_int_equal(spec->app.error_status, 503);
    plan_fini(&plan);
}

static void test_a_kind_without_keys_and_a_number_to_select(void **state)
{
    (void)state;
    const struct scn_fault_words words = {
        .kind = "kill", .service = "users", .duration = "5s", .select = "1"};
    struct plan plan;
    assert_true(fault_planned(&words, &plan, NULL));
    assert_int_equal(plan.faults[0].spec.kind, FAULT_KILL);
    assert_int_equal(plan.faults[0].spec.target_count, 1);
    plan_fini(&plan);
}

static void assert_by_hand(const char *kind, const char *const *details, size_t count,
                           struct plan *plan)
{
    const struct scn_fault_words words = {.kind = kind,
                                          .service = "users",
                                          .duration = "5s",
                                          .details = details,
                                          .detail_count = count};
    char *complaints_of = NULL;
    if (!fault_planned(&words, plan, &complaints_of))
        fail_msg("%s: %s", kind, complaints_of);
    free(complaints_of);
}

static void test_faults_of_a_proxy(void **state)
{
    (void)state;
    static const char *const tcp[] = {"slicer={size: 5, delay: 10ms}", "port=80"};
    static const char *const http[] = {"abort={status: 503}", "pathPrefix=/api/", "percent=20%"};
    static const char *const dns[] = {"names=[db.test, '*.far.test']", "answer=servfail"};
    struct plan plan;
    assert_by_hand("tcp", tcp, 2, &plan);
    assert_int_equal(plan.faults[0].spec.tcp.toxic, FAULT_TOXIC_SLICER);
    assert_int_equal(plan.faults[0].spec.tcp.bytes, 5);
    assert_int_equal(plan.faults[0].spec.tcp.route.port_count, 1);
    assert_string_equal(plan.faults[0].spec.tcp.route.ports[0], "80");
    assert_true(plan.faults[0].spec.tcp.share >= 1.0);
    plan_fini(&plan);
    assert_by_hand("http", http, 3, &plan);
    assert_int_equal(plan.faults[0].spec.http.status, 503);
    assert_string_equal(plan.faults[0].spec.http.path_prefix, "/api/");
    assert_true(plan.faults[0].spec.http.share == 0.2);
    plan_fini(&plan);
    assert_by_hand("dns", dns, 2, &plan);
    assert_int_equal(plan.faults[0].spec.dns.answer, FAULT_DNS_SERVFAIL);
    assert_string_equal(plan.faults[0].spec.dns.names.list[1], "*.far.test");
    plan_fini(&plan);
}

static void test_a_share_of_packets(void **state)
{
    (void)state;
    static const char *const details[] = {"peers=[postgres]", "delay=100ms", "percent=20%"};
    struct plan plan;
    assert_by_hand("network", details, 3, &plan);
    assert_true(plan.faults[0].spec.network.impairment.share == 0.2);
    plan_fini(&plan);
}

static void test_whom_it_is_for(void **state)
{
    (void)state;
    const struct scn_fault_words words = {
        .kind = "kill", .service = "users", .duration = "5s", .where = "{zone: far}"};
    struct plan plan;
    char *text = NULL;
    assert_false(fault_planned(&words, &plan, &text));
    assert_contains(text, "where: none of the 4 instances of \"users\" is like this");
    free(text);
}

/* Nothing that a word holds becomes a key, a line or another document. */
static void test_words_stay_words(void **state)
{
    (void)state;
    static const char *const values[] = {"5s\n   maxAffected: 100%",
                                         "5s\r   maxAffected: 100%",
                                         "5s\xC2\x85   maxAffected: 100%",
                                         "5s\xE2\x80\xA8   maxAffected: 100%",
                                         "5s\xE2\x80\xA9 x: y",
                                         "{a: b}",
                                         "[1s]",
                                         "5s, select: all",
                                         "5s}",
                                         "'5s",
                                         "\"5s",
                                         "&a 5s x",
                                         "*a",
                                         "!!str 5s x",
                                         "|",
                                         ">",
                                         "--- 5s",
                                         "5s: 6s",
                                         "? 5s",
                                         "% 5s",
                                         "",
                                         " ",
                                         "5s\t\x7f"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (int where = 0; where < 7; where++) {
            static const char *const good[] = {"errorRate=20%"};
            char *detail = base_str_printf("errorRate=%s", values[i]);
            const char *const bad[] = {detail};
            const struct scn_fault_words words = {
                .kind = where == 0 ? values[i] : "app",
                .service = where == 1 ? values[i] : "users",
                .duration = where == 2 ? values[i] : "5s",
                .lease = where == 3 ? values[i] : "2s",
                .select = where == 4 ? values[i] : "one",
                .details = where == 5 ? bad : good,
                .where = where == 6 ? values[i] : NULL,
                .detail_count = 1,
            };
            struct plan plan;
            char *text = NULL;
            if (fault_planned(&words, &plan, &text))
                fail_msg("case %zu as word %d became a plan", i, where);
            assert_true(strlen(text) > 0);
            assert_null(strstr(text, "spec.faults"));
            free(text);
            free(detail);
        }
    }
}

static void test_a_kind_that_is_refused_says_why(void **state)
{
    (void)state;
    const struct scn_fault_words words = {.kind = "clock", .service = "users", .duration = "5s"};
    struct plan plan;
    char *text = NULL;
    assert_false(fault_planned(&words, &plan, &text));
    assert_contains(text, "there is no clock skew");
    assert_contains(text, "libfaketime");
    free(text);
    static const struct {
        const char *kind;
        const char *detail;
        const char *says;
    } more[] = {
        {"node", "reboot={}", "agent, watchdog and journal would go down with the host"},
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        const struct scn_fault_words one = {.kind = more[i].kind,
                                            .service = "users",
                                            .duration = "5s",
                                            .details = &more[i].detail,
                                            .detail_count = 1};
        assert_false(fault_planned(&one, &plan, &text));
        assert_contains(text, more[i].says);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_become_one_fault),
        cmocka_unit_test(test_a_kind_without_keys_and_a_number_to_select),
        cmocka_unit_test(test_faults_of_a_proxy),
        cmocka_unit_test(test_a_share_of_packets),
        cmocka_unit_test(test_whom_it_is_for),
        cmocka_unit_test(test_words_stay_words),
        cmocka_unit_test(test_a_kind_that_is_refused_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
