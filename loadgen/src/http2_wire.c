/* SPDX-License-Identifier: Apache-2.0 */
#include "http2_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Of one wire, before the others have their turn. */
enum { READS_AT_ONCE = 16 };

#define TO(state) (1U << LOAD_H2_WIRE_##state)

static const unsigned moves[LOAD_H2_WIRE_STATES] = {
    [LOAD_H2_WIRE_OFF] = TO(GREETING) | TO(CLOSED),
    [LOAD_H2_WIRE_GREETING] = TO(OPEN) | TO(OFF) | TO(CLOSED),
    [LOAD_H2_WIRE_OPEN] = TO(DRAINING) | TO(CLOSED),
    [LOAD_H2_WIRE_DRAINING] = TO(OFF) | TO(CLOSED),
    [LOAD_H2_WIRE_CLOSED] = 0,
};

static const unsigned established = TO(OPEN) | TO(DRAINING);
static const unsigned talking = TO(GREETING) | TO(OPEN) | TO(DRAINING);

static bool is(const struct load_h2_wire *wire, unsigned states)
{
    return (1U << wire->state & states) != 0;
}

/* The one function that changes a wire's state. */
static void move(struct load_h2_wire *wire, enum load_h2_wire_state to)
{
    struct load_pool *pool = wire->own->pool;
    if ((moves[wire->state] & 1U << to) == 0)
        abort(); /* a bug here, and going on would count requests wrongly */
    pool->established += (1U << to & established) != 0 ? wire->own->slots_each : 0;
    pool->established -= is(wire, established) ? wire->own->slots_each : 0;
    wire->state = to;
}

/* --- the end of a connection --- */

/* What was said on it is of no use any more. */
static void drop(struct load_h2_wire *wire)
{
    io_timer_stop(&wire->timer);
    load_h2_session_free(wire->session);
    wire->session = NULL;
    free(wire->left);
    wire->left = NULL;
    wire->unread = false;
}

static void settle(struct load_h2_wire *wire, bool reached)
{
    for (size_t i = 0; i < wire->opened; i++)
        load_conn_settle(&wire->slots[i].head, reached);
}

static void on_refused(void *ctx, enum load_cause cause, const char *why)
{
    struct load_h2_wire *wire = ctx;
    struct load_pool *pool = wire->own->pool;
    load_conn_note_refusal(&wire->slots[0].head, cause, why);
    settle(wire, false);
    pool->on_refused(pool->ctx);
}

/* It was connected, but not to what it should have been. */
static void refuse(struct load_h2_wire *wire, enum load_cause cause)
{
    drop(wire);
    if (wire->state == LOAD_H2_WIRE_GREETING)
        move(wire, LOAD_H2_WIRE_OFF);
    load_line_refuse(&wire->line, cause, NULL);
}

static void reopen(struct load_h2_wire *wire)
{
    drop(wire);
    move(wire, LOAD_H2_WIRE_OFF);
    load_line_reopen(&wire->line, wire->answers > 0);
}

void load_h2_wire_retire(struct load_h2_wire *wire)
{
    if (wire->state != LOAD_H2_WIRE_OPEN)
        return;
    move(wire, LOAD_H2_WIRE_DRAINING);
    load_h2_slots_withdraw(wire);
    load_h2_wire_touch(wire); /* there may be nothing under way to wait for */
}

/* The connection has ended or is of no use any more. */
static void lose(struct load_h2_wire *wire, enum load_failure failure, enum load_cause cause)
{
    struct load_stream_troubles *troubles = &wire->own->pool->streams;
    load_h2_wire_retire(wire);
    if (wire->busy > 0) {
        troubles->lost++;
        troubles->most = wire->busy > troubles->most ? wire->busy : troubles->most;
    } else if (wire->answers == 0) {
        load_conn_note_refusal(&wire->slots[0].head, LOAD_CAUSE_CONNECT_RESET, NULL);
    }
    load_h2_slots_fail(wire, failure, cause, base_mono_now().ns);
    reopen(wire);
}

/* An orderly end, though not at an orderly time. */
static void ended(struct load_h2_wire *wire)
{
    if (wire->state == LOAD_H2_WIRE_GREETING)
        refuse(wire, LOAD_CAUSE_CONNECT_RESET);
    else
        lose(wire, LOAD_FAIL_RESET, LOAD_CAUSE_CLOSED);
}

