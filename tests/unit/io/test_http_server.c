/* SPDX-License-Identifier: Apache-2.0 */
/* The server against peers that speak raw bytes, well and badly. */
#include "server_fixture.h"

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
    const struct CMUnitTest tests[] = {
        SERVER_TEST(byte_by_byte),
        SERVER_TEST(chunked_body),
        SERVER_TEST(pipelined_requests_are_answered_in_order),
        SERVER_TEST(connection_close_is_honoured),
        SERVER_TEST(idle_connections_are_closed),
        SERVER_TEST(malformed_requests),
        SERVER_TEST(headers_too_large),
        SERVER_TEST(random_bytes),
        SERVER_TEST(nul_in_the_path_is_refused),
        SERVER_TEST(refused_before_the_body),
        SERVER_TEST(the_peer_is_named),
        SERVER_TEST(stop_accepting_lets_work_finish),
        SERVER_TEST(freed_with_work_under_way),
        SERVER_TEST(freed_in_its_request_callback),
        SERVER_TEST(freed_in_its_abandon_callback),
        SERVER_TEST(what_the_handler_never_sees_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
