/* SPDX-License-Identifier: Apache-2.0 */
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define TO(state) (1U << LOAD_CONN_##state)

static const unsigned moves[LOAD_CONN_STATES] = {
    [LOAD_CONN_COLD] = TO(CONNECTING) | TO(CLOSED),
    [LOAD_CONN_CONNECTING] = TO(IDLE) | TO(BACKOFF) | TO(CLOSED),
    [LOAD_CONN_IDLE] = TO(SENDING) | TO(CONNECTING) | TO(BACKOFF) | TO(CLOSED),
    [LOAD_CONN_SENDING] = TO(WAITING) | TO(CONNECTING) | TO(BACKOFF) | TO(CLOSED),
    [LOAD_CONN_WAITING] = TO(IDLE) | TO(CONNECTING) | TO(BACKOFF) | TO(CLOSED),
    [LOAD_CONN_BACKOFF] = TO(CONNECTING) | TO(CLOSED),
    [LOAD_CONN_CLOSED] = 0,
};

static const unsigned established = TO(IDLE) | TO(SENDING) | TO(WAITING);

/* The one function that changes a connection's state. */
static void move(struct load_conn *conn, enum load_conn_state to)
{
    unsigned from = 1U << conn->state;
    if ((moves[conn->state] & 1U << to) == 0)
        abort(); /* a bug here, and going on would count requests wrongly */
    conn->pool->established += (size_t)((1U << to & established) != 0);
    conn->pool->established -= (size_t)((from & established) != 0);
    conn->state = to;
}

bool load_address_parse(const struct load_target *target, struct load_address *out,
                        struct base_error *err)
{
    struct load_address made = {.len = 0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&made.storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&made.storage;
    if (inet_pton(AF_INET, target->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(target->port);
        made.len = sizeof *v4;
    } else if (inet_pton(AF_INET6, target->address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(target->port);
        made.len = sizeof *v6;
    } else {
        return base_fail(err, BASE_INVALID,
                         "target \"%s\" is not an IPv4 or IPv6 address: resolve names first",
                         target->address);
    }
    *out = made;
    return true;
}

static void on_timer(void *ctx);
static void on_socket(void *ctx, unsigned events);

void load_conn_init(struct load_conn *conn, struct load_pool *pool,
                    const struct load_address *address)
{
    *conn = (struct load_conn){.pool = pool, .address = address, .fd = -1, .state = LOAD_CONN_COLD};
    io_timer_init(&conn->timer, pool->loop, on_timer, conn);
    pool->count++;
}

static void close_socket(struct load_conn *conn)
{
    io_timer_stop(&conn->timer);
    io_watch_fini(&conn->watch);
    base_fd_close(&conn->fd);
}

void load_conn_fini(struct load_conn *conn)
{
    if (conn->pool == NULL || conn->state == LOAD_CONN_CLOSED)
        return;
    close_socket(conn);
    io_timer_fini(&conn->timer);
    move(conn, LOAD_CONN_CLOSED);
}

static void settle(struct load_conn *conn, bool reached)
{
    struct load_pool *pool = conn->pool;
    if (!conn->settled)
        pool->settled++;
    conn->settled = true;
    if (conn->unreachable && reached)
        pool->unreachable--;
    else if (!conn->unreachable && !reached)
        pool->unreachable++;
    conn->unreachable = !reached;
}

static void back_off(struct load_conn *conn)
{
    close_socket(conn);
    move(conn, LOAD_CONN_BACKOFF);
    io_timer_start(&conn->timer, load_backoff_fail(&conn->backoff, &conn->pool->rng));
}

static void refused(struct load_conn *conn, int error)
{
    struct load_pool *pool = conn->pool;
    /* connect(2), EADDRNOTAVAIL: every local port towards this target is taken. */
    if (error == EADDRNOTAVAIL || error == EMFILE || error == ENFILE)
        pool->out_of_ports++;
    back_off(conn);
    settle(conn, false);
    pool->on_refused(pool->ctx);
}

void load_conn_open(struct load_conn *conn)
{
    const struct sockaddr *address = (const struct sockaddr *)(const void *)&conn->address->storage;
    move(conn, LOAD_CONN_CONNECTING);
    conn->answers = 0;
    conn->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        refused(conn, errno);
        return;
    }
    static const int one = 1;
    /* Best effort: a request goes out in one send, so Nagle could only ever delay its tail. */
    (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    io_watch_init(&conn->watch, conn->pool->loop, conn->fd, on_socket, conn);
    if (connect(conn->fd, address, conn->address->len) != 0 && errno != EINPROGRESS) {
        refused(conn, errno);
        return;
    }
    io_watch_set(&conn->watch, IO_WRITE);
    io_timer_start(&conn->timer, conn->pool->connect_limit);
}

static void reopen(struct load_conn *conn)
{
    if (conn->answers == 0) {
        back_off(conn);
        return;
    }
    close_socket(conn);
    load_conn_open(conn);
}

static void on_timer(void *ctx)
{
    struct load_conn *conn = ctx;
    if (conn->state == LOAD_CONN_CONNECTING)
        refused(conn, ETIMEDOUT);
    else if (conn->state == LOAD_CONN_BACKOFF)
        load_conn_open(conn);
}

static void connected(struct load_conn *conn)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0) {
        refused(conn, error);
        return;
    }
    io_timer_stop(&conn->timer);
    move(conn, LOAD_CONN_IDLE);
    io_watch_set(&conn->watch, IO_READ);
    settle(conn, true);
    conn->pool->on_ready(conn->pool->ctx, conn, base_mono_now().ns);
}

static void fail(struct load_conn *conn, enum load_failure failure, int64_t now)
{
    struct load_outcome outcome = {.failure = failure, .at = now, .bytes_in = conn->bytes_in};
    conn->pool->on_end(conn->pool->ctx, conn, &outcome);
    reopen(conn);
}

void load_conn_abort(struct load_conn *conn, enum load_failure failure, int64_t now)
{
    fail(conn, failure, now);
}

/* 2xx and 3xx are what a browser or client would go on with. */
static void classify(struct load_outcome *outcome, unsigned status)
{
    outcome->ok = status < 400;
    outcome->failure = status < 500   ? LOAD_FAIL_HTTP_4XX
                       : status < 600 ? LOAD_FAIL_HTTP_5XX
                                      : LOAD_FAIL_STATUS;
}

static void answered(struct load_conn *conn, int64_t now)
{
    struct load_pool *pool = conn->pool;
    struct load_outcome outcome = {.answered = true, .at = now, .bytes_in = conn->bytes_in};
    classify(&outcome, conn->response.status);
    conn->answers++;
    load_backoff_reset(&conn->backoff);
    /* An answer to a request that is not fully sent: the rest can be neither sent nor left out. */
    bool reuse = !conn->response.close && conn->state == LOAD_CONN_WAITING;
    if (reuse)
        move(conn, LOAD_CONN_IDLE);
    pool->on_end(pool->ctx, conn, &outcome);
    if (reuse)
        pool->on_ready(pool->ctx, conn, now);
    else
        reopen(conn);
}

/* false: the request has ended, the connection may be anything now. */
static bool received(struct load_conn *conn, size_t len)
{
    struct load_pool *pool = conn->pool;
    int64_t now = base_mono_now().ns;
    size_t used;
    conn->bytes_in += len;
    enum load_parse parse = load_response_feed_memo(&conn->response, &pool->memos[conn->due.route],
                                                    pool->buffer, len, &used);
    if (parse == LOAD_PARSE_MORE)
        return true;
    if (parse == LOAD_PARSE_BAD || used < len) /* more than one response to one request */
        fail(conn, LOAD_FAIL_PROTOCOL, now);
    else
        answered(conn, now);
    return false;
}

static bool ended(struct load_conn *conn)
{
    int64_t now = base_mono_now().ns;
    if (load_response_eof(&conn->response) == LOAD_PARSE_DONE)
        answered(conn, now);
    else
        fail(conn, LOAD_FAIL_RESET, now);
    return false;
}

/* As received(). */
static bool receive(struct load_conn *conn)
{
    struct load_pool *pool = conn->pool;
    for (;;) {
        ssize_t n = recv(conn->fd, pool->buffer, pool->buffer_len, 0);
        if (n > 0) {
            if (!received(conn, (size_t)n))
                return false;
            /* Level-triggered: what a short read left behind is reported again. */
            if ((size_t)n < pool->buffer_len)
                return true;
        } else if (n == 0) {
            return ended(conn);
        } else if (errno == EAGAIN) {
            return true;
        } else if (errno != EINTR) {
            fail(conn, LOAD_FAIL_RESET, base_mono_now().ns);
            return false;
        }
    }
}

/* Writes what is left. */
static void push(struct load_conn *conn)
{
    const struct load_request *request = conn->request;
    ssize_t n;
    do {
        n = send(conn->fd, request->bytes + conn->written, request->len - conn->written,
                 MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        fail(conn, LOAD_FAIL_RESET, base_mono_now().ns);
        return;
    }
    conn->written += n > 0 ? (size_t)n : 0;
    if (conn->written < request->len) {
        conn->blocked = true;
        io_watch_set(&conn->watch, IO_READ | IO_WRITE);
        return;
    }
    if (conn->blocked)
        conn->pool->on_blocked(conn->pool->ctx, base_mono_now().ns - conn->sent_at);
    move(conn, LOAD_CONN_WAITING);
    io_watch_set(&conn->watch, IO_READ);
}

void load_conn_send(struct load_conn *conn, const struct load_request *request, int64_t now)
{
    move(conn, LOAD_CONN_SENDING);
    conn->request = request;
    conn->written = 0;
    conn->blocked = false;
    conn->bytes_in = 0;
    conn->sent_at = now;
    load_response_start(&conn->response, request->head);
    push(conn);
}

/* Nothing may come on an idle connection but its end; a server that says something first (408
 * before closing, for one) has closed it all the same. */
static void idle_readable(struct load_conn *conn)
{
    ssize_t n = recv(conn->fd, conn->pool->buffer, conn->pool->buffer_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    conn->pool->on_unready(conn->pool->ctx, conn);
    reopen(conn);
}

static void on_socket(void *ctx, unsigned events)
{
    struct load_conn *conn = ctx;
    switch (conn->state) {
    case LOAD_CONN_WAITING:
        (void)receive(conn);
        break;
    case LOAD_CONN_IDLE:
        idle_readable(conn);
        break;
    case LOAD_CONN_SENDING:
        /* Reading first: a server that refuses a large body says so before it resets. */
        if (((events & IO_READ) == 0 || receive(conn)) && (events & IO_WRITE) != 0)
            push(conn);
        break;
    case LOAD_CONN_CONNECTING:
        connected(conn);
        break;
    case LOAD_CONN_COLD:
    case LOAD_CONN_BACKOFF:
    case LOAD_CONN_CLOSED:
    case LOAD_CONN_STATES:
        break;
    }
}
