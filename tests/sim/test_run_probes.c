/* SPDX-License-Identifier: Apache-2.0 */
/* Probes are asked when they are meant to be. */
#include "promise.h"

static void each_probe_is_asked_in_its_time(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    add_probes(&world.plan);
    world_run(&world);
    assert_promise(&world);
    assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
    const int64_t load = world.load_started_at;
    assert_true(world.probed[BEFORE] > 2 && world.probed_last[BEFORE] < load);
    assert_in_range(world.probed[CONTINUOUS], 39, 41);
    assert_true(world.probed_first[CONTINUOUS] >= load);
    assert_true(world.probed_last[CONTINUOUS] <= world.load_ended_at);
    assert_in_range(world.probed[DURING], 7, 9);
    assert_true(world.probed_first[DURING] >= load + 15 * SECOND);
    assert_true(world.probed_last[DURING] <= load + 23 * SECOND + SECOND / 2);
    assert_int_equal(world.probed[AFTER], 1); /* it held at once */
    assert_true(world.probed_first[AFTER] >= world.load_ended_at);
    /* Each answered the same all the time. */
    assert_int_equal(world_count(&world, "probe.changed"), 3);
    world_fini(&world);
}

static void what_comes_after_is_waited_for_but_not_for_ever(void **state)
{
    (void)state;
    static const struct {
        int64_t fails_until, least, most;
    } cases[] = {{50, 5, 9}, {3000, 12, 13}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world world;
        world_init(&world);
        add_probes(&world.plan);
        world.probe_fails_from = 38 * SECOND;
        world.probe_fails_until = cases[i].fails_until * SECOND;
        world_run(&world);
        assert_promise(&world);
        assert_int_equal(run_get_outcome(world.run)->aborted, RUN_NOT_ABORTED);
        assert_in_range(world.probed[AFTER], cases[i].least, cases[i].most);
        assert_true(world.finished_at < world.load_ended_at + 16 * SECOND);
        world_fini(&world);
    }
}

static void what_comes_before_must_hold(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    add_probes(&world.plan);
    world.probe_fails_from = 0;
    world.probe_fails_until = 3000 * SECOND;
    world_run(&world);
    assert_promise(&world);
    const struct run_outcome *outcome = run_get_outcome(world.run);
    assert_int_equal(outcome->aborted, RUN_ABORT_GUARD);
    assert_non_null(strstr(outcome->why, "before: refused"));
    assert_int_equal(world_count(&world, "load.started"), 0);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_probe_is_asked_in_its_time),
        cmocka_unit_test(what_comes_after_is_waited_for_but_not_for_ever),
        cmocka_unit_test(what_comes_before_must_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
