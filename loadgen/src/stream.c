/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "backoff.h"
#include "base/file.h"
#include "base/text.h"
#include "errand.h"
#include "stream_pool.h"

enum state {
    COLD, /* never tried */
    CONNECTING,
    SHAKING, /* hands: TLS */
    IDLE,
    SENDING,
    WAITING, /* for the response's end */
    BACKOFF,
    CLOSED,
    STATES
};

struct stream {
    struct load_conn head;
    struct load_stream_pool *own;
    struct io_watch watch;
    struct io_timer timer; /* the connect limit, or the back-off */
    const struct load_request *request;
    const char *bytes; /* of the request, fields filled in */
    char *rest;        /* bytes of its own once a send fell short of patched ones; mostly NULL */
    size_t written;
    int64_t opened_at; /* connect(2) was called */
    int64_t connected_at;
    int64_t first_at; /* bytes of the response came first */
    bool blocked;     /* the kernel did not take it at once */
    uint64_t bytes_in;
    uint64_t answers; /* on this connection since it was established */
    struct load_backoff backoff;
    struct load_tls_conn *tls; /* NULL: plain, or no socket */
    int fd;
    enum state state;
    _Alignas(max_align_t) unsigned char parser[LOAD_PARSER_MAX];
};

static struct stream *of(struct load_conn *conn)
{
    return (struct stream *)(void *)conn;
}

#define TO(state) (1U << (state))

static const unsigned moves[STATES] = {
    [COLD] = TO(CONNECTING) | TO(CLOSED),
    [CONNECTING] = TO(IDLE) | TO(SHAKING) | TO(BACKOFF) | TO(CLOSED),
    [SHAKING] = TO(IDLE) | TO(BACKOFF) | TO(CLOSED),
    [IDLE] = TO(SENDING) | TO(CONNECTING) | TO(BACKOFF) | TO(CLOSED),
    [SENDING] = TO(WAITING) | TO(CONNECTING) | TO(BACKOFF) | TO(CLOSED),
    [WAITING] = TO(IDLE) | TO(CONNECTING) | TO(BACKOFF) | TO(CLOSED),
    [BACKOFF] = TO(CONNECTING) | TO(CLOSED),
    [CLOSED] = 0,
};

static const unsigned established = TO(IDLE) | TO(SENDING) | TO(WAITING);

/* The one function that changes a connection's state. */
static void move(struct stream *conn, enum state to)
{
    unsigned from = 1U << conn->state;
    if ((moves[conn->state] & 1U << to) == 0)
        abort(); /* a bug here, and going on would count requests wrongly */
    conn->head.pool->established += (size_t)((1U << to & established) != 0);
    conn->head.pool->established -= (size_t)((from & established) != 0);
    conn->state = to;
}

static void on_timer(void *ctx);
static void on_socket(void *ctx, unsigned events);

static void stream_init(struct load_conn *head)
{
    struct stream *conn = of(head);
    conn->own = head->pool->engine;
    conn->fd = -1;
    io_timer_init(&conn->timer, head->pool->loop, on_timer, conn);
}

static void close_socket(struct stream *conn)
{
    io_timer_stop(&conn->timer);
    io_watch_fini(&conn->watch);
    load_tls_close(conn->tls);
    conn->tls = NULL;
    base_fd_close(&conn->fd);
}

static void drop_rest(struct stream *conn)
{
    free(conn->rest);
    conn->rest = NULL;
}

static void stream_fini(struct load_conn *head)
{
    struct stream *conn = of(head);
    if (conn->state == CLOSED)
        return;
    close_socket(conn);
    drop_rest(conn);
    if (conn->own->protocol->fini != NULL)
        conn->own->protocol->fini(conn->parser);
    io_timer_fini(&conn->timer);
    move(conn, CLOSED);
}

static void back_off(struct stream *conn)
{
    close_socket(conn);
    move(conn, BACKOFF);
    io_timer_start(&conn->timer, load_backoff_fail(&conn->backoff, &conn->head.pool->rng));
}

