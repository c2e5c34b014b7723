/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "inquiry.h"

enum { refusing, silent, targets };

static char loopback[] = "127.0.0.1";
static char nowhere[] = "nowhere";

struct world {
    struct io_loop *loop;
    struct fault_inquiry *inquiry;
    int fds[targets];
    struct fault_target targets[targets];
    int rounds;
};

static void on_done(void *ctx)
{
    struct world *world = ctx;
    world->rounds++;
    io_loop_stop(world->loop);
}

/* Bound, so that nobody else gets the port; the kernel accepts for one that listens. */
static void target_open(struct world *world, int index)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    if (index == silent)
        assert_int_equal(listen(fd, 8), 0);
    world->fds[index] = fd;
    world->targets[index] = (struct fault_target){
        .name = loopback, .address = loopback, .port = ntohs(address.sin_port)};
}

static int setup(void **out)
{
    static struct world world;
    struct base_error err = {0};
    world = (struct world){.loop = io_loop_new(&err)};
    assert_non_null(world.loop);
    for (int i = 0; i < targets; i++)
        target_open(&world, i);
    world.inquiry = fault_inquiry_new(world.loop, targets, on_done, &world);
    *out = &world;
    return 0;
}

static int teardown(void **value)
{
    struct world *world = *value;
    fault_inquiry_free(world->inquiry);
    for (int i = 0; i < targets; i++)
        close(world->fds[i]);
    io_loop_free(world->loop);
    return 0;
}

static bool ask(struct world *world, size_t index)
{
    struct base_error err = {0};
    return fault_inquiry_ask(world->inquiry, index, &world->targets[index], base_dur_ms(50), &err);
}

static void a_round_is_done_when_the_last_one_is_known(void **value)
{
    struct world *world = *value;
    for (int round = 1; round <= 2; round++) {
        fault_inquiry_cancel(world->inquiry);
        for (size_t i = 0; i < targets; i++) {
            assert_null(fault_inquiry_result(world->inquiry, i));
            assert_true(ask(world, i));
        }
        io_loop_run(world->loop);
        assert_int_equal(world->rounds, round);
        const struct fault_answer_result *refused = fault_inquiry_result(world->inquiry, refusing);
        const struct fault_answer_result *nothing = fault_inquiry_result(world->inquiry, silent);
        assert_non_null(refused);
        assert_non_null(nothing);
        assert_int_equal(refused->sys, ECONNREFUSED);
        assert_int_equal(nothing->sys, ETIMEDOUT);
        assert_false(nothing->answered);
    }
}

static void one_that_is_asked_anew_keeps_the_round_open(void **value)
{
    struct world *world = *value;
    assert_true(ask(world, silent));
    assert_true(ask(world, refusing));
    while (fault_inquiry_result(world->inquiry, refusing) == NULL)
        io_loop_run_once(world->loop);
    assert_true(ask(world, refusing));
    assert_null(fault_inquiry_result(world->inquiry, refusing));
    io_loop_run(world->loop);
    assert_int_equal(world->rounds, 1);
    assert_true(ask(world, silent));
    io_loop_run(world->loop);
    assert_int_equal(world->rounds, 2);
    assert_non_null(fault_inquiry_result(world->inquiry, refusing));
}

static void one_that_cannot_be_asked_cancels_the_round(void **value)
{
    struct world *world = *value;
    world->targets[silent].address = nowhere;
    assert_true(ask(world, refusing));
    assert_false(ask(world, silent));

    /* Were the first still under way, it would be refused long before the other one is given up. */
    world->targets[silent].address = loopback;
    assert_true(ask(world, silent));
    while (fault_inquiry_result(world->inquiry, silent) == NULL)
        io_loop_run_once(world->loop);
    assert_null(fault_inquiry_result(world->inquiry, refusing));
    assert_int_equal(world->rounds, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_round_is_done_when_the_last_one_is_known, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_is_asked_anew_keeps_the_round_open, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_cannot_be_asked_cancels_the_round, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
