/* SPDX-License-Identifier: Apache-2.0 */
/* Real workers, which only wait for their end. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crew.h"
#include "witness.h"

struct world {
    struct witness seen;
    struct fault_crew *crew;
};

static void work(void *ctx, int line, struct mono_ns deadline)
{
    (void)ctx;
    while (fault_satellite_holds(line, &deadline))
        fault_satellite_wait(line, base_mono_sub(deadline, base_mono_now()));
}

static int setup(void **out)
{
    static struct world world;
    struct base_error err = {0};
    world = (struct world){.crew = NULL};
    witness_init(&world.seen);
    struct fault_crew_spec spec = {
        .name = "squall-test",
        .run = work,
        .count = 2,
        .on_held = witness_held,
        .on_lost = witness_lost,
        .on_stopped = witness_stopped,
        .ctx = &world.seen,
    };
    world.crew = fault_crew_start(world.seen.loop, &spec, base_dur_s(20), &err);
    if (world.crew == NULL)
        fail_msg("%s", err.message);
    *out = &world;
    return 0;
}

static int teardown(void **value)
{
    struct world *world = *value;
    fault_crew_free(world->crew);
    witness_fini(&world->seen);
    return 0;
}

static void it_holds_when_every_one_does(void **value)
{
    struct world *world = *value;
    struct base_error err = {0};
    assert_false(fault_crew_holds(world->crew));
    witness_until(&world->seen, &world->seen.held);
    assert_true(fault_crew_holds(world->crew));
    assert_true(fault_crew_renew(world->crew, base_dur_s(20), &err));
    assert_false(fault_crew_holds(world->crew)); /* that deadline: not yet */
    witness_until(&world->seen, &world->seen.held);
    assert_true(fault_crew_holds(world->crew));
    assert_int_equal(world->seen.held, 2);
}

static void it_is_stopped_when_none_is_left(void **value)
{
    struct world *world = *value;
    witness_until(&world->seen, &world->seen.held);
    fault_crew_stop(world->crew);
    assert_false(fault_crew_stopped(world->crew)); /* they were only told */
    witness_until(&world->seen, &world->seen.stopped);
    assert_true(fault_crew_stopped(world->crew));
    assert_int_equal(world->seen.lost, 0);
}

static void being_lost_is_not_being_stopped(void **value)
{
    struct world *world = *value;
    witness_until(&world->seen, &world->seen.held);
    for (size_t i = 0; i < fault_crew_count(world->crew); i++)
        assert_int_equal(kill(fault_crew_pid(world->crew, i), SIGKILL), 0);
    witness_until(&world->seen, &world->seen.lost);
    assert_false(fault_crew_stopped(world->crew)); /* nobody has asked for that */
    fault_crew_stop(world->crew);
    if (world->seen.stopped == 0) /* the other one's end is still to be seen */
        witness_until(&world->seen, &world->seen.stopped);
    assert_true(fault_crew_stopped(world->crew));
    assert_int_equal(world->seen.lost, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_holds_when_every_one_does, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_stopped_when_none_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(being_lost_is_not_being_stopped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
