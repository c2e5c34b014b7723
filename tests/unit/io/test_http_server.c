/* SPDX-License-Identifier: Apache-2.0 */
/* The server against peers that speak raw bytes, well and badly. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "io/http_server.h"
#include "io_test.h"

enum { HELD_MAX = 16, BIG = 16 << 20 /* more than sockets take at once */ };

struct fixture {
    struct io_loop *loop;
    struct io_server *server;
    struct io_exchange *held[HELD_MAX];
    unsigned refused[HELD_MAX];
    size_t refused_count;
    size_t held_count;
    size_t handled;
    size_t abandoned;
    bool free_in_request;
    bool free_in_abandon;
};

static void on_request(void *ctx, struct io_exchange *exchange)
{
    struct fixture *f = ctx;
    f->handled++;
    const char *path = io_exchange_path(exchange);
    if (base_str_eq(path, "/hold")) {
        f->held[f->held_count++] = exchange;
    } else if (base_str_eq(path, "/big")) {
        char *big = base_calloc(1, BIG);
        io_exchange_reply(exchange, 200, NULL, big, BIG);
        free(big);
    } else {
        size_t len;
        (void)io_exchange_body(exchange, &len);
        char text[64];
        int text_len = snprintf(text, sizeof text, "<%s %zu>", path, len);
        io_exchange_reply(exchange, 200, "text/plain", text, (size_t)text_len);
    }
    if (f->free_in_request) {
        f->held_count = 0;
        io_server_free(f->server);
        f->server = NULL;
    }
}

static void on_abandon(void *ctx, struct io_exchange *exchange)
{
    struct fixture *f = ctx;
    f->abandoned++;
    for (size_t i = 0; i < f->held_count; i++) {
        if (f->held[i] == exchange)
            f->held[i] = f->held[--f->held_count];
    }
    if (f->free_in_abandon) {
        f->free_in_abandon = false;
        io_server_free(f->server);
        f->server = NULL;
    }
}

static struct io_server_config config_of(struct fixture *f)
{
    return (struct io_server_config){
        .address = "127.0.0.1", .on_request = on_request, .on_abandon = on_abandon, .ctx = f};
}

static struct io_server *serve(struct fixture *f, const struct io_server_config *config)
{
    struct base_error err = {0};
    struct io_server *server = io_server_new(f->loop, config, &err);
    if (server == NULL)
        print_error("%s\n", err.message);
    assert_non_null(server);
    return server;
}

static int setup(void **state)
{
    struct fixture *f = base_calloc(1, sizeof *f);
    f->loop = io_test_loop();
    struct io_server_config config = config_of(f);
    f->server = serve(f, &config);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    io_server_free(f->server);
    io_loop_free(f->loop);
    free(f);
    return 0;
}

/* --- peers --- */

static int try_connect(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        base_fd_close(&fd);
    return fd;
}

static int connect_to(const struct fixture *f)
{
    int fd = try_connect(io_server_port(f->server));
    assert_true(fd >= 0);
    return fd;
}

static void put_bytes(int fd, const char *text, size_t len)
{
    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void put(int fd, const char *text)
{
    put_bytes(fd, text, strlen(text));
}

static void tick_stop(void *ctx)
{
    (void)ctx;
}

static void turn(struct fixture *f)
{
    struct io_timer tick;
    io_timer_init(&tick, f->loop, tick_stop, NULL);
    io_timer_start(&tick, base_dur_ms(5));
    io_loop_run_once(f->loop);
    io_timer_fini(&tick);
}

static struct mono_ns test_deadline(void)
{
    return base_mono_add(base_mono_now(), base_dur_s(IO_TEST_DEADLINE_S));
}

#define TURN_UNTIL(f, condition)                                                                   \
    for (struct mono_ns end_ = test_deadline(); !(condition); turn(f))                             \
    assert_true(base_mono_before(base_mono_now(), end_))

/* Adds what has arrived to seen; false at the end of the connection. */
static bool take(int fd, struct base_buf *seen)
{
    char chunk[4096];
    ssize_t got = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (got > 0)
        assert_true(base_buf_append(seen, chunk, (size_t)got));
    return got > 0 || (got < 0 && errno == EAGAIN);
}

/* Turns the loop until the peer has read `text`. */
static void expect(struct fixture *f, int fd, const char *text)
{
    struct base_buf seen;
    base_buf_init(&seen, 1 << 20);
    bool open = true;
    struct mono_ns end = test_deadline();
    while (strstr(seen.data, text) == NULL) {
        if (!open || !base_mono_before(base_mono_now(), end))
            fail_msg("waiting for '%s', got '%s'", text, seen.data);
        turn(f);
        open = take(fd, &seen);
    }
    base_buf_fini(&seen);
}

/* Turns the loop until the server has closed; returns what it said before. */
static void read_to_end(struct fixture *f, int fd, struct base_buf *seen)
{
    base_buf_init(seen, 1 << 20);
    TURN_UNTIL(f, !take(fd, seen));
}

static void still_serves(struct fixture *f)
{
    int fd = connect_to(f);
    put(fd, "GET /still HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(f, fd, "</still 0>");
    base_fd_close(&fd);
}

/* --- requests however they arrive --- */

static void test_byte_by_byte(void **state)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    const char *request = "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    for (; *request != '\0'; request++) {
        put_bytes(fd, request, 1);
        turn(f);
    }
    expect(f, fd, "</slow 3>");
    base_fd_close(&fd);
}