/* The socket failed with errno. */
static void broke(struct load_h2_wire *wire)
{
    if (wire->state != LOAD_H2_WIRE_GREETING)
        lose(wire, LOAD_FAIL_RESET, LOAD_CAUSE_RESET);
    else
        refuse(wire,
               load_line_refused_late(&wire->line) ? LOAD_CAUSE_TLS : LOAD_CAUSE_CONNECT_RESET);
}

/* HTTP/2 as such is over on this connection. */
static void over(struct load_h2_wire *wire)
{
    if (wire->state == LOAD_H2_WIRE_GREETING) {
        refuse(wire, LOAD_CAUSE_NOT_HTTP2);
        return;
    }
    if (wire->busy == 0 && load_h2_session_is_leaving(wire->session)) {
        load_h2_wire_retire(wire);
        reopen(wire);
        return;
    }
    load_pool_note_malformed(wire->own->pool, load_h2_session_why(wire->session));
    lose(wire, LOAD_FAIL_PROTOCOL, LOAD_CAUSE_COUNT);
}

/* --- writing --- */

/* Sends what it can; false: the socket failed. */
static bool push(struct load_h2_wire *wire, const char *bytes, size_t len, size_t *sent)
{
    for (*sent = 0; *sent < len;) {
        ssize_t n = load_line_give(&wire->line, bytes + *sent, len - *sent);
        if (n > 0)
            *sent += (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            return true;
        else if (n == 0 || errno != EINTR)
            return false;
    }
    return true;
}

static void keep_left(struct load_h2_wire *wire, const char *bytes, size_t len)
{
    char *copy = len == 0 ? NULL : base_calloc(len, 1);
    if (copy != NULL)
        memcpy(copy, bytes, len);
    free(wire->left);
    wire->left = copy;
    wire->left_len = len;
}

/* Requests are on their way, or held up by the kernel or by the peer's windows. */
static void note_sent(struct load_h2_wire *wire, bool all)
{
    struct load_pool *pool = wire->own->pool;
    struct load_h2_stream *stream, *next;
    for (stream = TAILQ_FIRST(load_h2_session_unsent(wire->session)); stream != NULL;
         stream = next) {
        next = TAILQ_NEXT(stream, unsent_link);
        if (!all || stream->given < stream->body.total) {
            stream->late = true;
            continue;
        }
        load_h2_session_sent(wire->session, stream);
        const struct load_h2_slot *slot = load_h2_slot_of(stream);
        if (stream->late)
            pool->on_blocked(pool->ctx, base_mono_now().ns - slot->head.sent_at);
    }
}

/* Writes what there is, as much as is taken; false: the wire is another now. */
static bool flush(struct load_h2_wire *wire)
{
    char *out = wire->own->out;
    for (;;) {
        const char *bytes = wire->left != NULL ? wire->left : out;
        size_t sent, len = wire->left != NULL
                               ? wire->left_len
                               : load_h2_session_take(wire->session, out, LOAD_H2_BUFFER);
        if (!push(wire, bytes, len, &sent)) {
            broke(wire);
            return false;
        }
        if (sent < len) {
            keep_left(wire, bytes + sent, len - sent);
            note_sent(wire, false);
            io_watch_set(&wire->line.watch, IO_READ | IO_WRITE);
            return true;
        }
        bool more = wire->left != NULL || len == LOAD_H2_BUFFER;
        keep_left(wire, NULL, 0);
        if (!more)
            break;
    }
    note_sent(wire, true);
    io_watch_set(&wire->line.watch, IO_READ);
    return true;
}

void load_h2_wire_touch(struct load_h2_wire *wire)
{
    struct load_h2 *own = wire->own;
    if (wire->due || wire == own->at_work)
        return;
    if (TAILQ_EMPTY(&own->due))
        io_timer_start(&own->turn, (struct dur_ns){0});
    wire->due = true;
    TAILQ_INSERT_TAIL(&own->due, wire, link);
}

/* --- reading --- */

static void usable(struct load_h2_wire *wire, int64_t now)
{
    struct load_pool *pool = wire->own->pool;
    io_timer_stop(&wire->timer);
    move(wire, LOAD_H2_WIRE_OPEN);
    settle(wire, true);
    pool->on_opened(pool->ctx, load_line_connect_time(&wire->line),
                    load_line_tls_time(&wire->line, wire->up_at));
    load_h2_slots_fit(wire, now);
}

/* Bytes came. */
static void heard(struct load_h2_wire *wire, size_t len)
{
    int64_t now = base_mono_now().ns;
    struct load_h2_session *session = wire->session;
    wire->heard_at = now;
    load_h2_session_feed(session, wire->own->in, len, now);
    if (wire->state == LOAD_H2_WIRE_GREETING && load_h2_session_greeted(session))
        usable(wire, now);
    if (load_h2_session_is_leaving(session))
        load_h2_wire_retire(wire);
    if (wire->state == LOAD_H2_WIRE_OPEN && wire->room != load_h2_session_room(session))
        load_h2_slots_fit(wire, now);
    (void)load_h2_slots_collect(wire, now);
}

/* false: the wire is another now. */
static bool receive(struct load_h2_wire *wire)
{
    for (int i = 0; i < READS_AT_ONCE; i++) {
        ssize_t n = load_line_take(&wire->line, wire->own->in, LOAD_H2_BUFFER);
        if (n > 0) {
            heard(wire, (size_t)n);
            if (load_line_drained(&wire->line, (size_t)n, LOAD_H2_BUFFER))
                return true;
        } else if (n == 0) {
            ended(wire);
            return false;
        } else if (errno == EAGAIN) {
            return true;
        } else if (errno != EINTR) {
            broke(wire);
            return false;
        }
    }
    wire->unread = wire->line.tls != NULL;
    return true;
}

/* After reading. What ends by being written (a stream that we reset) makes room for more, which
 * goes out at the turn's end: going on here would have no bound. */
static void settle_up(struct load_h2_wire *wire)
{
    if (!flush(wire))
        return;
    wire->own->at_work = NULL;
    if (load_h2_slots_collect(wire, base_mono_now().ns) > 0 || wire->unread)
        load_h2_wire_touch(wire);
    if (load_h2_session_is_over(wire->session))
        over(wire);
    else if (wire->state == LOAD_H2_WIRE_DRAINING && wire->busy == 0)
        reopen(wire);
}

void load_h2_wire_serve(struct load_h2_wire *wire)
{
    bool unread = wire->unread;
    if (!is(wire, talking))
        return;
    wire->unread = false;
    wire->own->at_work = wire;
    if (!unread || receive(wire))
        settle_up(wire);
    wire->own->at_work = NULL;
}

/* --- the beginning of a connection --- */

static void on_up(void *ctx, int64_t now)
{
    struct load_h2_wire *wire = ctx;
    struct load_line *line = &wire->line;
    if (line->tls != NULL && !load_tls_chose_http2(line->tls)) {
        refuse(wire, LOAD_CAUSE_NOT_HTTP2);
        return;
    }
    wire->session = load_h2_session_new();
    if (wire->session == NULL) {
        refuse(wire, LOAD_CAUSE_OTHER);
        return;
    }
    wire->up_at = now;
    wire->answers = 0;
    wire->asked = 0;
    move(wire, LOAD_H2_WIRE_GREETING);
    int64_t left = line->opened_at + wire->own->pool->connect_limit.ns - now;
    io_timer_start(&wire->timer, (struct dur_ns){left > 0 ? left : 0});
    wire->unread = line->tls != NULL; /* the handshake's end may have come with more */
    load_h2_wire_serve(wire);
}

static void on_timer(void *ctx)
{
    refuse(ctx, LOAD_CAUSE_CONNECT_TIMEOUT);
}

/* Reading first: a peer that has had enough says so before it resets. */
static void on_socket(void *ctx, unsigned events)
{
    struct load_h2_wire *wire = ctx;
    if (wire->state == LOAD_H2_WIRE_OFF) {
        load_line_go_on(&wire->line);
        return;
    }
    wire->unread = (events & IO_READ) != 0;
    load_h2_wire_serve(wire);
}

static const struct load_line_owner owner = {on_socket, on_up, on_refused, .drains = false};

void load_h2_wire_init(struct load_h2_wire *wire)
{
    struct load_h2 *own = wire->own;
    io_timer_init(&wire->timer, own->pool->loop, on_timer, wire);
    load_line_init(&wire->line, &wire->slots[0].head, own->tls, &owner, wire);
}

void load_h2_wire_fini(struct load_h2_wire *wire)
{
    if (wire->state == LOAD_H2_WIRE_CLOSED)
        return;
    drop(wire);
    io_timer_fini(&wire->timer);
    load_line_fini(&wire->line);
    move(wire, LOAD_H2_WIRE_CLOSED);
}
