/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that go away, while they are waited for and while they wait. */
#include "server_fixture.h"

static void test_hang_up_while_waiting(void **state)
{
    struct fixture *f = *state;
    int closed = hold_one(f);
    base_fd_close(&closed);
    TURN_UNTIL(f, f->abandoned == 1);
    int reset = hold_one(f);
    struct linger at_once = {.l_onoff = 1};
    assert_int_equal(setsockopt(reset, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    base_fd_close(&reset);
    TURN_UNTIL(f, f->abandoned == 2);
    int half = hold_one(f);
    (void)shutdown(half, SHUT_WR);
    TURN_UNTIL(f, f->abandoned == 3);
    base_fd_close(&half);
    TURN_UNTIL(f, io_server_connections(f->server) == 0);
    assert_int_equal(io_server_in_flight(f->server), 0);
}

static void test_hang_up_on_a_later_request(void **state)
{
    struct fixture *f = *state;
    int fd = hold_one(f);
    for (int i = 0; i < 5; i++) { /* kept alive, and each time in the hang-up set */
        io_exchange_reply(f->held[--f->held_count], 200, NULL, "ok", 2);
        expect(f, fd, "ok");
        put(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
        TURN_UNTIL(f, f->held_count == 1);
    }
    base_fd_close(&fd);
    TURN_UNTIL(f, f->abandoned == 1);
}

static void test_hang_up_seen_before_the_request_that_waits(void **state)
{
    struct fixture *f = *state;
    int fd = hold_one(f);
    /* The second request and the hang-up arrive while the first is in work. */
    put(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    io_exchange_reply(f->held[--f->held_count], 200, NULL, "first", 5);
    (void)shutdown(fd, SHUT_WR);
    TURN_UNTIL(f, io_server_connections(f->server) == 0);
    assert_int_equal(f->held_count, 0); /* none left that nobody waits for */
    assert_int_equal(io_server_in_flight(f->server), 0);
    base_fd_close(&fd);
}

static void test_hang_up_reported_before_the_request_that_waits(void **state)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    put(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\nGET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(f, f->handled == 1);
    (void)shutdown(fd, SHUT_WR);
    for (int i = 0; i < 5; i++)
        turn(f); /* the hang-up is reported while the big reply is stuck */
    assert_int_equal(f->handled, 1);
    struct base_buf seen;
    base_buf_init(&seen, 2 * BIG);
    TURN_UNTIL(f, !take(fd, &seen));
    assert_true(seen.len > BIG);
    assert_int_equal(f->held_count, 0);
    base_buf_fini(&seen);
    base_fd_close(&fd);
}

static void test_reply_after_the_peer_left_unnoticed(void **state)
{
    struct fixture *f = *state;
    int fd = hold_one(f);
    base_fd_close(&fd);
    /* The loop has not turned: the reply comes first, and that is no error. */
    io_exchange_reply(f->held[--f->held_count], 200, NULL, "too late", 8);
    TURN_UNTIL(f, io_server_connections(f->server) == 0);
    assert_int_equal(f->abandoned, 0);
    assert_int_equal(io_server_in_flight(f->server), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(hang_up_while_waiting),
        SERVER_TEST(hang_up_on_a_later_request),
        SERVER_TEST(hang_up_seen_before_the_request_that_waits),
        SERVER_TEST(hang_up_reported_before_the_request_that_waits),
        SERVER_TEST(reply_after_the_peer_left_unnoticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
