/* SPDX-License-Identifier: Apache-2.0 */
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define TO(state) (1U << LOAD_CONN_##state)

static const unsigned moves[LOAD_CONN_STATES] = {
    [LOAD_CONN_COLD] = TO(CONNECTING) | TO(CLOSED),
    [LOAD_CONN_CONNECTING] = TO(IDLE) | TO(SHAKING) | TO(BACKOFF) | TO(CLOSED),
    [LOAD_CONN_SHAKING] = TO(IDLE) | TO(BACKOFF) | TO(CLOSED),
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

bool load_address_parse(const struct load_target *target, size_t number, struct load_address *out,
                        struct base_error *err)
{
    struct load_address made = {.number = number};
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

static const struct sockaddr *address_of(const struct load_address *address)
{
    return (const struct sockaddr *)(const void *)&address->storage;
}

/* The port is left open until connect(2), so that one port serves many targets:
 * ip(7), IP_BIND_ADDRESS_NO_PORT. */
static bool bind_source(int fd, const struct load_address *source)
{
    static const int one = 1;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    return bind(fd, address_of(source), source->len) == 0;
}

bool load_source_check(const struct load_address *source, const char *text,
                       const struct load_address *targets, size_t target_count,
                       struct base_error *err)
{
    for (size_t i = 0; i < target_count; i++)
        if (targets[i].storage.ss_family != source->storage.ss_family)
            return base_fail(err, BASE_INVALID,
                             "source address %s and a target are not both IPv4 or both IPv6", text);
    BASE_AUTO_FD int fd = socket(source->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return base_fail_errno(err, "cannot make a socket");
    return bind_source(fd, source) ||
           base_fail(err, BASE_INVALID,
                     "cannot connect from source address %s (%s): give it to an interface of this "
                     "machine first",
                     text, strerrordesc_np(errno));
}

static void on_timer(void *ctx);
static void on_socket(void *ctx, unsigned events);

void load_conn_init(struct load_conn *conn, struct load_pool *pool,
                    const struct load_address *address, const struct load_address *source)
{
    *conn = (struct load_conn){
        .pool = pool, .address = address, .source = source, .fd = -1, .state = LOAD_CONN_COLD};
    io_timer_init(&conn->timer, pool->loop, on_timer, conn);
    pool->count++;
}

static void close_socket(struct load_conn *conn)
{
    io_timer_stop(&conn->timer);
    io_watch_fini(&conn->watch);
    load_tls_close(conn->tls);
    conn->tls = NULL;
    base_fd_close(&conn->fd);
}

static void drop_rest(struct load_conn *conn)
{
    free(conn->rest);
    conn->rest = NULL;
}

void load_conn_fini(struct load_conn *conn)
{
    if (conn->pool == NULL || conn->state == LOAD_CONN_CLOSED)
        return;
    close_socket(conn);
    drop_rest(conn);
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

static enum load_cause cause_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return LOAD_CAUSE_REFUSED;
    case EHOSTUNREACH:
    case ENETUNREACH:
        return LOAD_CAUSE_UNREACHABLE;
    case ETIMEDOUT:
        return LOAD_CAUSE_CONNECT_TIMEOUT;
    case ECONNRESET:
        return LOAD_CAUSE_CONNECT_RESET;
    case EADDRNOTAVAIL: /* connect(2): every local port towards this target is taken */
        return LOAD_CAUSE_NO_PORT;
    case EMFILE:
    case ENFILE:
        return LOAD_CAUSE_NO_DESCRIPTOR;
    default:
        return LOAD_CAUSE_OTHER;
    }
}

static void note_refusal(struct load_conn *conn, enum load_cause cause)
{
    struct load_pool *pool = conn->pool;
    struct load_refusals *refusals = &pool->refusals[cause];
    pool->refusal = cause;
    if (refusals->attempts++ == 0)
        refusals->address = conn->address;
    if (cause == LOAD_CAUSE_NO_PORT || cause == LOAD_CAUSE_NO_DESCRIPTOR)
        pool->out_of_ports++;
    if (cause == LOAD_CAUSE_TLS && pool->tls_why[0] == '\0' && conn->tls != NULL)
        (void)snprintf(pool->tls_why, sizeof pool->tls_why, "%s", load_tls_why(conn->tls));
}

static void refused(struct load_conn *conn, enum load_cause cause)
{
    struct load_pool *pool = conn->pool;
    note_refusal(conn, cause);
    back_off(conn);
    settle(conn, false);
    pool->on_refused(pool->ctx);
}

void load_conn_open(struct load_conn *conn)
{
    const struct sockaddr *address = address_of(conn->address);
    move(conn, LOAD_CONN_CONNECTING);
    conn->answers = 0;
    conn->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        refused(conn, cause_of(errno));
        return;
    }
    conn->opened_at = base_mono_now().ns;
    static const int one = 1;
    /* Best effort: a request goes out in one send, so Nagle could only ever delay its tail. */
    (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    io_watch_init(&conn->watch, conn->pool->loop, conn->fd, on_socket, conn);
    if ((conn->source != NULL && !bind_source(conn->fd, conn->source)) ||
        (connect(conn->fd, address, conn->address->len) != 0 && errno != EINPROGRESS)) {
        refused(conn, cause_of(errno));
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
    if (conn->state == LOAD_CONN_CONNECTING || conn->state == LOAD_CONN_SHAKING)
        refused(conn, LOAD_CAUSE_CONNECT_TIMEOUT);
    else if (conn->state == LOAD_CONN_BACKOFF)
        load_conn_open(conn);
}

static void usable(struct load_conn *conn, int64_t now)
{
    struct load_pool *pool = conn->pool;
    io_timer_stop(&conn->timer);
    move(conn, LOAD_CONN_IDLE);
    io_watch_set(&conn->watch, IO_READ);
    settle(conn, true);
    pool->on_opened(pool->ctx, (struct dur_ns){conn->connected_at - conn->opened_at},
                    (struct dur_ns){conn->tls == NULL ? -1 : now - conn->connected_at});
    pool->on_ready(pool->ctx, conn, now);
}

static void shake(struct load_conn *conn)
{
    switch (load_tls_handshake(conn->tls)) {
    case LOAD_TLS_WANTS_READ:
        io_watch_set(&conn->watch, IO_READ);
        break;
    case LOAD_TLS_WANTS_WRITE:
        io_watch_set(&conn->watch, IO_WRITE);
        break;
    case LOAD_TLS_DONE:
        usable(conn, base_mono_now().ns);
        break;
    case LOAD_TLS_FAILED:
        refused(conn, LOAD_CAUSE_TLS);
        break;
    case LOAD_TLS_ENDED:
        refused(conn, LOAD_CAUSE_CONNECT_RESET);
        break;
    }
}

static void connected(struct load_conn *conn)
{
    struct load_pool *pool = conn->pool;
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0) {
        refused(conn, cause_of(error));
        return;
    }
    conn->connected_at = base_mono_now().ns;
    if (pool->tls == NULL) {
        usable(conn, conn->connected_at);
        return;
    }
    conn->tls = load_tls_open(pool->tls, conn->fd, conn->address->number);
    if (conn->tls == NULL) {
        refused(conn, LOAD_CAUSE_OTHER);
        return;
    }
    move(conn, LOAD_CONN_SHAKING);
    shake(conn);
}

static void end_badly(struct load_conn *conn, enum load_failure failure, enum load_cause cause,
                      int64_t now)
{
    struct load_outcome outcome = {
        .failure = failure, .cause = cause, .at = now, .bytes_in = conn->bytes_in};
    conn->pool->on_end(conn->pool->ctx, conn, &outcome);
    if (cause == LOAD_CAUSE_TLS)
        refused(conn, cause);
    else
        reopen(conn);
}

static void fail(struct load_conn *conn, enum load_cause cause, int64_t now)
{
    end_badly(conn, load_cause_failure(cause), cause, now);
}

static void fail_protocol(struct load_conn *conn, int64_t now)
{
    end_badly(conn, LOAD_FAIL_PROTOCOL, LOAD_CAUSE_COUNT, now);
}

void load_conn_abort(struct load_conn *conn, int64_t now)
{
    fail(conn, conn->bytes_in == 0 ? LOAD_CAUSE_SILENT : LOAD_CAUSE_STALLED, now);
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
    struct load_outcome outcome = {.answered = true,
                                   .cause = LOAD_CAUSE_COUNT,
                                   .first_at = conn->first_at,
                                   .at = now,
                                   .bytes_in = conn->bytes_in};
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
    if (conn->bytes_in == 0)
        conn->first_at = now;
    conn->bytes_in += len;
    enum load_parse parse = load_response_feed_memo(&conn->response, &pool->memos[conn->due.route],
                                                    pool->buffer, len, &used);
    if (parse == LOAD_PARSE_MORE)
        return true;
    if (parse == LOAD_PARSE_BAD || used < len) /* more than one response to one request */
        fail_protocol(conn, now);
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
        fail(conn, LOAD_CAUSE_CLOSED, now);
    return false;
}

/* The socket failed with errno while a request was in flight. */
static void broke(struct load_conn *conn)
{
    bool refusal = errno == EPROTO && conn->tls != NULL && conn->answers == 0;
    fail(conn, refusal ? LOAD_CAUSE_TLS : LOAD_CAUSE_RESET, base_mono_now().ns);
}

static ssize_t take(struct load_conn *conn)
{
    struct load_pool *pool = conn->pool;
    return conn->tls == NULL ? recv(conn->fd, pool->buffer, pool->buffer_len, 0)
                             : load_tls_recv(conn->tls, pool->buffer, pool->buffer_len);
}

static ssize_t give(struct load_conn *conn, const char *bytes, size_t len)
{
    return conn->tls == NULL ? send(conn->fd, bytes, len, MSG_NOSIGNAL)
                             : load_tls_send(conn->tls, bytes, len);
}

/* Nothing is left that no readiness would be reported for. TCP: level-triggered, so what a short
 * read left behind is reported again. */
static bool drained(const struct load_conn *conn, size_t len)
{
    return conn->tls == NULL ? len < conn->pool->buffer_len : !load_tls_pending(conn->tls);
}

/* As received(). */
static bool receive(struct load_conn *conn)
{
    for (;;) {
        ssize_t n = take(conn);
        if (n > 0) {
            if (!received(conn, (size_t)n))
                return false;
            if (drained(conn, (size_t)n))
                return true;
        } else if (n == 0) {
            return ended(conn);
        } else if (errno == EAGAIN) {
            return true;
        } else if (errno != EINTR) {
            broke(conn);
            return false;
        }
    }
}

/* The worker's patched copy is for the request that is being sent now; the next may be another
 * connection's. */
static void keep_rest(struct load_conn *conn)
{
    if (conn->request->patch_count == 0 || conn->rest != NULL)
        return;
    conn->rest = base_calloc(conn->request->len, 1);
    memcpy(conn->rest, conn->bytes, conn->request->len);
    conn->bytes = conn->rest;
}

/* From the file behind the request's bytes; at constant memory, whatever its size. */
static ssize_t give_file(struct load_conn *conn)
{
    const struct load_request *request = conn->request;
    struct load_pool *pool = conn->pool;
    off_t at = (off_t)(conn->written - request->len);
    if (conn->tls == NULL)
        return sendfile(conn->fd, request->file, &at, request->total - conn->written);
    /* What a write fell short of is read again: OpenSSL wants the same bytes. */
    ssize_t n = pread(request->file, pool->buffer, pool->buffer_len, at);
    return n > 0 ? load_tls_send(conn->tls, pool->buffer, (size_t)n) : n;
}

static ssize_t give_next(struct load_conn *conn)
{
    const struct load_request *request = conn->request;
    ssize_t n;
    do {
        n = conn->written < request->len
                ? give(conn, conn->bytes + conn->written, request->len - conn->written)
                : give_file(conn);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* Writes what is left, as much as is taken. */
static void push(struct load_conn *conn)
{
    const struct load_request *request = conn->request;
    for (;;) {
        bool head = conn->written < request->len;
        ssize_t n = give_next(conn);
        if (n == 0)
            errno = EIO; /* the file has become shorter */
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            broke(conn);
            return;
        }
        conn->written += n > 0 ? (size_t)n : 0;
        if (conn->written == request->total)
            break;
        if (head && conn->written == request->len)
            continue;
        conn->blocked = true;
        keep_rest(conn);
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
    conn->bytes = request->bytes;
    if (request->patch_count > 0) {
        char *copy = conn->pool->patched[conn->due.route];
        load_request_patch(request, copy, conn->due.number, &conn->pool->rng);
        conn->bytes = copy;
        drop_rest(conn);
    }
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
    ssize_t n = take(conn);
    bool refusal = n < 0 && errno == EPROTO && conn->tls != NULL && conn->answers == 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return; /* over TLS that was a session ticket */
    conn->pool->on_unready(conn->pool->ctx, conn);
    if (refusal) {
        refused(conn, LOAD_CAUSE_TLS);
        return;
    }
    if (conn->answers == 0)
        note_refusal(conn, LOAD_CAUSE_CONNECT_RESET);
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
    case LOAD_CONN_SHAKING:
        shake(conn);
        break;
    case LOAD_CONN_COLD:
    case LOAD_CONN_BACKOFF:
    case LOAD_CONN_CLOSED:
    case LOAD_CONN_STATES:
        break;
    }
}
