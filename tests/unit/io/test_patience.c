/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that take their time, and more peers than there is room for. */
#include "server_fixture.h"

static void test_more_connections_than_allowed_wait(void **state)
{
    struct fixture *f = *state;
    io_server_free(f->server);
    struct io_server_config config = config_of(f);
    config.max_connections = 2;
    f->server = serve(f, &config);
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = connect_to(f); /* the third stays in the backlog */
        put(fds[i], "GET /hold HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    TURN_UNTIL(f, f->held_count == 2);
    for (int i = 0; i < 5; i++)
        turn(f);
    assert_int_equal(io_server_connections(f->server), 2);
    while (f->held_count > 0)
        io_exchange_reply(f->held[--f->held_count], 200, NULL, "ok", 2);
    struct base_buf seen;
    read_to_end(f, fds[0], &seen); /* closed by the server, not by its peer */
    base_buf_fini(&seen);
    TURN_UNTIL(f, f->held_count == 1); /* there is room for it now */
    assert_int_equal(f->handled, 3);
    for (int i = 0; i < 3; i++)
        base_fd_close(&fds[i]);
}

static void serve_in_a_hurry(struct fixture *f, int64_t ms, unsigned max_connections)
{
    io_server_free(f->server);
    struct io_server_config config = config_of(f);
    config.request_timeout = base_dur_ms(ms);
    config.max_connections = max_connections;
    f->server = serve(f, &config);
}

/* Sends text a byte each turn, and then over again, until the server hangs up. */
static struct dur_ns drip(struct fixture *f, int fd, const char *text)
{
    struct mono_ns begin = base_mono_now();
    struct mono_ns end = test_deadline();
    const char *at = text;
    char byte;
    ssize_t n = -1;
    errno = EAGAIN;
    while (n != 0 && (n > 0 || errno == EAGAIN || errno == EINTR)) {
        assert_true(base_mono_before(base_mono_now(), end));
        (void)send(fd, at, 1, MSG_NOSIGNAL);
        at = at[1] != '\0' ? at + 1 : text;
        struct mono_ns next = base_mono_add(base_mono_now(), base_dur_ms(20));
        TURN_UNTIL(f, base_mono_before(next, base_mono_now()));
        n = recv(fd, &byte, 1, MSG_DONTWAIT);
    }
    return base_mono_sub(base_mono_now(), begin);
}

/* Slow Loris: each byte is in time, the request never is. */
static void test_a_request_that_never_ends_is_cut_off(void **state)
{
    struct fixture *f = *state;
    static const char *const begins[] = {
        "", "GET ", "GET / HTTP/1.1\r\nHost: a\r\nX-",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"};
    serve_in_a_hurry(f, 400, 0);
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        int fd = connect_to(f);
        put(fd, begins[i]);
        struct dur_ns took = drip(f, fd, "x");
        assert_true(took.ns >= base_dur_ms(390).ns);
        base_fd_close(&fd);
    }
    assert_int_equal(f->handled, 0);
    int fd = connect_to(f);
    put(fd, "GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(f, fd, "</first 0>");
    put(fd, begins[2]);
    (void)drip(f, fd, "x"); /* long before the connection would have been idle for too long */
    base_fd_close(&fd);
    still_serves(f);
}

static void test_a_request_that_is_worked_on_has_all_the_time(void **state)
{
    struct fixture *f = *state;
    serve_in_a_hurry(f, 100, 0);
    int fd = connect_to(f);
    put(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(f, f->held_count == 1);
    struct mono_ns begin = base_mono_now();
    TURN_UNTIL(f, base_mono_sub(base_mono_now(), begin).ns > base_dur_ms(400).ns);
    assert_int_equal(f->held_count, 1);
    io_exchange_reply(f->held[--f->held_count], 200, NULL, "<late>", 6);
    expect(f, fd, "<late>");
    put(fd, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"); /* kept alive, too */
    expect(f, fd, "</next 0>");
    base_fd_close(&fd);
}

static void test_when_full_whoever_dawdles_gives_way(void **state)
{
    struct fixture *f = *state;
    enum { MAX = 4, DAWDLERS = 12 };
    serve_in_a_hurry(f, 60000, MAX);
    int busy = connect_to(f);
    put(busy, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(f, f->held_count == 1);
    int fds[DAWDLERS];
    for (int i = 0; i < DAWDLERS; i++) {
        fds[i] = connect_to(f);
        put(fds[i], "GET /slow HTTP/1.1\r\n");
    }
    still_serves(f);
    assert_int_equal(f->held_count, 1); /* what is worked on never gives way */
    io_exchange_reply(f->held[--f->held_count], 200, NULL, "<done>", 6);
    expect(f, busy, "<done>");
    for (int i = 0; i < DAWDLERS; i++)
        base_fd_close(&fds[i]);
    base_fd_close(&busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(more_connections_than_allowed_wait),
        SERVER_TEST(a_request_that_never_ends_is_cut_off),
        SERVER_TEST(a_request_that_is_worked_on_has_all_the_time),
        SERVER_TEST(when_full_whoever_dawdles_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
