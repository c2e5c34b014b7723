/* SPDX-License-Identifier: Apache-2.0 */
/* Real workers, which only wait for their end. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crew.h"

struct world {
    struct io_loop *loop;
    struct fault_crew *crew;
    struct io_timer patience;
    unsigned held;
    unsigned lost;
    unsigned stopped;
    bool late;
};

static void work(void *ctx, int line, struct mono_ns deadline)
{
    (void)ctx;
    while (fault_satellite_holds(line, &deadline))
        fault_satellite_wait(line, base_mono_sub(deadline, base_mono_now()));
}

static void on_held(void *ctx)
{
    ((struct world *)ctx)->held++;
}
static void on_lost(void *ctx)
{
    ((struct world *)ctx)->lost++;
}
static void on_stopped(void *ctx)
{
    ((struct world *)ctx)->stopped++;
}
static void on_late(void *ctx)
{
    ((struct world *)ctx)->late = true;
}

static int setup(void **out)
{
    static struct world world;
    struct base_error err = {0};
    world = (struct world){.loop = io_loop_new(&err)};
    assert_non_null(world.loop);
    io_timer_init(&world.patience, world.loop, on_late, &world);
    io_timer_start(&world.patience, base_dur_s(10));
    struct fault_crew_spec spec = {
        .name = "squall-test",
        .run = work,
        .count = 2,
        .on_held = on_held,
        .on_lost = on_lost,
        .on_stopped = on_stopped,
        .ctx = &world,
    };
    world.crew = fault_crew_start(world.loop, &spec, base_dur_s(20), &err);
    if (world.crew == NULL)
        fail_msg("%s", err.message);
    *out = &world;
    return 0;
}

static int teardown(void **value)
{
    struct world *world = *value;
    fault_crew_free(world->crew);
    io_timer_fini(&world->patience);
    io_loop_free(world->loop);
    return 0;
}

static void until(struct world *world, const unsigned *count)
{
    unsigned before = *count;
    while (*count == before && !world->late)
        io_loop_run_once(world->loop);
    assert_false(world->late);
}

static void it_holds_when_every_one_does(void **value)
{
    struct world *world = *value;
    struct base_error err = {0};
    assert_false(fault_crew_holds(world->crew));
    until(world, &world->held);
    assert_true(fault_crew_holds(world->crew));
    assert_true(fault_crew_renew(world->crew, base_dur_s(20), &err));
    assert_false(fault_crew_holds(world->crew)); /* that deadline: not yet */
    until(world, &world->held);
    assert_true(fault_crew_holds(world->crew));
    assert_int_equal(world->held, 2);
}

static void it_is_stopped_when_none_is_left(void **value)
{
    struct world *world = *value;
    until(world, &world->held);
    fault_crew_stop(world->crew);
    assert_false(fault_crew_stopped(world->crew)); /* they were only told */
    until(world, &world->stopped);
    assert_true(fault_crew_stopped(world->crew));
    assert_int_equal(world->lost, 0);
}

static void being_lost_is_not_being_stopped(void **value)
{
    struct world *world = *value;
    until(world, &world->held);
    for (size_t i = 0; i < fault_crew_count(world->crew); i++)
        assert_int_equal(kill(fault_crew_pid(world->crew, i), SIGKILL), 0);
    until(world, &world->lost);
    assert_false(fault_crew_stopped(world->crew)); /* nobody has asked for that */
    fault_crew_stop(world->crew);
    if (world->stopped == 0) /* the other one's end is still to be seen */
        until(world, &world->stopped);
    assert_true(fault_crew_stopped(world->crew));
    assert_int_equal(world->lost, 1);
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
