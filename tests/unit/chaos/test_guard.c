/* SPDX-License-Identifier: Apache-2.0 */
/* Real watchdogs, of which the test is the agent. What they undo is a byte in a pipe. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "guard.h"

struct world {
    struct io_loop *loop;
    struct fault_guard *guard;
    struct io_timer patience;
    int undone[2]; /* pipe: the watchdog writes when it undoes */
    unsigned held;
    unsigned lost;
    unsigned stopped;
    bool late;
};

static bool undo(void *ctx)
{
    const struct world *world = ctx;
    return write(world->undone[1], "u", 1) == 1;
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

static void start(struct world *world, struct dur_ns left)
{
    struct base_error err = {0};
    *world = (struct world){.loop = io_loop_new(&err)};
    assert_non_null(world->loop);
    assert_int_equal(pipe2(world->undone, O_CLOEXEC), 0);
    io_timer_init(&world->patience, world->loop, on_late, world);
    io_timer_start(&world->patience, base_dur_s(10));
    struct fault_guard_spec spec = {
        .undo = undo,
        .undo_ctx = world,
        .keep = &world->undone[1],
        .keep_count = 1,
        .on_held = on_held,
        .on_lost = on_lost,
        .on_stopped = on_stopped,
        .ctx = world,
    };
    world->guard = fault_guard_start(world->loop, &spec, left, &err);
    if (world->guard == NULL)
        fail_msg("%s", err.message);
    base_fd_close(&world->undone[1]); /* the watchdog's alone: its end is seen */
}

static void until(struct world *world, const unsigned *count)
{
    unsigned before = *count;
    while (*count == before && !world->late)
        io_loop_run_once(world->loop);
    assert_false(world->late);
}

/* 1: undone; 0: the watchdog ended without; waits for one of them. */
static ssize_t outcome(struct world *world)
{
    char byte;
    struct pollfd fd = {.fd = world->undone[0], .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 10000), 1);
    return read(world->undone[0], &byte, 1);
}

static void end(struct world *world)
{
    fault_guard_free(world->guard);
    io_timer_fini(&world->patience);
    base_fd_close(&world->undone[0]);
    io_loop_free(world->loop);
}

static void it_undoes_at_its_deadline(void **state)
{
    (void)state;
    struct world world;
    struct mono_ns began = base_mono_now();
    start(&world, base_dur_ms(150));
    until(&world, &world.held);
    until(&world, &world.lost);
    assert_true(base_mono_sub(base_mono_now(), began).ns >= 150 * BASE_NS_PER_MS);
    assert_int_equal(outcome(&world), 1);
    assert_int_equal(world.stopped, 0);
    end(&world);
}

static void renewing_keeps_it_from_it(void **state)
{
    (void)state;
    struct world world;
    struct base_error err = {0};
    struct mono_ns began = base_mono_now();
    start(&world, base_dur_ms(150));
    until(&world, &world.held);
    assert_true(fault_guard_renew(world.guard, base_dur_ms(600), &err));
    until(&world, &world.held);
    until(&world, &world.lost);
    assert_true(base_mono_sub(base_mono_now(), began).ns >= 600 * BASE_NS_PER_MS);
    assert_int_equal(outcome(&world), 1);
    end(&world);
}

static void it_undoes_when_the_agent_is_no_more(void **state)
{
    (void)state;
    struct world world;
    start(&world, base_dur_s(3600));
    until(&world, &world.held);
    fault_guard_free(world.guard); /* what the kernel does with the line of a dead agent */
    world.guard = NULL;
    assert_int_equal(outcome(&world), 1);
    end(&world);
}

static void stopping_it_undoes_nothing(void **state)
{
    (void)state;
    struct world world;
    start(&world, base_dur_s(3600));
    until(&world, &world.held);
    /* Also one that cannot run. */
    assert_int_equal(kill(fault_guard_pid(world.guard), SIGSTOP), 0);
    fault_guard_stop(world.guard);
    until(&world, &world.stopped);
    assert_int_equal(world.lost, 0);
    assert_int_equal(outcome(&world), 0);
    end(&world);
}

static void its_death_is_noticed(void **state)
{
    (void)state;
    struct world world;
    start(&world, base_dur_s(3600));
    until(&world, &world.held);
    assert_int_equal(kill(fault_guard_pid(world.guard), SIGTERM), 0); /* deaf to that */
    assert_int_equal(kill(fault_guard_pid(world.guard), SIGKILL), 0);
    until(&world, &world.lost);
    assert_int_equal(outcome(&world), 0);
    fault_guard_stop(world.guard); /* at once: there is nobody to wait for */
    assert_int_equal(world.stopped, 1);
    end(&world);
}

static void it_holds_nothing_but_what_it_needs(void **state)
{
    (void)state;
    struct world world;
    int theirs[2];
    assert_int_equal(pipe(theirs), 0); /* inherited by every child, that is */
    start(&world, base_dur_s(3600));
    until(&world, &world.held);
    base_fd_close(&theirs[1]);
    char byte;
    struct pollfd fd = {.fd = theirs[0], .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 5000), 1);
    assert_int_equal(read(theirs[0], &byte, 1), 0); /* nobody else has its other end */
    base_fd_close(&theirs[0]);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_undoes_at_its_deadline),
        cmocka_unit_test(renewing_keeps_it_from_it),
        cmocka_unit_test(it_undoes_when_the_agent_is_no_more),
        cmocka_unit_test(stopping_it_undoes_nothing),
        cmocka_unit_test(its_death_is_noticed),
        cmocka_unit_test(it_holds_nothing_but_what_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
