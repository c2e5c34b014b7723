/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/text.h"
#include "errand.h"
#include "line.h"
#include "stream_pool.h"

enum state {
    OFF, /* the line is not up */
    IDLE,
    SENDING,
    WAITING, /* for the response's end */
    CLOSED,
    STATES
};

/* In an order that touches few cache lines a request (see struct load_line). */
struct stream {
    struct load_conn head;
    struct load_stream_pool *own;
    const struct load_request *requests; /* for its target, one a route */
    const struct load_request *request;
    const char *bytes; /* of the request, fields filled in */
    char *rest;        /* bytes of its own once a send fell short of patched ones; mostly NULL */
    size_t written;
    int64_t first_at; /* bytes of the response came first */
    uint64_t bytes_in;
    uint64_t answers; /* on this connection since it was established */
    enum state state;
    bool blocked; /* the kernel did not take it at once */
    struct load_line line;
    _Alignas(max_align_t) unsigned char parser[LOAD_PARSER_MAX];
};

static struct stream *of(struct load_conn *conn)
{
    return (struct stream *)(void *)conn;
}

#define TO(state) (1U << (state))

static const unsigned moves[STATES] = {
    [OFF] = TO(IDLE) | TO(CLOSED),
    [IDLE] = TO(SENDING) | TO(OFF) | TO(CLOSED),
    [SENDING] = TO(WAITING) | TO(OFF) | TO(CLOSED),
    [WAITING] = TO(IDLE) | TO(OFF) | TO(CLOSED),
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

static const struct load_line_owner owner;

static void stream_init(struct load_conn *head)
{
    struct stream *conn = of(head);
    conn->own = head->pool->engine;
    conn->requests = conn->own->requests + head->address->number * conn->own->next;
    load_line_init(&conn->line, head, conn->own->tls, &owner, conn);
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
    load_line_fini(&conn->line);
    drop_rest(conn);
    if (conn->own->protocol->fini != NULL)
        conn->own->protocol->fini(conn->parser);
    move(conn, CLOSED);
}

static void on_refused(void *ctx, enum load_cause cause, const char *why)
{
    struct stream *conn = ctx;
    struct load_pool *pool = conn->head.pool;
    load_conn_note_refusal(&conn->head, cause, why);
    load_conn_settle(&conn->head, false);
    pool->on_refused(pool->ctx);
}

static void refused(struct stream *conn, enum load_cause cause)
{
    move(conn, OFF);
    load_line_refuse(&conn->line, cause, NULL);
}

/* One that answered before it was lost is opened again at once. */
static void reopen(struct stream *conn)
{
    move(conn, OFF);
    load_line_reopen(&conn->line, conn->answers > 0);
}

static void on_up(void *ctx, int64_t now)
{
    struct stream *conn = ctx;
    struct load_pool *pool = conn->head.pool;
    conn->answers = 0;
    move(conn, IDLE);
    load_conn_settle(&conn->head, true);
    pool->on_opened(pool->ctx, load_line_connect_time(&conn->line),
                    load_line_tls_time(&conn->line, now));
    pool->on_ready(pool->ctx, &conn->head, now);
}

static void end_badly(struct stream *conn, enum load_failure failure, enum load_cause cause,
                      int64_t now)
{
    struct load_outcome outcome = {.failure = failure,
                                   .cause = cause,
                                   .at = now,
                                   .bytes_in = conn->bytes_in,
                                   .bytes_out = conn->written};
    struct load_pool *pool = conn->head.pool;
    pool->on_end(pool->ctx, &conn->head, &outcome);
    if (cause == LOAD_CAUSE_TLS) {
        refused(conn, cause);
        return;
    }
    if (conn->answers == 0)
        pool->refusal = failure == LOAD_FAIL_RESET ? LOAD_CAUSE_CONNECT_RESET : LOAD_CAUSE_UNUSABLE;
    reopen(conn);
}

static void fail(struct stream *conn, enum load_cause cause, int64_t now)
{
    end_badly(conn, load_cause_failure(cause), cause, now);
}

static void fail_protocol(struct stream *conn, const char *why, int64_t now)
{
    load_pool_note_malformed(conn->head.pool, why);
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
    load_pool_note_outcome(pool, &outcome);
    conn->answers++;
    load_backoff_reset(&conn->line.backoff);
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
    if (parse == LOAD_PARSE_BAD)
        fail_protocol(conn, protocol->fault(conn->parser), now);
    else if (used < len)
        fail_protocol(conn, LOAD_MORE_THAN_ASKED, now);
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
    bool refusal = load_line_refused_late(&conn->line) && conn->answers == 0;
    fail(conn, refusal ? LOAD_CAUSE_TLS : LOAD_CAUSE_RESET, base_mono_now().ns);
}

/* As received(). */
static bool receive(struct stream *conn)
{
    for (;;) {
        ssize_t n = load_line_take(&conn->line, conn->own->buffer, LOAD_STREAM_BUFFER);
        if (n > 0) {
            if (n == LOAD_STREAM_BUFFER) /* a response that ends here would hide what follows */
                io_watch_again(&conn->line.watch);
            if (!received(conn, (size_t)n))
                return false;
            if (load_line_drained(&conn->line, (size_t)n, LOAD_STREAM_BUFFER))
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
    if (conn->line.tls == NULL)
        return sendfile(conn->line.fd, request->file, &at, request->total - conn->written);
    /* What a write fell short of is read again: OpenSSL wants the same bytes. */
    ssize_t n = pread(request->file, conn->own->buffer, LOAD_STREAM_BUFFER, at);
    return n > 0 ? load_tls_send(conn->line.tls, conn->own->buffer, (size_t)n) : n;
}

static ssize_t give_next(struct stream *conn)
{
    const struct load_request *request = conn->request;
    ssize_t n;
    do {
        n = conn->written < request->len ? load_line_give(&conn->line, conn->bytes + conn->written,
                                                          request->len - conn->written)
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
        io_watch_set(&conn->line.watch, IO_READ | IO_WRITE);
        return;
    }
    if (conn->blocked)
        conn->head.pool->on_blocked(conn->head.pool->ctx, base_mono_now().ns - conn->head.sent_at);
    move(conn, WAITING);
    io_watch_set(&conn->line.watch, IO_READ);
}

static void stream_send(struct load_conn *head)
{
    struct stream *conn = of(head);
    struct load_stream_pool *own = conn->own;
    const struct load_request *request = __builtin_expect(head->due.errand != NULL, 0)
                                             ? &head->due.errand->request
                                             : &conn->requests[head->due.route];
    move(conn, SENDING);
    conn->request = request;
    conn->bytes = request->bytes;
    if (request->patch_count > 0) {
        char *copy = own->patched[request - own->requests];
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
    ssize_t n = load_line_take(&conn->line, conn->own->buffer, LOAD_STREAM_BUFFER);
    bool refusal = n < 0 && load_line_refused_late(&conn->line) && conn->answers == 0;
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
    case OFF:
        load_line_go_on(&conn->line);
        break;
    case CLOSED:
    case STATES:
        break;
    }
}

static const struct load_line_owner owner = {on_socket, on_up, on_refused, .drains = true};

/* --- the row --- */

static void stream_open(struct load_conn *head)
{
    load_line_open(&of(head)->line);
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
const struct load_driver load_dialled_http1_driver = {
    .name = "curl", .resolves = true, .flows = true, .prepare = prepare_http1, STREAM};
const struct load_driver load_redis_driver = {.name = "redis", .prepare = prepare_redis, STREAM};
const struct load_driver load_tcp_driver = {.name = "tcp", .prepare = prepare_tcp, STREAM};