static void test_chunked_body(void **state)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    put(fd, "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    expect(f, fd, "</c 7>");
    base_fd_close(&fd);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    put(fd, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /hold HTTP/1.1\r\nHost: a\r\n\r\n"
            "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(f, fd, "</1 0>");
    TURN_UNTIL(f, f->held_count == 1);
    assert_int_equal(f->handled, 2); /* the third waits for the second */
    io_exchange_reply(f->held[--f->held_count], 200, "text/plain", "<held>", 6);
    expect(f, fd, "</3 0>");
    assert_int_equal(io_server_connections(f->server), 1);
    base_fd_close(&fd);
    TURN_UNTIL(f, io_server_connections(f->server) == 0);
    assert_int_equal(f->abandoned, 0);
}

static void test_connection_close_is_honoured(void **state)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    put(fd, "GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    struct base_buf seen;
    read_to_end(f, fd, &seen);
    assert_non_null(strstr(seen.data, "</bye 0>"));
    base_buf_fini(&seen);
    base_fd_close(&fd);
}

static void test_idle_connections_are_closed(void **state)
{
    struct fixture *f = *state;
    io_server_free(f->server);
    struct io_server_config config = config_of(f);
    config.idle_timeout = base_dur_ms(900); /* counted in whole seconds */
    f->server = serve(f, &config);
    int fd = connect_to(f);
    put(fd, "GET /once HTTP/1.1\r\nHost: a\r\n\r\n");
    struct mono_ns begin = base_mono_now();
    struct base_buf seen;
    read_to_end(f, fd, &seen);
    assert_true(base_mono_sub(base_mono_now(), begin).ns >= base_dur_ms(900).ns);
    assert_non_null(strstr(seen.data, "</once 0>"));
    base_buf_fini(&seen);
    base_fd_close(&fd);
}

/* --- malformed requests --- */

static void test_malformed_requests(void **state)
{
    struct fixture *f = *state;
    static const char *const requests[] = {
        "\r\n\r\n\r\n\r\n",
        "GARBAGE\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n", /* no Host */
        "GET / HTTP/1.1\r\nHost a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nxx",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "GET /%zz%1%% HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /?%&=&%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\xfc\x03\x03TLS hello\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        int fd = connect_to(f);
        put(fd, requests[i]);
        (void)shutdown(fd, SHUT_WR);
        struct base_buf seen;
        read_to_end(f, fd, &seen); /* whatever it says, it ends */
        base_buf_fini(&seen);
        base_fd_close(&fd);
        still_serves(f);
    }
}

static void test_headers_too_large(void **state)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    char *line = base_calloc(1, 200001);
    memset(line, 'x', 200000);
    put(fd, "GET / HTTP/1.1\r\nHost: a\r\nX-Long: ");
    (void)!send(fd, line, 200000, MSG_NOSIGNAL | MSG_DONTWAIT);
    struct base_buf seen;
    read_to_end(f, fd, &seen);
    assert_int_equal(f->handled, 0);
    base_buf_fini(&seen);
    base_fd_close(&fd);
    free(line);
    still_serves(f);
}

static void test_random_bytes(void **state)
{
    struct fixture *f = *state;
    uint32_t seed = 12345; /* numerical recipes' generator: the same bytes each time */
    for (int round = 0; round < 200; round++) {
        char bytes[300];
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[i] = (char)(seed >> 24);
        }
        static const char prefix[] = "GET / HTTP/1.1\r\n"; /* half of them begin well */
        if (round % 2 == 0)
            memcpy(bytes, prefix, sizeof prefix - 1);
        int fd = connect_to(f);
        put_bytes(fd, bytes, sizeof bytes);
        turn(f);
        base_fd_close(&fd);
    }
    TURN_UNTIL(f, io_server_connections(f->server) == 0);
    still_serves(f);
}

