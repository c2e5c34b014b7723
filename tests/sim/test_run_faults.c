/* SPDX-License-Identifier: Apache-2.0 */
/* Faults that do not do as planned, and faults that wait for each other. */
#include "promise.h"

static void a_fault_without_effect_ends_the_run(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.ineffective[0] = true;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_ABORT_FAULT);
    assert_int_equal(world_count(&world, "fault.active"), 0);
    world_fini(&world);
}

static void a_refused_fault_ends_the_run(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.refused[1] = true;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_ABORT_FAULT);
    assert_int_equal(world_count(&world, "fault.failed"), 1);
    assert_false(run_get_outcome(world.run)->unclean);
    world_fini(&world);
}

static void a_halt_between_two_faults_is_a_halt(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.refused[1] = true;
    world.halted = true;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_ABORT_HALT);
    assert_int_equal(world_count(&world, "fault.requested"), 2);
    assert_false(run_get_outcome(world.run)->unclean);
    world_fini(&world);
}

static void a_stuck_fault_is_unclean(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.stuck[0] = true;
    world_run(&world);
    assert_promise(&world);
    assert_true(run_get_outcome(world.run)->unclean);
    assert_int_equal(world_count(&world, "fault.stuck"), 1);
    assert_int_equal(world_count(&world, "fault.requested"), 1);
    world_fini(&world);
}

/* b is due when a ends, and a needs its time to be measured gone. */
static void assert_b_waits_for_a(struct world *world)
{
    world->plan.faults[1].at = base_dur_s(13);
    world_run(world);
    assert_promise(world);
    assert_int_equal(run_get_outcome(world->run)->aborted, RUN_NOT_ABORTED);
    assert_int_equal(world_count(world, "fault.gone"), 3);
    assert_true(world->faults[0].reverted_at > 0);
    assert_true(world->faults[1].applied_at > world->faults[0].reverted_at);
    world_fini(world);
}

static void a_fault_waits_for_the_one_that_it_follows(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    bind_fault(&world, 1, NULL, "a");
    assert_b_waits_for_a(&world);
}

static void a_fault_waits_for_its_target(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    bind_fault(&world, 0, "users-1", NULL);
    bind_fault(&world, 1, "users-1", NULL);
    assert_b_waits_for_a(&world);
}

/* What begins when nobody is there to suffer proves nothing. */
static void a_fault_that_waited_for_longer_than_the_load_fails_the_run(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    bind_fault(&world, 1, NULL, "a");
    world.plan.faults[1].at = base_dur_s(13);
    bind_fault(&world, 2, NULL, "b");
    world.plan.load.duration = base_dur_s(12);
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_ABORT_FAULT);
    assert_int_equal(world_count(&world, "fault.requested"), 1);
    world_fini(&world);
}

/* The record has them in each answer; the timeline has each once. */
static void who_comes_during_a_fault_is_told_once(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.joins[0] = true;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
    assert_in_range(world.faults[0].renewals, 3, 100);
    assert_int_equal(world_count(&world, "fault.joined"), 1);
    assert_int_equal(world_count(&world, "fault.missed"), 1);
    assert_true(world_position(&world, "fault.joined") < world_position(&world, "fault.missed"));
    assert_true(world_position(&world, "fault.missed") < world_position(&world, "fault.gone"));
    world_fini(&world);
}

/* An agent that dies while somebody is joining: the promise holds as ever. */
static void an_agent_that_dies_while_one_joins_leaves_nothing(void **state)
{
    (void)state;
    for (int step = 0; step < 12; step++) {
        for (int death = DIE_BEFORE_WORK; death <= DIE_STOPPED; death++) {
            struct world world;
            world_init(&world);
            world.joins[0] = world.joins[1] = true;
            world.death = (enum world_death)death;
            world.death_step = step;
            world.agent_back_after = 2 * BASE_NS_PER_S;
            world_run(&world);
            assert_promise(&world);
            assert_in_range(world_count(&world, "fault.joined"), 0, 2);
            world_fini(&world);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_without_effect_ends_the_run),
        cmocka_unit_test(a_refused_fault_ends_the_run),
        cmocka_unit_test(a_halt_between_two_faults_is_a_halt),
        cmocka_unit_test(a_stuck_fault_is_unclean),
        cmocka_unit_test(a_fault_waits_for_the_one_that_it_follows),
        cmocka_unit_test(a_fault_waits_for_its_target),
        cmocka_unit_test(who_comes_during_a_fault_is_told_once),
        cmocka_unit_test(an_agent_that_dies_while_one_joins_leaves_nothing),
        cmocka_unit_test(a_fault_that_waited_for_longer_than_the_load_fails_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