static void refused(struct stream *conn, enum load_cause cause)
{
    struct load_pool *pool = conn->head.pool;
    load_conn_note_refusal(&conn->head, cause, conn->tls != NULL ? load_tls_why(conn->tls) : NULL);
    back_off(conn);
    load_conn_settle(&conn->head, false);
    pool->on_refused(pool->ctx);
}

static void open_socket(struct stream *conn)
{
    const struct sockaddr *address = load_address_any(conn->head.address);
    move(conn, CONNECTING);
    conn->answers = 0;
    conn->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        refused(conn, load_cause_of_errno(errno));
        return;
    }
    conn->opened_at = base_mono_now().ns;
    static const int one = 1;
    /* Best effort: a request goes out in one send, so Nagle could only ever delay its tail. */
    (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    io_watch_init(&conn->watch, conn->head.pool->loop, conn->fd, on_socket, conn);
    if ((conn->head.source != NULL && !load_address_bind(conn->fd, conn->head.source)) ||
        (connect(conn->fd, address, conn->head.address->len) != 0 && errno != EINPROGRESS)) {
        refused(conn, load_cause_of_errno(errno));
        return;
    }
    io_watch_set(&conn->watch, IO_WRITE);
    io_timer_start(&conn->timer, conn->head.pool->connect_limit);
}

static void reopen(struct stream *conn)
{
    if (conn->answers == 0) {
        back_off(conn);
        return;
    }
    close_socket(conn);
    open_socket(conn);
}

static void on_timer(void *ctx)
{
    struct stream *conn = ctx;
    if (conn->state == CONNECTING || conn->state == SHAKING)
        refused(conn, LOAD_CAUSE_CONNECT_TIMEOUT);
    else if (conn->state == BACKOFF)
        open_socket(conn);
}

static void usable(struct stream *conn, int64_t now)
{
    struct load_pool *pool = conn->head.pool;
    io_timer_stop(&conn->timer);
    move(conn, IDLE);
    io_watch_set(&conn->watch, IO_READ);
    load_conn_settle(&conn->head, true);
    pool->on_opened(pool->ctx, (struct dur_ns){conn->connected_at - conn->opened_at},
                    (struct dur_ns){conn->tls == NULL ? -1 : now - conn->connected_at});
    pool->on_ready(pool->ctx, &conn->head, now);
}

static void shake(struct stream *conn)
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

static void connected(struct stream *conn)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0) {
        refused(conn, load_cause_of_errno(error));
        return;
    }
    conn->connected_at = base_mono_now().ns;
    struct load_tls *tls = conn->own->tls;
    if (tls == NULL) {
        usable(conn, conn->connected_at);
        return;
    }
    conn->tls = load_tls_open(tls, conn->fd, conn->head.address->number);
    if (conn->tls == NULL) {
        refused(conn, LOAD_CAUSE_OTHER);
        return;
    }
    move(conn, SHAKING);
    shake(conn);
}

static void end_badly(struct stream *conn, enum load_failure failure, enum load_cause cause,
                      int64_t now)
{
    struct load_outcome outcome = {.failure = failure,
                                   .cause = cause,
                                   .at = now,
                                   .bytes_in = conn->bytes_in,
                                   .bytes_out = conn->written};
    conn->head.pool->on_end(conn->head.pool->ctx, &conn->head, &outcome);
    if (cause == LOAD_CAUSE_TLS)
        refused(conn, cause);
    else
        reopen(conn);
}

static void fail(struct stream *conn, enum load_cause cause, int64_t now)
{
    end_badly(conn, load_cause_failure(cause), cause, now);
}

static void fail_protocol(struct stream *conn, int64_t now)
{
    end_badly(conn, LOAD_FAIL_PROTOCOL, LOAD_CAUSE_COUNT, now);
}

static void stream_abort(struct load_conn *head, int64_t now)
{
    struct stream *conn = of(head);
    fail(conn, conn->bytes_in == 0 ? LOAD_CAUSE_SILENT : LOAD_CAUSE_STALLED, now);
}