static void test_nul_in_the_path_is_refused(void **state)
{
    struct fixture *f = *state;
    int fd = connect_to(f);
    put(fd, "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(f, fd, " 400 ");
    assert_int_equal(f->handled, 0);
    base_fd_close(&fd);
}

/* --- large bodies that are not even sent --- */

static void test_refused_before_the_body(void **state)
{
    struct fixture *f = *state;
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
    };
    for (size_t i = 0; i < 2; i++) {
        int fd = connect_to(f);
        put(fd, requests[i]);
        struct base_buf seen;
        read_to_end(f, fd, &seen);
        assert_true(base_str_starts(seen.data, "HTTP/1.1 413 "));
        base_buf_fini(&seen);
        base_fd_close(&fd);
    }
    assert_int_equal(f->handled, 0);
}

/* --- peers that go away --- */

static int hold_one(struct fixture *f)
{
    int fd = connect_to(f);
    size_t before = f->held_count;
    put(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(f, f->held_count == before + 1);
    return fd;
}

static void test_the_peer_is_named(void **state)
{
    struct fixture *f = *state;
    int fd = hold_one(f);
    struct sockaddr_in ours;
    socklen_t len = sizeof ours;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ours, &len), 0);
    char expected[IO_PEER_TEXT];
    char text[IO_PEER_TEXT];
    (void)snprintf(expected, sizeof expected, "127.0.0.1:%u", ntohs(ours.sin_port));
    io_exchange_peer(f->held[0], text);
    assert_string_equal(text, expected);
    base_fd_close(&fd);
}

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

/* --- the server's life --- */

static void test_stop_accepting_lets_work_finish(void **state)
{
    struct fixture *f = *state;
    uint16_t port = io_server_port(f->server);
    int fd = hold_one(f);
    io_server_stop_accepting(f->server);
    io_server_stop_accepting(f->server); /* twice does nothing */
    assert_int_equal(try_connect(port), -1);
    assert_int_equal(io_server_in_flight(f->server), 1);
    io_exchange_reply(f->held[--f->held_count], 200, NULL, "last words", 10);
    struct base_buf seen;
    read_to_end(f, fd, &seen); /* a kept connection is closed after its reply */
    assert_non_null(strstr(seen.data, "last words"));
    assert_non_null(strstr(seen.data, "Connection: close"));
    assert_int_equal(io_server_in_flight(f->server), 0);
    base_buf_fini(&seen);
    base_fd_close(&fd);
}

static void test_freed_with_work_under_way(void **state)
{
    struct fixture *f = *state;
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = hold_one(f);
    int idle = connect_to(f);
    turn(f);
    io_server_free(f->server);
    io_server_free(NULL);
    f->server = NULL;
    assert_int_equal(f->abandoned, 3);
    for (int i = 0; i < 3; i++)
        base_fd_close(&fds[i]);
    base_fd_close(&idle);
    io_loop_run(f->loop); /* nothing is left on the loop */
}

static void test_freed_in_its_request_callback(void **state)
{
    struct fixture *f = *state;
    int held = hold_one(f);
    f->free_in_request = true;
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = connect_to(f);
        put(fds[i], i % 2 == 0 ? "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"
                               : "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    TURN_UNTIL(f, f->server == NULL);
    io_loop_run(f->loop);            /* until the server has released itself */
    assert_int_equal(f->handled, 2); /* no request after it was freed */
    assert_int_equal(f->abandoned, 1);
    for (int i = 0; i < 4; i++)
        base_fd_close(&fds[i]);
    base_fd_close(&held);
}

static void test_freed_in_its_abandon_callback(void **state)
{
    struct fixture *f = *state;
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = hold_one(f);
    f->free_in_abandon = true;
    for (int i = 0; i < 3; i++)
        base_fd_close(&fds[i]);
    TURN_UNTIL(f, f->server == NULL);
    io_loop_run(f->loop);
    assert_int_equal(f->abandoned, 3);
}

static void test_address_in_use_and_restart(void **state)
{
    struct fixture *f = *state;
    still_serves(f);
    int open_peer = hold_one(f); /* the server closes first: TIME_WAIT is on its side */
    struct io_server_config config = config_of(f);
    config.port = io_server_port(f->server);
    struct base_error err = {0};
    assert_null(io_server_new(f->loop, &config, &err));
    assert_int_equal(err.code, BASE_UNAVAILABLE);
    char port[16];
    (void)snprintf(port, sizeof port, "%u", config.port);
    assert_non_null(strstr(err.message, "127.0.0.1"));
    assert_non_null(strstr(err.message, port));
    io_server_free(f->server);
    f->server = serve(f, &config); /* at once, on the same port */
    assert_int_equal(io_server_port(f->server), config.port);
    base_fd_close(&open_peer);
    still_serves(f);
}

static void test_addresses_that_cannot_be_served(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *address;
        enum base_code code;
    } cases[] = {
        {NULL, BASE_INVALID},           {"", BASE_INVALID},     {"localhost", BASE_INVALID},
        {"127.0.0.1:80", BASE_INVALID}, {"192.0.2.1", BASE_IO}, /* TEST-NET-1: not ours */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct io_server_config config = config_of(f);
        config.address = cases[i].address;
        struct base_error err = {0};
        assert_null(io_server_new(f->loop, &config, &err));
        assert_int_equal(err.code, cases[i].code);
        assert_non_null(strstr(err.message, "listen"));
    }
}

