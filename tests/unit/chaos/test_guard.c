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
#include "witness.h"

struct world {
    struct witness seen;
    struct fault_guard *guard;
    int undone[2]; /* pipe: the watchdog writes when it undoes */
};

static bool undo(void *ctx)
{
    const struct world *world = ctx;
    return write(world->undone[1], "u", 1) == 1;
}

static void start(struct world *world, struct dur_ns left)
{
    struct base_error err = {0};
    *world = (struct world){.guard = NULL};
    witness_init(&world->seen);
    assert_int_equal(pipe2(world->undone, O_CLOEXEC), 0);
    struct fault_guard_spec spec = {
        .undo = undo,
        .undo_ctx = world,
        .keep = &world->undone[1],
        .keep_count = 1,
        .on_held = witness_held,
        .on_lost = witness_lost,
        .on_stopped = witness_stopped,
        .ctx = &world->seen,
    };
    world->guard = fault_guard_start(world->seen.loop, &spec, left, &err);
    if (world->guard == NULL)
        fail_msg("%s", err.message);
    base_fd_close(&world->undone[1]); /* the watchdog's alone: its end is seen */
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
    base_fd_close(&world->undone[0]);
    witness_fini(&world->seen);
}

static void it_undoes_at_its_deadline(void **state)
{
    (void)state;
    struct world world;
    struct mono_ns began = base_mono_now();
    start(&world, base_dur_ms(150));
    witness_until(&world.seen, &world.seen.held);
    witness_until(&world.seen, &world.seen.lost);
    assert_true(base_mono_sub(base_mono_now(), began).ns >= 150 * BASE_NS_PER_MS);
    assert_int_equal(outcome(&world), 1);
    assert_int_equal(world.seen.stopped, 0);
    end(&world);
}

static void renewing_keeps_it_from_it(void **state)
{
    (void)state;
    struct world world;
    struct base_error err = {0};
    struct mono_ns began = base_mono_now();
    start(&world, base_dur_ms(150));
    witness_until(&world.seen, &world.seen.held);
    assert_true(fault_guard_renew(world.guard, base_dur_ms(600), &err));
    witness_until(&world.seen, &world.seen.held);
    witness_until(&world.seen, &world.seen.lost);
    assert_true(base_mono_sub(base_mono_now(), began).ns >= 600 * BASE_NS_PER_MS);
    assert_int_equal(outcome(&world), 1);
    end(&world);
}

static void it_undoes_when_the_agent_is_no_more(void **state)
{
    (void)state;
    struct world world;
    start(&world, base_dur_s(3600));
    witness_until(&world.seen, &world.seen.held);
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
    witness_until(&world.seen, &world.seen.held);
    /* Also one that cannot run. */
    assert_int_equal(kill(fault_guard_pid(world.guard), SIGSTOP), 0);
    fault_guard_stop(world.guard);
    witness_until(&world.seen, &world.seen.stopped);
    assert_int_equal(world.seen.lost, 0);
    assert_int_equal(outcome(&world), 0);
    end(&world);
}

static void its_death_is_noticed(void **state)
{
    (void)state;
    struct world world;
    start(&world, base_dur_s(3600));
    witness_until(&world.seen, &world.seen.held);
    assert_int_equal(kill(fault_guard_pid(world.guard), SIGTERM), 0); /* deaf to that */
    assert_int_equal(kill(fault_guard_pid(world.guard), SIGKILL), 0);
    witness_until(&world.seen, &world.seen.lost);
    assert_int_equal(outcome(&world), 0);
    fault_guard_stop(world.guard); /* at once: there is nobody to wait for */
    assert_int_equal(world.seen.stopped, 1);
    end(&world);
}

static void it_holds_nothing_but_what_it_needs(void **state)
{
    (void)state;
    struct world world;
    int theirs[2];
    assert_int_equal(pipe(theirs), 0); /* inherited by every child, that is */
    start(&world, base_dur_s(3600));
    witness_until(&world.seen, &world.seen.held);
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
