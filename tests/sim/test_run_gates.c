/* SPDX-License-Identifier: Apache-2.0 */
/* What faults wait for, and what becomes of those that wait in vain. */
#include "promise.h"

/* a is due at 5 s of the load, which begins after 2 s; its condition comes about at 12 s. */
static void a_fault_waits_for_its_condition(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    add_gate_probe(&world, 3, 14);
    wait_for_gate(&world, 0, 20);
    bind_fault(&world, 2, NULL, "a");
    world.plan.faults[2].at = base_dur_s(18); /* 5 s after a by plan */
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
    int64_t waited = world.faults[0].applied_at - world.load_started_at - 5 * SECOND;
    assert_in_range(world.faults[0].applied_at, START + 14 * SECOND,
                    START + 15 * SECOND + SECOND / 2);
    assert_int_equal(world_count(&world, "fault.waiting"), 1);
    /* Once a second since its turn came, and not before; not any more when it held. */
    assert_in_range(world.probed_first[GATE], world.load_started_at + 5 * SECOND,
                    world.load_started_at + 5 * SECOND + SECOND / 10);
    assert_true(world.probed_last[GATE] <= world.faults[0].applied_at);
    assert_in_range(world.probed[GATE], 6, 10);
    /* What follows moves back as much, what does not stays where it was. */
    assert_in_range(world.faults[2].applied_at - world.load_started_at,
                    18 * SECOND + waited - SECOND / 10, 18 * SECOND + waited + SECOND / 10);
    assert_in_range(world.faults[1].applied_at - world.load_started_at, 15 * SECOND,
                    15 * SECOND + SECOND / 10);
    /* Its phase begins when it does: b's came in between, c's is the last. */
    assert_string_equal(world.told, "a b after-b c after-c ");
    world_fini(&world);
}

/* The stages' phases go on until the fault's turn has come, and are in the record; the generator
 * has them by itself, and is told of what the faults make of it. */
static void stages_name_phases_until_a_fault_comes(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    add_gate_probe(&world, 3, 14); /* a's turn is at 12 s of the load */
    wait_for_gate(&world, 0, 20);
    struct load_spec *load = &world.plan.load;
    load_spec_add_phase(load, base_dur_s(0), "warm-up");
    load_spec_add_phase(load, base_dur_s(3), "steady");
    load_spec_add_phase(load, base_dur_s(8), "peak");
    load_spec_add_phase(load, base_dur_s(30), "cool-down"); /* hidden by faults */
    world_run(&world);
    assert_promise(&world);
    assert_string_equal(world.told, "a b c after-c ");
    assert_int_equal(world_count(&world, "phase.changed"), 3 + 4);
    world_fini(&world);
}

static void a_condition_that_does_not_come_about_ends_the_run(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    add_gate_probe(&world, 3, 3000);
    wait_for_gate(&world, 1, 2); /* c is not due by then */
    world_run(&world);
    assert_promise(&world);
    const struct run_outcome *outcome = run_get_outcome(world.run);
    assert_int_equal(outcome->aborted, RUN_ABORT_FAULT);
    assert_non_null(strstr(outcome->why, "probe gate, which did not hold within 2s: refused"));
    assert_int_equal(world_count(&world, "fault.unmet"), 1);
    assert_int_equal(world_count(&world, "fault.requested"), 1);
    assert_in_range(world.finished_at - world.load_started_at, 17 * SECOND, 20 * SECOND);
    world_fini(&world);
}

/* What was answered before its turn came says nothing about now. */
static void an_old_answer_opens_no_gate(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    add_gate_probe(&world, 15, 25); /* a, at 7 s, sees it hold; b, at 17 s, does not */
    wait_for_gate(&world, 0, 5);
    wait_for_gate(&world, 1, 15);
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
    assert_true(world.faults[0].applied_at < START + 8 * SECOND);
    assert_true(world.faults[1].applied_at >= START + 25 * SECOND);
    world_fini(&world);
}

