/* SPDX-License-Identifier: Apache-2.0 */
/* A driver of the proxy between two real TCP connections over loopback, without a namespace and a
 * redirect: this file stands in for proxy.c. The test holds the outer ends. */
#ifndef TEST_CHAOS_PROXIED_H
#define TEST_CHAOS_PROXIED_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "proxy.h"

struct proxy_conn {
    const struct proxy_driver *driver;
    const void *rules;
    void *shared;
    void *state;
    struct io_loop *loop;
    int fd[2];
    struct io_watch watch[2];
    bool closed;
};

struct proxied {
    struct proxy_conn conn;
    struct io_timer tick; /* the outer ends are looked at so often */
    int outer[2];         /* the client's and the server's own */
    unsigned turns;
};

const void *proxy_conn_rules(const struct proxy_conn *conn)
{
    return conn->rules;
}
void *proxy_conn_state(const struct proxy_conn *conn)
{
    return conn->state;
}
void *proxy_conn_shared(const struct proxy_conn *conn)
{
    return conn->shared;
}
struct io_loop *proxy_conn_loop(const struct proxy_conn *conn)
{
    return conn->loop;
}
int proxy_conn_fd(const struct proxy_conn *conn, enum proxy_end end)
{
    return conn->fd[end];
}
bool proxy_conn_closed(const struct proxy_conn *conn)
{
    return conn->closed;
}
void proxy_conn_watch(struct proxy_conn *conn, enum proxy_end end, unsigned events)
{
    if (!conn->closed)
        io_watch_set(&conn->watch[end], events);
}

void proxy_conn_close(struct proxy_conn *conn, enum proxy_close how)
{
    if (conn->closed)
        return;
    conn->closed = true;
    conn->driver->finish(conn);
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++) {
        const struct linger linger = {.l_onoff = how == PROXY_RESET ? 1 : 0};
        io_watch_fini(&conn->watch[end]);
        (void)setsockopt(conn->fd[end], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        (void)close(conn->fd[end]);
        conn->fd[end] = -1;
    }
}

static void proxied_on_client(void *ctx, unsigned events)
{
    struct proxy_conn *conn = ctx;
    (void)events;
    conn->driver->on_ready(conn, PROXY_CLIENT);
}
static void proxied_on_server(void *ctx, unsigned events)
{
    struct proxy_conn *conn = ctx;
    (void)events;
    conn->driver->on_ready(conn, PROXY_SERVER);
}
static void proxied_on_tick(void *ctx)
{
    struct proxied *proxied = ctx;
    io_timer_start(&proxied->tick, base_dur_ms(1));
}

static inline void proxied_connect(int *one, int *other)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    static const int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    *one = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(*one, (const struct sockaddr *)&at, sizeof at), 0);
    *other = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(*other >= 0);
    (void)setsockopt(*one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)close(listener);
}

static inline void proxied_start(struct proxied *proxied, const struct proxy_driver *driver,
                                 const void *rules)
{
    struct base_error err = {0};
    struct proxy_conn *conn = &proxied->conn;
    (void)signal(SIGPIPE, SIG_IGN);
    *proxied = (struct proxied){.conn = {.driver = driver, .rules = rules}};
    conn->loop = io_loop_new(&err);
    assert_non_null(conn->loop);
    conn->state = base_calloc(1, driver->state_size);
    conn->shared = base_calloc(1, driver->shared_size + 1);
    if (driver->share != NULL)
        driver->share(conn->shared, rules, 0);
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++) {
        proxied_connect(&proxied->outer[end], &conn->fd[end]);
        io_watch_init(&conn->watch[end], conn->loop, conn->fd[end],
                      end == PROXY_CLIENT ? proxied_on_client : proxied_on_server, conn);
    }
    io_timer_init(&proxied->tick, conn->loop, proxied_on_tick, proxied);
    io_timer_start(&proxied->tick, (struct dur_ns){0});
    if (driver->wants_server != NULL)
        (void)driver->wants_server(conn);
    driver->begin(conn);
}

static inline void proxied_stop(struct proxied *proxied)
{
    proxy_conn_close(&proxied->conn, PROXY_RESET);
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++)
        (void)close(proxied->outer[end]);
    io_timer_fini(&proxied->tick);
    io_loop_free(proxied->conn.loop);
    free(proxied->conn.state);
    free(proxied->conn.shared);
}

/* A turn of the proxy's loop; fails after some thousand of them. */
static inline void proxied_turn(struct proxied *proxied)
{
    assert_true(++proxied->turns < 5000);
    io_loop_run_once(proxied->conn.loop);
}

/* As much as the proxy lets in while it works; what one was told when no more went. */
static inline int proxied_say(struct proxied *proxied, enum proxy_end end, const void *data,
                              size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = send(proxied->outer[end], at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return errno;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
        proxied_turn(proxied);
    }
    return 0;
}

static inline int proxied_text(struct proxied *proxied, enum proxy_end end, const char *text)
{
    return proxied_say(proxied, end, text, strlen(text));
}

enum proxied_end { PROXIED_ENOUGH, PROXIED_CLOSED, PROXIED_RESET };

/* Up to len bytes, into out with a NUL; *got of them until it ended. */
static inline enum proxied_end proxied_hear(struct proxied *proxied, enum proxy_end end, char *out,
                                            size_t len, size_t *got)
{
    *got = 0;
    for (;;) {
        out[*got] = '\0';
        if (*got == len)
            return PROXIED_ENOUGH;
        ssize_t n = recv(proxied->outer[end], out + *got, len - *got, MSG_DONTWAIT);
        if (n == 0)
            return PROXIED_CLOSED;
        if (n < 0 && errno != EAGAIN)
            return PROXIED_RESET;
        if (n > 0)
            *got += (size_t)n;
        else
            proxied_turn(proxied);
    }
}

/* Exactly this text. */
static inline void proxied_expect(struct proxied *proxied, enum proxy_end end, const char *text)
{
    size_t len = strlen(text);
    size_t got;
    char *heard = base_calloc(1, len + 1);
    if (proxied_hear(proxied, end, heard, len, &got) != PROXIED_ENOUGH || strcmp(heard, text) != 0)
        fail_msg("heard \"%s\", expected \"%s\"", heard, text);
    free(heard);
}

/* With a reset: what lies unread there, or SO_LINGER, makes it one. */
static inline void proxied_abandon(struct proxied *proxied, enum proxy_end end)
{
    const struct linger linger = {.l_onoff = 1};
    (void)setsockopt(proxied->outer[end], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    (void)close(proxied->outer[end]);
    proxied->outer[end] = -1;
}

#endif