static void answered(struct stream *conn, int64_t now)
{
    struct load_pool *pool = conn->head.pool;
    struct load_outcome outcome = {.answered = true,
                                   .cause = LOAD_CAUSE_COUNT,
                                   .first_at = conn->first_at,
                                   .at = now,
                                   .bytes_in = conn->bytes_in,
                                   .bytes_out = conn->written};
    bool last = !conn->own->protocol->judge(conn->parser, &outcome);
    if (outcome.why != NULL && pool->reply_why[0] == '\0')
        (void)snprintf(pool->reply_why, sizeof pool->reply_why, "%s", outcome.why);
    conn->answers++;
    load_backoff_reset(&conn->backoff);
    /* An answer to a request that is not fully sent: the rest can be neither sent nor left out. */
    bool reuse = !last && conn->state == WAITING;
    if (reuse)
        move(conn, IDLE);
    pool->on_end(pool->ctx, &conn->head, &outcome);
    if (reuse)
        pool->on_ready(pool->ctx, &conn->head, now);
    else
        reopen(conn);
}

/* Of a response that somebody will look into (errand.h). */
__attribute__((noinline)) static void keep(struct stream *conn, size_t len)
{
    const struct load_stream_pool *own = conn->own;
    load_capture_add(&conn->head.due.errand->capture, own->buffer, len,
                     own->protocol->in_body(conn->parser));
}

/* false: the request has ended, the connection may be anything now. */
static bool received(struct stream *conn, size_t len)
{
    int64_t now = base_mono_now().ns;
    size_t used;
    if (conn->bytes_in == 0)
        conn->first_at = now;
    conn->bytes_in += len;
    if (__builtin_expect(conn->head.due.errand != NULL, 0))
        keep(conn, len);
    struct load_stream_pool *own = conn->own;
    const struct load_protocol *protocol = own->protocol;
    char *memory = own->memories + conn->head.due.route * protocol->memory_size;
    enum load_parse parse = protocol->feed(conn->parser, memory, own->buffer, len, &used);
    if (parse == LOAD_PARSE_MORE)
        return true;
    if (parse == LOAD_PARSE_BAD || used < len) /* more than one response to one request */
        fail_protocol(conn, now);
    else
        answered(conn, now);
    return false;
}

static bool ended(struct stream *conn)
{
    int64_t now = base_mono_now().ns;
    if (conn->own->protocol->eof(conn->parser) == LOAD_PARSE_DONE)
        answered(conn, now);
    else
        fail(conn, LOAD_CAUSE_CLOSED, now);
    return false;
}

/* The socket failed with errno while a request was in flight. */
static void broke(struct stream *conn)
{
    bool refusal = errno == EPROTO && conn->tls != NULL && conn->answers == 0;
    fail(conn, refusal ? LOAD_CAUSE_TLS : LOAD_CAUSE_RESET, base_mono_now().ns);
}

static ssize_t take(struct stream *conn)
{
    return conn->tls == NULL ? recv(conn->fd, conn->own->buffer, LOAD_STREAM_BUFFER, 0)
                             : load_tls_recv(conn->tls, conn->own->buffer, LOAD_STREAM_BUFFER);
}

static ssize_t give(struct stream *conn, const char *bytes, size_t len)
{
    return conn->tls == NULL ? send(conn->fd, bytes, len, MSG_NOSIGNAL)
                             : load_tls_send(conn->tls, bytes, len);
}

/* Nothing is left that no readiness would be reported for. TCP: level-triggered, so what a short
 * read left behind is reported again. */
static bool drained(const struct stream *conn, size_t len)
{
    return conn->tls == NULL ? len < LOAD_STREAM_BUFFER : !load_tls_pending(conn->tls);
}

/* As received(). */
static bool receive(struct stream *conn)
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
static void keep_rest(struct stream *conn)
{
    if (conn->request->patch_count == 0 || conn->rest != NULL)
        return;
    conn->rest = base_calloc(conn->request->len, 1);
    memcpy(conn->rest, conn->bytes, conn->request->len);
    conn->bytes = conn->rest;
}

