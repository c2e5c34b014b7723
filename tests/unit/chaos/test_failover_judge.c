/* SPDX-License-Identifier: Apache-2.0 */
/* What is right of a cluster around a primary that is cut off; the first node is that one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "failover.h"

enum { NODES = 3 };

static struct failover_node nodes[NODES];

static char names[NODES][8] = {"a", "b", "c"};

static void primary(int i)
{
    nodes[i] = (struct failover_node){
        .target.name = names[i],
        .view = {.answered = true, .role = FAILOVER_PRIMARY, .writes = true, .history = "one"}};
}

static void follower(int i)
{
    nodes[i] = (struct failover_node){
        .target.name = names[i], .view = {.answered = true, .follows = true, .history = "one"}};
}

static void silent(int i)
{
    nodes[i] = (struct failover_node){.target.name = names[i], .view = {.why = "refused"}};
}

static int set_up(void **state)
{
    (void)state;
    primary(0);
    follower(1);
    follower(2);
    return 0;
}

static struct failover_verdict verdict_of(failover_judge *judge)
{
    struct failover_verdict verdict = {0};
    judge(nodes, NODES, &verdict);
    assert_int_equal(verdict.count, NODES);
    assert_int_equal(verdict.ok, verdict.error[0] == '\0');
    return verdict;
}

static void assert_wrong(failover_judge *judge, const char *error)
{
    struct failover_verdict verdict = verdict_of(judge);
    bool shown = false;
    if (strstr(verdict.error, error) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", error, verdict.error);
    for (size_t i = 0; i < verdict.count; i++)
        shown = shown || !verdict.lines[i].ok;
    assert_true(shown); /* the evidence says so, too */
}

static void test_before_one_that_follows_is_enough(void **state)
{
    (void)state;
    assert_true(verdict_of(failover_judge_before).ok);
    silent(1);
    assert_true(verdict_of(failover_judge_before).ok);
}

static void test_before_nobody_could_take_over(void **state)
{
    (void)state;
    silent(1);
    nodes[2].view.follows = false;
    assert_wrong(failover_judge_before, "nobody could take over");
    follower(2);
    nodes[2].view.history[0] = 'x'; /* of another history */
    assert_wrong(failover_judge_before, "none of the members follows a");
}

static void test_before_the_target_is_the_primary(void **state)
{
    (void)state;
    follower(0);
    assert_wrong(failover_judge_before, "a is no primary that takes writes (follows)");
    primary(1);
    assert_wrong(failover_judge_before, "a is not the primary (follows), b is");
    primary(0);
    assert_wrong(failover_judge_before, "a and b are both primaries");
    follower(1);
    nodes[0].view.writes = false;
    assert_wrong(failover_judge_before, "a is no primary that takes writes");
    silent(0);
    assert_wrong(failover_judge_before, "no answer: refused");
}

static void test_before_silence_is_not_settled(void **state)
{
    (void)state;
    follower(0);
    assert_true(verdict_of(failover_judge_before).settled);
    silent(1);
    assert_false(verdict_of(failover_judge_before).settled);
}

static void test_during_a_member_takes_writes(void **state)
{
    (void)state;
    silent(0);
    assert_wrong(failover_judge_during, "nobody took over from a");
    primary(2);
    assert_true(verdict_of(failover_judge_during).ok);
    silent(1); /* shows nothing, ends nothing */
    assert_true(verdict_of(failover_judge_during).ok);
    nodes[2].view.writes = false;
    assert_wrong(failover_judge_during, "nobody took over from a");
    primary(0);
    assert_wrong(failover_judge_during, "a still answers");
}

static void test_after_one_leads_and_all_follow(void **state)
{
    (void)state;
    assert_true(verdict_of(failover_judge_after).ok);
    follower(0);
    primary(1);
    assert_true(verdict_of(failover_judge_after).ok);
    silent(2);
    assert_wrong(failover_judge_after, "c is not as it was: no answer: refused");
    follower(2);
    nodes[2].view.follows = false;
    assert_wrong(failover_judge_after, "while the primary is b");
    follower(2);
    nodes[2].view.history[0] = 'x'; /* of another history */
    assert_wrong(failover_judge_after, "c is not as it was");
}

static void test_after_two_lead(void **state)
{
    (void)state;
    primary(2);
    assert_wrong(failover_judge_after, "split brain: a and c are all primaries");
    nodes[2].view.writes = false; /* it is one all the same */
    assert_wrong(failover_judge_after, "split brain: a and c");
}

static void test_after_nobody_leads(void **state)
{
    (void)state;
    silent(0);
    assert_wrong(failover_judge_after, "none of them is the primary");
    primary(0);
    nodes[0].view.writes = false;
    assert_wrong(failover_judge_after, "a is not as it was: primary that takes no writes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_before_one_that_follows_is_enough, set_up),
        cmocka_unit_test_setup(test_before_nobody_could_take_over, set_up),
        cmocka_unit_test_setup(test_before_the_target_is_the_primary, set_up),
        cmocka_unit_test_setup(test_before_silence_is_not_settled, set_up),
        cmocka_unit_test_setup(test_during_a_member_takes_writes, set_up),
        cmocka_unit_test_setup(test_after_one_leads_and_all_follow, set_up),
        cmocka_unit_test_setup(test_after_two_lead, set_up),
        cmocka_unit_test_setup(test_after_nobody_leads, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