/* a only if it holds at 7 s, b only unless it holds at 17 s, c unless it holds at 20 s. */
static void branches_are_taken_by_what_the_probe_says_then(void **state)
{
    (void)state;
    static const struct {
        int fails_from, fails_until;
        bool taken[WORLD_FAULTS];
        const char *phases;
    } cases[] = {
        {3000, 3001, {true, false, false}, "a after-a "},
        {3, 3000, {false, true, true}, "b c after-c "},
        {10, 19, {true, true, false}, "a after-a b after-b "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world;
        world_init(&world);
        add_gate_probe(&world, cases[i].fails_from, cases[i].fails_until);
        gate_of(&world, 0)->only_if = base_str_dup("gate");
        gate_of(&world, 1)->unless = base_str_dup("gate");
        gate_of(&world, 2)->unless = base_str_dup("gate");
        world_run(&world);
        assert_promise(&world);
        assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
        size_t taken = 0;
        for (size_t k = 0; k < WORLD_FAULTS; k++) {
            assert_int_equal(world.faults[k].applied, cases[i].taken[k]);
            taken += cases[i].taken[k] ? 1 : 0;
        }
        assert_int_equal(world_count(&world, "fault.requested"), taken);
        assert_int_equal(world_count(&world, "fault.skipped"), WORLD_FAULTS - taken);
        assert_string_equal(world.told, cases[i].phases);
        assert_int_equal(world.probed[GATE], 3); /* once for each */
        world_fini(&world);
    }
}

/* Of two opposite branches at one time exactly one is taken, by one and the same answer. */
static void opposite_branches_never_both(void **state)
{
    (void)state;
    for (int fails_from = 5; fails_from < 10; fails_from++) {
        struct world world;
        world_init(&world);
        add_gate_probe(&world, fails_from, 3000);
        world.plan.faults[1].at = world.plan.faults[0].at;
        gate_of(&world, 0)->only_if = base_str_dup("gate");
        gate_of(&world, 1)->unless = base_str_dup("gate");
        world_run(&world);
        assert_promise(&world);
        assert_int_not_equal(world.faults[0].applied, world.faults[1].applied);
        assert_int_equal(world.faults[0].applied, fails_from > 7);
        world_fini(&world);
    }
}

/* c depends on what was seen during b, from 17 s to 25 s. */
static void a_branch_by_what_was_seen_during_another_fault(void **state)
{
    (void)state;
    static const struct {
        int fails_from, fails_until;
        double at_least;
        bool taken;
    } cases[] = {
        {3000, 3001, 1, true}, {20, 22, 1, false}, {20, 22, 0.5, true}, {18, 24, 0.5, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world;
        world_init(&world);
        add_gate_probe(&world, cases[i].fails_from, cases[i].fails_until);
        world.plan.probes[DURING].at_least = cases[i].at_least;
        bind_fault(&world, 2, NULL, "b");
        world.plan.faults[2].at = base_dur_s(24);
        gate_of(&world, 2)->only_if = base_str_dup("during");
        world_run(&world);
        assert_promise(&world);
        assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
        assert_int_equal(world.faults[2].applied, cases[i].taken);
        world_fini(&world);
    }
}

static void a_branch_on_what_was_never_asked_ends_the_run(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    add_gate_probe(&world, 3000, 3001);
    gate_of(&world, 0)->only_if = base_str_dup("during"); /* of b, which comes later */
    world_run(&world);
    assert_promise(&world);
    const struct run_outcome *outcome = run_get_outcome(world.run);
    assert_int_equal(outcome->aborted, RUN_ABORT_FAULT);
    assert_non_null(strstr(outcome->why, "probe during, which was never asked"));
    assert_int_equal(world_count(&world, "fault.requested"), 0);
    world_fini(&world);
}

/* b is suspended while a, which is slow to go, is in force; c has a condition of its own. */
static void a_suspended_run_stands_still(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.plan.faults[1].at = base_dur_s(10); /* a ends at 13 s */
    world.plan.load.duration = world.plan.duration = base_dur_s(60);
    gate_of(&world, 1)->suspend = base_dur_s(30);
    world.operator_after = 9 * SECOND;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
    assert_int_equal(world_count(&world, "run.suspended"), 1);
    assert_int_equal(world_count(&world, "run.continued"), 1);
    assert_true(world.suspended_at >= world.faults[0].reverted_at);
    assert_in_range(world.continued_at - world.suspended_at, 9 * SECOND, 9 * SECOND + 1);
    assert_in_range(world.faults[1].applied_at, world.continued_at,
                    world.continued_at + SECOND / 10);
    /* c keeps its distance from b: the run stood still since b was due. */
    assert_in_range(world.faults[2].applied_at - world.faults[1].applied_at,
                    8 * SECOND - SECOND / 10, 8 * SECOND + SECOND / 10);
    assert_int_equal(world_count(&world, "load.interval"), 60); /* the load goes on */
    world_fini(&world);
}

/* b's turn has come, but a is slow to leave its target; c, by an operator, is due meanwhile. */
static void what_could_not_begin_waits_for_the_operator_too(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.plan.load.duration = world.plan.duration = base_dur_s(60);
    bind_fault(&world, 0, "users-1", NULL);
    bind_fault(&world, 1, "users-1", NULL);
    world.slow_gone = 6 * SECOND; /* from 13 s on */
    world.plan.faults[2].at = base_dur_s(16);
    gate_of(&world, 2)->suspend = base_dur_s(30);
    world.operator_after = 5 * SECOND;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
    assert_true(world.suspended_at >= world.faults[0].reverted_at + 6 * SECOND);
    assert_true(world.suspended_at < world.faults[0].reverted_at + 8 * SECOND);
    assert_true(world.faults[1].applied_at >= world.continued_at);
    assert_true(world.faults[2].applied_at >= world.continued_at);
    world_fini(&world);
}

static void nobody_continues_a_suspended_run(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    gate_of(&world, 1)->suspend = base_dur_s(6);
    world_run(&world);
    assert_promise(&world);
    const struct run_outcome *outcome = run_get_outcome(world.run);
    assert_int_equal(outcome->aborted, RUN_ABORT_OPERATOR);
    assert_string_equal(outcome->why,
                        "suspended before fault b, and nobody continued it within 6s");
    assert_int_equal(world_count(&world, "fault.requested"), 1);
    assert_in_range(world.finished_at - world.load_started_at, 21 * SECOND, 25 * SECOND);
    world_fini(&world);
}

/* Continuing is not something that can be done in advance. */
static void who_continues_too_early_is_not_heard(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    gate_of(&world, 1)->suspend = base_dur_s(6);
    world.operator_calls_at = 10 * SECOND;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(world.continued_at, 0);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_ABORT_OPERATOR);
    world_fini(&world);
}

/* What waits for its condition when the run is suspended waits for as long as it would have. */
static void a_pause_is_no_waiting(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.plan.load.duration = world.plan.duration = base_dur_s(60);
    add_gate_probe(&world, 3, 25);
    wait_for_gate(&world, 0, 10); /* from 7 s on; 5 s of it are gone when b is due */
    world.plan.faults[1].at = base_dur_s(10);
    gate_of(&world, 1)->suspend = base_dur_s(30);
    world.operator_after = 20 * SECOND;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
    assert_true(world.faults[0].applied_at >= world.continued_at);
    assert_in_range(world.probed[GATE], 6, 9); /* nobody is asked while it stands still */
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_waits_for_its_condition),
        cmocka_unit_test(stages_name_phases_until_a_fault_comes),
        cmocka_unit_test(a_condition_that_does_not_come_about_ends_the_run),
        cmocka_unit_test(an_old_answer_opens_no_gate),
        cmocka_unit_test(branches_are_taken_by_what_the_probe_says_then),
        cmocka_unit_test(opposite_branches_never_both),
        cmocka_unit_test(a_branch_by_what_was_seen_during_another_fault),
        cmocka_unit_test(a_branch_on_what_was_never_asked_ends_the_run),
        cmocka_unit_test(a_suspended_run_stands_still),
        cmocka_unit_test(what_could_not_begin_waits_for_the_operator_too),
        cmocka_unit_test(nobody_continues_a_suspended_run),
        cmocka_unit_test(who_continues_too_early_is_not_heard),
        cmocka_unit_test(a_pause_is_no_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
