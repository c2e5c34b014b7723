/* SPDX-License-Identifier: Apache-2.0 */
/* What is right of a broker's cluster around a node that is cut off; the first of the nodes is that
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "failover_rabbit.h"

enum { NODES = 3 };

static struct failover_node nodes[NODES];
static char names[NODES][8] = {"a", "b", "c"};

static void says(int i, const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_true(failover_rabbit_read(json, &nodes[i].view));
    nodes[i].view.answered = true;
    json_decref(json);
}

#define RUNS(name)     "{\"name\":\"rabbit@" name "\",\"running\":true,\"partitions\":[]}"
#define RUNS_NOT(name) "{\"name\":\"rabbit@" name "\",\"running\":false}"
#define PARTED(name, of)                                                                           \
    "{\"name\":\"rabbit@" name "\",\"running\":true,\"partitions\":[\"" of "\"]}"
#define ALL       "[" RUNS("a") "," RUNS("b") "," RUNS("c") "]"
#define WITHOUT_A "[" RUNS_NOT("a") "," RUNS("b") "," RUNS("c") "]"

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < NODES; i++) {
        nodes[i] = (struct failover_node){.target.name = names[i], .view = {.why = "refused"}};
        (void)snprintf(nodes[i].view.name, sizeof nodes[i].view.name, "rabbit@%s", names[i]);
        says(i, ALL);
    }
    return 0;
}

static void silent(int i)
{
    nodes[i].view.answered = false;
}

static struct failover_verdict verdict_at(enum fault_step step)
{
    struct failover_verdict verdict = {0};
    failover_rabbitmq.judge[step](nodes, NODES, &verdict);
    assert_int_equal(verdict.count, NODES);
    return verdict;
}

static void assert_wrong(enum fault_step step, const char *error)
{
    struct failover_verdict verdict = verdict_at(step);
    bool shown = false;
    assert_false(verdict.ok);
    if (strstr(verdict.error, error) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", error, verdict.error);
    for (size_t i = 0; i < verdict.count; i++)
        shown = shown || !verdict.lines[i].ok;
    assert_true(shown); /* the evidence says so, too */
}

static void test_what_is_no_list_of_nodes(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}", "[]", "[{\"running\":true}]", "[1]"};
    struct failover_view view = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *json = json_loads(texts[i], 0, NULL);
        assert_false(failover_rabbit_read(json, &view));
        json_decref(json);
    }
}

static void test_before_somebody_sees_it_run(void **state)
{
    (void)state;
    assert_true(verdict_at(FAULT_STEP_PREPARE).ok);
    silent(2);
    assert_true(verdict_at(FAULT_STEP_PREPARE).ok);
    silent(1);
    assert_wrong(FAULT_STEP_PREPARE, "no other node of the cluster of a answers");
    silent(0);
    assert_wrong(FAULT_STEP_PREPARE, "a does not answer: refused");
}

static void test_before_no_stranger_and_no_partition(void **state)
{
    (void)state;
    says(1, "[" RUNS("z") "]");
    assert_wrong(FAULT_STEP_PREPARE, "b (rabbit@b) is no other node of the cluster of rabbit@a");
    says(1, "[" RUNS("a") "," PARTED("b", "rabbit@c") "," RUNS("c") "]");
    assert_wrong(FAULT_STEP_PREPARE, "rabbit@b is parted from rabbit@c");
}

static void test_during_all_that_answer_see_it_gone(void **state)
{
    (void)state;
    assert_wrong(FAULT_STEP_VERIFY, "a still answers");
    silent(0);
    assert_wrong(FAULT_STEP_VERIFY, "b did not see rabbit@a go");
    says(1, WITHOUT_A);
    assert_wrong(FAULT_STEP_VERIFY, "c did not see rabbit@a go");
    silent(2);
    assert_true(verdict_at(FAULT_STEP_VERIFY).ok);
    silent(1);
    assert_wrong(FAULT_STEP_VERIFY, "the cluster did not go on without it");
}

static void test_after_all_see_all(void **state)
{
    (void)state;
    assert_true(verdict_at(FAULT_STEP_VERIFY_GONE).ok);
    says(2, WITHOUT_A);
    assert_wrong(FAULT_STEP_VERIFY_GONE, "in the eyes of c rabbit@a does not run");
    says(2, ALL);
    silent(1);
    assert_wrong(FAULT_STEP_VERIFY_GONE, "b does not answer: refused");
    says(0, "[" PARTED("a", "rabbit@b") "," RUNS("b") "," RUNS("c") "]");
    assert_wrong(FAULT_STEP_VERIFY_GONE, "RabbitMQ reports a partition: rabbit@a is parted from");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_what_is_no_list_of_nodes, set_up),
        cmocka_unit_test_setup(test_before_somebody_sees_it_run, set_up),
        cmocka_unit_test_setup(test_before_no_stranger_and_no_partition, set_up),
        cmocka_unit_test_setup(test_during_all_that_answer_see_it_gone, set_up),
        cmocka_unit_test_setup(test_after_all_see_all, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
