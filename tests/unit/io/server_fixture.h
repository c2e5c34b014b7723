/* SPDX-License-Identifier: Apache-2.0 */
/* A server on a loop, and peers that speak raw bytes to it. */
#ifndef IO_SERVER_FIXTURE_H
#define IO_SERVER_FIXTURE_H

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

static inline void on_request(void *ctx, struct io_exchange *exchange)
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

static inline void on_abandon(void *ctx, struct io_exchange *exchange)
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

static inline struct io_server_config config_of(struct fixture *f)
{
    return (struct io_server_config){
        .address = "127.0.0.1", .on_request = on_request, .on_abandon = on_abandon, .ctx = f};
}

static inline struct io_server *serve(struct fixture *f, const struct io_server_config *config)
{
    struct base_error err = {0};
    struct io_server *server = io_server_new(f->loop, config, &err);
    if (server == NULL)
        print_error("%s\n", err.message);
    assert_non_null(server);
    return server;
}

static inline int setup(void **state)
{
    struct fixture *f = base_calloc(1, sizeof *f);
    f->loop = io_test_loop();
    struct io_server_config config = config_of(f);
    f->server = serve(f, &config);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    io_server_free(f->server);
    io_loop_free(f->loop);
    free(f);
    return 0;
}

static inline int try_connect(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        base_fd_close(&fd);
    return fd;
}

static inline int connect_to(const struct fixture *f)
{
    int fd = try_connect(io_server_port(f->server));
    assert_true(fd >= 0);
    return fd;
}

static inline void put_bytes(int fd, const char *text, size_t len)
{
    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

static inline void put(int fd, const char *text)
{
    put_bytes(fd, text, strlen(text));
}

static inline void tick_stop(void *ctx)
{
    (void)ctx;
}

static inline void turn(struct fixture *f)
{
    struct io_timer tick;
    io_timer_init(&tick, f->loop, tick_stop, NULL);
    io_timer_start(&tick, base_dur_ms(5));
    io_loop_run_once(f->loop);
    io_timer_fini(&tick);
}

static inline struct mono_ns test_deadline(void)
{
    return base_mono_add(base_mono_now(), base_dur_s(IO_TEST_DEADLINE_S));
}

#define TURN_UNTIL(f, condition)                                                                   \
    for (struct mono_ns end_ = test_deadline(); !(condition); turn(f))                             \
    assert_true(base_mono_before(base_mono_now(), end_))

/* Adds all that has arrived to seen; false at the end of the connection. */
static inline bool take(int fd, struct base_buf *seen)
{
    char chunk[16384];
    ssize_t got;
    while ((got = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT)) > 0)
        assert_true(base_buf_append(seen, chunk, (size_t)got));
    return got < 0 && errno == EAGAIN;
}

/* Turns the loop until the peer has read `text`. */
static inline void expect(struct fixture *f, int fd, const char *text)
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
static inline void read_to_end(struct fixture *f, int fd, struct base_buf *seen)
{
    base_buf_init(seen, 1 << 20);
    TURN_UNTIL(f, !take(fd, seen));
}

static inline void still_serves(struct fixture *f)
{
    int fd = connect_to(f);
    put(fd, "GET /still HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(f, fd, "</still 0>");
    base_fd_close(&fd);
}

static inline int hold_one(struct fixture *f)
{
    int fd = connect_to(f);
    size_t before = f->held_count;
    put(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(f, f->held_count == before + 1);
    return fd;
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

#endif