static void test_ipv6(void **state)
{
    struct fixture *f = *state;
    struct io_server_config config = config_of(f);
    config.address = "::1";
    struct base_error err;
    struct io_server *server = io_server_new(f->loop, &config, &err);
    if (server == NULL) {
        print_message("[  SKIP  ] IPv6: %s\n", err.message);
        return;
    }
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                   .sin6_port = htons(io_server_port(server)),
                                   .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    put(fd, "GET /six HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(f, fd, "</six 0>");
    base_fd_close(&fd);
    io_server_free(server);
}

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

static void on_refused(void *ctx, struct io_exchange *exchange, unsigned status)
{
    struct fixture *f = ctx;
    char peer[IO_PEER_TEXT];
    io_exchange_peer(exchange, peer);
    assert_true(strncmp(peer, "127.0.0.1:", 10) == 0);
    assert_string_equal(io_exchange_method(exchange), "POST");
    assert_string_equal(io_exchange_path(exchange), "/big");
    f->refused[f->refused_count++ % HELD_MAX] = status;
}

static void test_what_the_handler_never_sees_is_told(void **state)
{
    struct fixture *f = *state;
    io_server_free(f->server);
    struct io_server_config config = config_of(f);
    config.max_body = 10;
    config.on_refused = on_refused;
    f->server = serve(f, &config);
    int fd = connect_to(f);
    put(fd, "POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n12345678901");
    expect(f, fd, "HTTP/1.1 413");
    put(fd, "POST /big HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n"
            "6\r\n123456\r\n0\r\n\r\n");
    expect(f, fd, "HTTP/1.1 413");
    put(fd, "POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1234");
    for (int i = 0; i < 3; i++)
        turn(f);
    base_fd_close(&fd);
    TURN_UNTIL(f, f->refused_count == 3);
    assert_int_equal(f->refused[0], 413);
    assert_int_equal(f->refused[1], 413);
    assert_int_equal(f->refused[2], 0); /* its body never came in whole */
    assert_int_equal(f->handled, 0);
    still_serves(f);
    assert_int_equal(f->refused_count, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(byte_by_byte),
        TEST(chunked_body),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(connection_close_is_honoured),
        TEST(idle_connections_are_closed),
        TEST(malformed_requests),
        TEST(headers_too_large),
        TEST(random_bytes),
        TEST(nul_in_the_path_is_refused),
        TEST(refused_before_the_body),
        TEST(the_peer_is_named),
        TEST(hang_up_while_waiting),
        TEST(hang_up_on_a_later_request),
        TEST(hang_up_seen_before_the_request_that_waits),
        TEST(hang_up_reported_before_the_request_that_waits),
        TEST(reply_after_the_peer_left_unnoticed),
        TEST(stop_accepting_lets_work_finish),
        TEST(freed_with_work_under_way),
        TEST(freed_in_its_request_callback),
        TEST(freed_in_its_abandon_callback),
        TEST(address_in_use_and_restart),
        TEST(addresses_that_cannot_be_served),
        TEST(ipv6),
        TEST(more_connections_than_allowed_wait),
        TEST(a_request_that_never_ends_is_cut_off),
        TEST(a_request_that_is_worked_on_has_all_the_time),
        TEST(when_full_whoever_dawdles_gives_way),
        TEST(what_the_handler_never_sees_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
