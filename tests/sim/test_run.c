/* SPDX-License-Identifier: Apache-2.0 */
/* The runner against a world in memory: see world.h. */
#include "promise.h"

static void all_well(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
    assert_false(run_get_outcome(world.run)->unclean);
    assert_int_equal(world_count(&world, "fault.active"), 3);
    assert_int_equal(world_count(&world, "fault.gone"), 3);
    assert_int_equal(world_count(&world, "phase.changed"), 6);
    assert_int_equal(world_count(&world, "query.done"), 3);
    assert_int_equal(world_count(&world, "load.interval"), 40);
    /* Each told in its turn, but for the first, which it has from the plan. */
    assert_string_equal(world.told, "a after-a b c after-c ");
    /* Renewed all along: each fault lasted its 8 to 10 seconds, far beyond its lease of 3. */
    for (size_t i = 0; i < WORLD_FAULTS; i++) {
        int64_t lasted = world.faults[i].reverted_at - world.faults[i].applied_at;
        assert_in_range(lasted, 7 * SECOND + SECOND / 2, 11 * SECOND);
    }
    assert_true(world_position(&world, "steady.checked") < world_position(&world, "load.started"));
    world_fini(&world);
}

/* The issue's own words: an agent that dies at every step. */
static void agent_dies_at_every_step(void **state)
{
    (void)state;
    static const int64_t back[] = {-1, 0, SECOND / 2, 2 * SECOND, 10 * SECOND};
    int deaths = 0;
    for (int mode = DIE_BEFORE_WORK; mode <= DIE_STOPPED; mode++) {
        for (size_t b = 0; b < sizeof back / sizeof back[0]; b++) {
            for (int at = 0; at < 60; at++) {
                struct world world;
                world_init(&world);
                world.death = (enum world_death)mode;
                world.death_step = at;
                world.agent_back_after = back[b];
                world_run(&world);
                assert_promise(&world);
                const struct run_outcome *outcome = run_get_outcome(world.run);
                bool died = world.requests > at;
                deaths += died ? 1 : 0;
                if (!died)
                    assert_int_equal(outcome->aborted, RUN_NOT_ABORTED);
                world_fini(&world);
            }
        }
    }
    assert_true(deaths > 300);
}

static void a_lost_agent_is_named_and_ends_the_run(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.death = DIE_BEFORE_WORK;
    world.death_step = 3; /* a renewal of the first fault */
    world.agent_back_after = 6 * SECOND;
    world_run(&world);
    assert_promise(&world);
    const struct run_outcome *outcome = run_get_outcome(world.run);
    assert_int_equal(outcome->aborted, RUN_ABORT_TOOL);
    assert_false(outcome->unclean); /* it came back, replayed its journal and said so */
    assert_int_equal(world_count(&world, "agent.lost"), 1);
    assert_int_equal(world_count(&world, "fault.gone"), 1);
    assert_int_equal(world_count(&world, "fault.requested"), 1);
    world_fini(&world);
}

static void an_agent_that_forgot_leaves_an_unclean_run(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.death = DIE_BEFORE_WORK;
    world.death_step = 3;
    world.agent_back_after = SECOND;
    world.journal_lost = true;
    world_run(&world);
    assert_promise(&world);
    assert_true(run_get_outcome(world.run)->unclean);
    world_fini(&world);
}

static void signals_at_any_moment(void **state)
{
    (void)state;
    for (int64_t at = 0; at < 50 * SECOND; at += 170 * BASE_NS_PER_MS) {
        struct world world;
        world_init(&world);
        world.signal_at = at;
        world_run(&world);
        assert_promise(&world);
        const struct run_outcome *outcome = run_get_outcome(world.run);
        assert_false(outcome->unclean);
        if (world.finished_at > START + at) {
            assert_int_equal(outcome->aborted, RUN_ABORT_SIGNAL);
            assert_true(world.finished_at - (START + at) < 5 * SECOND);
        }
        world_fini(&world);
    }
}

