/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of stores: how answers compare, and what scenarios may ask. */
#include "answer.h"
#include "base/cleanup.h"
#include "fixture.h"

static void test_answers_compare(void **state)
{
    (void)state;
    static const struct {
        const char *found;
        enum plan_compare compare;
        const char *expected;
        const char *trouble; /* NULL: it holds */
    } cases[] = {
        {"10", PLAN_EQUAL, "10", NULL},
        {"10", PLAN_EQUAL, "10.0", NULL}, /* numbers, however they are written */
        {"10", PLAN_EQUAL, "1", "x: \"10\", expected == \"1\""},
        {"t", PLAN_EQUAL, "t", NULL},
        {"t", PLAN_EQUAL, "true", "x: \"t\", expected == \"true\""},
        {"", PLAN_EQUAL, "", NULL},
        {"10", PLAN_NOT_EQUAL, "10", "x: \"10\", expected != \"10\""},
        {"a", PLAN_NOT_EQUAL, "b", NULL},
        {"9", PLAN_LESS, "10", NULL}, /* not by their letters */
        {"10", PLAN_LESS, "10", "x: \"10\", expected < \"10\""},
        {"10", PLAN_AT_MOST, "10", NULL},
        {"10.5", PLAN_AT_MOST, "10", "x: \"10.5\", expected <= \"10\""},
        {"-1", PLAN_MORE, "-2", NULL},
        {"-2", PLAN_MORE, "-2", "x: \"-2\", expected > \"-2\""},
        {"-2", PLAN_AT_LEAST, "-2", NULL},
        {"-3", PLAN_AT_LEAST, "-2", "x: \"-3\", expected >= \"-2\""},
        {"many", PLAN_AT_LEAST, "1", "x: \"many\" is no number, expected >= 1"},
        {"nan", PLAN_AT_LEAST, "1", "x: \"nan\" is no number, expected >= 1"},
        {NULL, PLAN_NOT_EQUAL, "1", "x: there is none, expected != 1"}, /* nothing is no answer */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BASE_AUTO_FREE char *trouble =
            answer_trouble("x", cases[i].found, cases[i].compare, cases[i].expected);
        if (!base_str_eq(trouble, cases[i].trouble))
            fail_msg("case %zu: %s", i, trouble != NULL ? trouble : "it holds");
    }
    assert_true(answer_can_compare(PLAN_NOT_EQUAL, "x"));
    assert_true(answer_can_compare(PLAN_LESS, "1e3"));
    assert_false(answer_can_compare(PLAN_LESS, "x"));
}

#define WITH(probe) HEAD "  duration: 20s\n" LOAD "  probes:\n    - {name: p, " probe "}\n"

static void test_stores_are_planned(void **state)
{
    (void)state;
    struct topo topo = platform(TOPO_NETNS);
    struct plan plan =
        planned(WITH("sql: {service: postgres, user: me, passwordFile: /pw, database: users, "
                     "query: 'SELECT 1', rows: 1, compare: '>='}"),
                &topo, &plain);
    const struct plan_probe *sql = &plan.probes[0];
    assert_int_equal(sql->sql.store.target_count, 1);
    assert_string_equal(sql->sql.store.targets[0].address, "10.0.2.1");
    assert_int_equal(sql->sql.store.targets[0].port, 3000); /* as the platform says */
    assert_string_equal(sql->sql.store.user, "me");
    assert_string_equal(sql->sql.store.password_file, "/pw");
    assert_int_equal(sql->sql.rows, 1);
    assert_int_equal(sql->sql.compare, PLAN_AT_LEAST);
    plan_fini(&plan);
    plan = planned(WITH("sql: {service: postgres, passwordFile: a/pw, query: 'SELECT 1'}"), &topo,
                   &plain);
    assert_string_equal(plan.probes[0].sql.store.password_file, "/s/a/pw");
    plan_fini(&plan);
    plan =
        planned(WITH("redis: {address: '[::1]:6379', command: [GET, k], reply: v}"), &topo, &plain);
    struct base_error err;
    struct plan again;
    json_t *json = plan_to_json(&plan);
    assert_true(plan_from_json(json, &again, &err));
    json_decref(json);
    const struct plan_probe *redis = &again.probes[0];
    assert_string_equal(redis->redis.store.targets[0].address, "::1");
    assert_int_equal(redis->redis.store.targets[0].port, 6379);
    assert_int_equal(redis->redis.command_count, 2);
    assert_string_equal(redis->redis.command[1], "k");
    assert_string_equal(redis->redis.reply, "v");
    assert_null(redis->redis.store.user);
    plan_fini(&again);
    plan_fini(&plan);
    topo_fini(&topo);
}

static void test_what_stores_are_not_asked(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {WITH("sql: {query: 'SELECT 1'}"), "expected either service or address"},
        {WITH("sql: {service: postgres, address: '1.2.3.4:5', query: 'SELECT 1'}"),
         "expected either service or address"},
        {WITH("sql: {address: 'localhost:5432', query: 'SELECT 1'}"), "is no address with a port"},
        {WITH("sql: {address: '1.2.3.4', query: 'SELECT 1'}"), "is no address with a port"},
        {WITH("sql: {address: '1.2.3.4:70000', query: 'SELECT 1'}"), "is no address with a port"},
        {WITH("sql: {address: '[1.2.3.4]:5432', query: 'SELECT 1'}"), "is no address with a port"},
        {WITH("sql: {service: postgres, query: 'SELECT 1', rows: 1, value: '1'}"),
         "beside \"value\""},
        {WITH("sql: {service: postgres, query: 'SELECT 1', compare: '<'}"),
         "nothing to compare with"},
        {WITH("sql: {service: postgres, query: 'SELECT 1', value: x, compare: '<'}"),
         "\"x\" is no number"},
        {WITH("sql: {service: postgres}"), "query: this key is missing"},
        {WITH("sql: {service: postgres, password: x, query: 'SELECT 1'}"), "unknown key"},
        {WITH("redis: {address: '1.2.3.4:5', command: []}"), "at least 1 element"},
        {WITH("redis: {address: '1.2.3.4:5', command: [auth, secret]}"), "expected passwordFile"},
        {WITH("redis: {address: '1.2.3.4:5', command: [HELLO, '3']}"), "expected passwordFile"},
        {WITH("redis: {address: '1.2.3.4:5', command: [PING], compare: '>'}"),
         "nothing to compare with"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BASE_AUTO_FREE char *list = complaints(cases[i].text, strlen(cases[i].text));
        assert_contains(list, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_compare),
        cmocka_unit_test(test_stores_are_planned),
        cmocka_unit_test(test_what_stores_are_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