/* From the file behind the request's bytes; at constant memory, whatever its size. */
static ssize_t give_file(struct stream *conn)
{
    const struct load_request *request = conn->request;
    off_t at = (off_t)(conn->written - request->len);
    if (conn->tls == NULL)
        return sendfile(conn->fd, request->file, &at, request->total - conn->written);
    /* What a write fell short of is read again: OpenSSL wants the same bytes. */
    ssize_t n = pread(request->file, conn->own->buffer, LOAD_STREAM_BUFFER, at);
    return n > 0 ? load_tls_send(conn->tls, conn->own->buffer, (size_t)n) : n;
}

static ssize_t give_next(struct stream *conn)
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
static void push(struct stream *conn)
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
        conn->head.pool->on_blocked(conn->head.pool->ctx, base_mono_now().ns - conn->head.sent_at);
    move(conn, WAITING);
    io_watch_set(&conn->watch, IO_READ);
}

static void stream_send(struct load_conn *head)
{
    struct stream *conn = of(head);
    struct load_stream_pool *own = conn->own;
    const struct load_request *request = __builtin_expect(head->due.errand != NULL, 0)
                                             ? &head->due.errand->request
                                             : &own->requests[head->due.route];
    move(conn, SENDING);
    conn->request = request;
    conn->bytes = request->bytes;
    if (request->patch_count > 0) {
        char *copy = own->patched[head->due.route];
        load_request_patch(request, copy, head->due.number, &head->pool->rng);
        conn->bytes = copy;
        drop_rest(conn);
    }
    conn->written = 0;
    conn->blocked = false;
    conn->bytes_in = 0;
    own->protocol->start(conn->parser, request);
    push(conn);
}

/* Nothing may come on an idle connection but its end; a server that says something first (408
 * before closing, for one) has closed it all the same. */
static void idle_readable(struct stream *conn)
{
    ssize_t n = take(conn);
    bool refusal = n < 0 && errno == EPROTO && conn->tls != NULL && conn->answers == 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return; /* over TLS that was a session ticket */
    conn->head.pool->on_unready(conn->head.pool->ctx, &conn->head);
    if (refusal) {
        refused(conn, LOAD_CAUSE_TLS);
        return;
    }
    if (conn->answers == 0)
        load_conn_note_refusal(&conn->head, LOAD_CAUSE_CONNECT_RESET, NULL);
    reopen(conn);
}

static void on_socket(void *ctx, unsigned events)
{
    struct stream *conn = ctx;
    switch (conn->state) {
    case WAITING:
        (void)receive(conn);
        break;
    case IDLE:
        idle_readable(conn);
        break;
    case SENDING:
        /* Reading first: a server that refuses a large body says so before it resets. */
        if (((events & IO_READ) == 0 || receive(conn)) && (events & IO_WRITE) != 0)
            push(conn);
        break;
    case CONNECTING:
        connected(conn);
        break;
    case SHAKING:
        shake(conn);
        break;
    case COLD:
    case BACKOFF:
    case CLOSED:
    case STATES:
        break;
    }
}

/* --- the row --- */

static void stream_open(struct load_conn *head)
{
    open_socket(of(head));
}

static bool prepare_http1(const struct load_spec *spec, void **prepared, struct base_error *err)
{
    return load_stream_prepare(&load_http1_protocol, spec, prepared, err);
}

static bool prepare_redis(const struct load_spec *spec, void **prepared, struct base_error *err)
{
    return load_stream_prepare(&load_redis_protocol, spec, prepared, err);
}

static bool prepare_tcp(const struct load_spec *spec, void **prepared, struct base_error *err)
{
    return load_stream_prepare(&load_tcp_protocol, spec, prepared, err);
}

#define STREAM                                                                                     \
    .conn_size = sizeof(struct stream), .discard = load_stream_discard,                            \
    .pool_init = load_stream_pool_init, .pool_fini = load_stream_pool_fini,                        \
    .count_tls = load_stream_count_tls, .init = stream_init, .open = stream_open,                  \
    .send = stream_send, .abort = stream_abort, .fini = stream_fini

const struct load_driver load_http1_driver = {
    .name = "http1", .flows = true, .prepare = prepare_http1, STREAM};
const struct load_driver load_redis_driver = {.name = "redis", .prepare = prepare_redis, STREAM};
const struct load_driver load_tcp_driver = {.name = "tcp", .prepare = prepare_tcp, STREAM};