static void faults_go_before_load_on_a_signal(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.signal_at = 10 * SECOND; /* the first fault is in place since second 7 */
    world_run(&world);
    assert_promise(&world);
    assert_true(world.faults[0].applied && world.faults[0].reverted);
    assert_true(world.faults[0].reverted_at <= world.load_ended_at);
    assert_true(world.faults[0].reverted_at - (START + 10 * SECOND) < 50 * BASE_NS_PER_MS);
    assert_false(world.faults[1].applied);
    world_fini(&world);
}

static void a_second_signal_skips_questions_not_reverts(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.signal_at = 10 * SECOND;
    world.second_signal_at = 10 * SECOND + BASE_NS_PER_MS;
    world_run(&world);
    assert_promise(&world);
    assert_true(world.faults[0].reverted);
    assert_int_equal(world_count(&world, "query.done"), 0);
    world_fini(&world);
}

static void a_full_disk_at_any_event_reverts_first(void **state)
{
    (void)state;
    for (int at = 0; at < 75; at++) {
        struct world world;
        world_init(&world);
        world.disk_full_at = at;
        world_run(&world);
        assert_promise(&world);
        const struct run_outcome *outcome = run_get_outcome(world.run);
        assert_true(outcome->evidence_lost);
        assert_false(outcome->unclean);
        for (size_t i = 0; i < WORLD_FAULTS; i++) {
            if (world.faults[i].applied)
                assert_true(world.faults[i].reverted);
        }
        world_fini(&world);
    }
}

static void a_dead_generator_ends_the_run(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.load_dies_at = 12 * SECOND;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_ABORT_TOOL);
    world_fini(&world);
}

/* Nobody would see what the fault does, and no guard could end it. */
static void a_generator_that_hangs_ends_the_run_at_once(void **state)
{
    (void)state;
    for (int64_t at = 2 * SECOND; at < 40 * SECOND; at += 3 * SECOND) {
        struct world world;
        world_init(&world);
        world.load_hangs_at = at;
        world_run(&world);
        assert_promise(&world);
        assert_int_equal(run_get_outcome(world.run)->aborted, RUN_ABORT_TOOL);
        for (size_t i = 0; i < WORLD_FAULTS; i++)
            if (world.faults[i].applied)
                assert_true(world.faults[i].reverted_at < START + at + 9 * SECOND);
        world_fini(&world);
    }
}

/* The window that is judged begins before the load, however long a fault outlives it. */
static void prometheus_is_asked_for_the_whole_window(void **state)
{
    (void)state;
    for (int64_t slow = 0; slow <= 15 * SECOND; slow += 5 * SECOND) {
        struct world world;
        world_init(&world);
        world.slow_gone = slow;
        world_run(&world);
        assert_promise(&world);
        assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
        assert_true(world.queried_from <= world.load_started_at - 2 * SECOND);
        world_fini(&world);
    }
}

static void a_latency_guard_trips_when_nobody_answers(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.error_share = 1;
    assert_true(expectation_parse("p99 > 100ms", &world.plan.aborts[0].when, NULL));
    world_run(&world);
    assert_promise(&world);
    const struct run_outcome *outcome = run_get_outcome(world.run);
    assert_int_equal(outcome->aborted, RUN_ABORT_GUARD);
    assert_non_null(strstr(outcome->why, "no answer to any request"));
    world_fini(&world);
}

static void a_generator_that_ignores_stop_is_killed(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.signal_at = 10 * SECOND;
    world.load_ignores_stop = true;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_ABORT_SIGNAL);
    assert_true(world.load_ended_at - (START + 10 * SECOND) < 10 * SECOND);
    world_fini(&world);
}

static void no_steady_state_no_experiment(void **state)
{
    (void)state;
    for (int check = 0; check < 3; check++) { /* the plan's, the scrapes for its SLO, the agent */
        struct world world;
        world_init(&world);
        world.failing_check = check;
        world_run(&world);
        assert_promise(&world);
        assert_int_equal(run_get_outcome(world.run)->aborted, RUN_ABORT_GUARD);
        assert_int_equal(world_count(&world, "load.started"), 0);
        assert_int_equal(world.requests, 0);
        world_fini(&world);
    }
}

static void the_abort_condition_waits_for_its_window(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.error_share = 0.61;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_ABORT_GUARD);
    assert_in_range(world_count(&world, "load.interval"), 3, 5);
    world_fini(&world);

    world_init(&world);
    world.error_share = 0.60; /* not above 60 % */
    world_run(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
    world_fini(&world);
}

static void halt_from_elsewhere_is_understood(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.halt_at = 10 * SECOND;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_ABORT_HALT);
    assert_false(run_get_outcome(world.run)->unclean);
    world_fini(&world);
}

static void prometheus_that_hangs_does_not_hang_the_run(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    world.queries_hang = true;
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
    assert_int_equal(world_count(&world, "query.done"), 0);
    world_fini(&world);
}

/* Everything at once, at random: the promise holds all the same. */
static void anything_may_happen(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct world world;
        world_init(&world);
        base_rng_seed(&world.rng, seed);
        struct base_rng *rng = &world.rng;
        add_probes(&world.plan);
        bind_fault(&world, 1, NULL, base_rng_below(rng, 2) == 0 ? "a" : NULL);
        bind_fault(&world, 2, NULL, base_rng_below(rng, 2) == 0 ? "b" : NULL);
        world.death = (enum world_death)base_rng_below(rng, 4);
        world.slow_gone = (int64_t)base_rng_below(rng, 4) * 3 * SECOND;
        world.load_hangs_at =
            base_rng_below(rng, 6) == 0 ? (int64_t)base_rng_below(rng, 45) * SECOND : -1;
        world.death_step = (int)base_rng_below(rng, 40);
        world.agent_back_after = (int64_t)base_rng_below(rng, 12) * SECOND - SECOND;
        world.journal_lost = base_rng_below(rng, 4) == 0;
        world.disk_full_at = (int)base_rng_below(rng, 4) == 0 ? (int)base_rng_below(rng, 60) : -1;
        world.signal_at =
            base_rng_below(rng, 3) == 0 ? (int64_t)base_rng_below(rng, 45) * SECOND : -1;
        world.halt_at =
            base_rng_below(rng, 4) == 0 ? (int64_t)base_rng_below(rng, 45) * SECOND : -1;
        world.load_dies_at =
            base_rng_below(rng, 4) == 0 ? (int64_t)base_rng_below(rng, 45) * SECOND : -1;
        world.load_ignores_stop = base_rng_below(rng, 4) == 0;
        world.stuck[base_rng_below(rng, 3)] = base_rng_below(rng, 6) == 0;
        world.ineffective[base_rng_below(rng, 3)] = base_rng_below(rng, 6) == 0;
        world.queries_hang = base_rng_below(rng, 4) == 0;
        world.error_share = base_rng_below(rng, 5) == 0 ? 0.9 : 0.0;
        add_gates_at_random(&world);
        world_run(&world);
        const char *broken = broken_promise(&world);
        if (broken != NULL)
            fail_msg("seed %llu: %s", (unsigned long long)seed, broken);
        world_fini(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_well),
        cmocka_unit_test(agent_dies_at_every_step),
        cmocka_unit_test(a_lost_agent_is_named_and_ends_the_run),
        cmocka_unit_test(an_agent_that_forgot_leaves_an_unclean_run),
        cmocka_unit_test(signals_at_any_moment),
        cmocka_unit_test(faults_go_before_load_on_a_signal),
        cmocka_unit_test(a_second_signal_skips_questions_not_reverts),
        cmocka_unit_test(a_full_disk_at_any_event_reverts_first),
        cmocka_unit_test(a_dead_generator_ends_the_run),
        cmocka_unit_test(a_generator_that_hangs_ends_the_run_at_once),
        cmocka_unit_test(prometheus_is_asked_for_the_whole_window),
        cmocka_unit_test(a_latency_guard_trips_when_nobody_answers),
        cmocka_unit_test(a_generator_that_ignores_stop_is_killed),
        cmocka_unit_test(no_steady_state_no_experiment),
        cmocka_unit_test(the_abort_condition_waits_for_its_window),
        cmocka_unit_test(halt_from_elsewhere_is_understood),
        cmocka_unit_test(prometheus_that_hangs_does_not_hang_the_run),
        cmocka_unit_test(anything_may_happen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
