/* SPDX-License-Identifier: Apache-2.0 */
#include "pipe.h"

#include <stdlib.h>

#include "base/text.h"

enum { BUFFER = 65536 };
static const size_t out_max = (size_t)256 * 1024 * 1024;

#define TO(state) (1U << LOAD_PIPE_##state)
static const unsigned moves[LOAD_PIPE_STATES] = {
    [LOAD_PIPE_OFF] = TO(GREETING) | TO(CLOSED),
    [LOAD_PIPE_GREETING] = TO(UP) | TO(OFF) | TO(FAILING) | TO(CLOSED),
    [LOAD_PIPE_UP] = TO(OFF) | TO(FAILING) | TO(CLOSED),
    [LOAD_PIPE_FAILING] = TO(OFF) | TO(CLOSED),
    [LOAD_PIPE_CLOSED] = 0,
};

/* The one function that changes a pipe's state. */
static void move(struct load_pipe *pipe, enum load_pipe_state to)
{
    if ((moves[pipe->state] & 1U << to) == 0)
        abort(); /* a bug here, and going on would count requests wrongly */
    pipe->state = to;
}

/* --- its end --- */

static void rest(struct load_pipe *pipe)
{
    io_timer_stop(&pipe->timer);
    base_buf_clear(&pipe->out);
    pipe->sent = 0;
    pipe->blocked_since = 0;
    pipe->corked = false;
    pipe->lives++;
    move(pipe, LOAD_PIPE_OFF);
}

void load_pipe_refuse(struct load_pipe *pipe, enum load_cause cause, const char *why)
{
    rest(pipe);
    load_line_refuse(&pipe->line, cause, why);
}

void load_pipe_lose(struct load_pipe *pipe, struct load_place *first, enum load_failure failure,
                    enum load_cause cause, const char *why)
{
    const struct load_outcome outcome = {
        .failure = failure, .cause = cause, .at = base_mono_now().ns, .why = why};
    bool idle = load_wire_oldest(&pipe->wire) == NULL;
    rest(pipe);
    if (idle && pipe->answers == 0)
        load_conn_note_refusal(&pipe->wire.places[0].head, LOAD_CAUSE_CONNECT_RESET, NULL);
    load_wire_fall(&pipe->wire, first, &outcome);
    load_line_reopen(&pipe->line, pipe->answers > 0);
}

static void lose_by(struct load_pipe *pipe, struct load_place *first, enum load_cause cause)
{
    load_pipe_lose(pipe, first, load_cause_failure(cause), cause, NULL);
}

/* The connection ended, or broke; over TLS without an answer so far that may have been a refusal.
 */
static void lost(struct load_pipe *pipe, enum load_cause cause)
{
    bool tls =
        cause == LOAD_CAUSE_RESET && pipe->answers == 0 && load_line_refused_late(&pipe->line);
    if (pipe->wire.up)
        lose_by(pipe, NULL, cause);
    else
        load_pipe_refuse(pipe, tls ? LOAD_CAUSE_TLS : LOAD_CAUSE_CONNECT_RESET, NULL);
}

static void fail_later(struct load_pipe *pipe)
{
    if (pipe->state == LOAD_PIPE_FAILING)
        return;
    io_watch_set(&pipe->line.watch, 0);
    move(pipe, LOAD_PIPE_FAILING);
    io_timer_start(&pipe->timer, (struct dur_ns){0});
}

static void on_timer(void *ctx)
{
    struct load_pipe *pipe = ctx;
    if (pipe->state == LOAD_PIPE_GREETING)
        load_pipe_refuse(pipe, LOAD_CAUSE_CONNECT_TIMEOUT, NULL);
    else if (pipe->state == LOAD_PIPE_FAILING && pipe->wire.up)
        lose_by(pipe, NULL, LOAD_CAUSE_RESET);
    else if (pipe->state == LOAD_PIPE_FAILING)
        load_pipe_refuse(pipe, LOAD_CAUSE_CONNECT_RESET, NULL);
}

/* --- sending --- */

char *load_pipe_room(struct load_pipe *pipe, size_t len)
{
    char *room = base_buf_reserve(&pipe->out, len);
    if (room == NULL)
        fail_later(pipe);
    else
        pipe->out.len += len;
    return room;
}

static void all_sent(struct load_pipe *pipe)
{
    struct load_pool *pool = pipe->wire.pool;
    base_buf_clear(&pipe->out);
    pipe->sent = 0;
    io_watch_set(&pipe->line.watch, IO_READ);
    if (pipe->blocked_since != 0)
        pool->on_blocked(pool->ctx, base_mono_now().ns - pipe->blocked_since);
    pipe->blocked_since = 0;
}

void load_pipe_push(struct load_pipe *pipe)
{
    if (pipe->corked || pipe->state == LOAD_PIPE_FAILING)
        return;
    while (pipe->sent < pipe->out.len) {
        ssize_t n =
            load_line_give(&pipe->line, pipe->out.data + pipe->sent, pipe->out.len - pipe->sent);
        if (n >= 0) {
            pipe->sent += (size_t)n;
        } else if (errno == EAGAIN) {
            if (pipe->blocked_since == 0)
                pipe->blocked_since = base_mono_now().ns;
            io_watch_set(&pipe->line.watch, IO_READ | IO_WRITE);
            return;
        } else if (errno != EINTR) {
            fail_later(pipe);
            return;
        }
    }
    all_sent(pipe);
}

void load_pipe_send(struct load_conn *conn)
{
    struct load_place *place = load_place_of(conn);
    struct load_pipe *pipe = load_pipe_of(place);
    load_wire_sent(place);
    if (pipe->state != LOAD_PIPE_UP)
        return; /* FAILING: it falls with the others */
    size_t before = pipe->out.len;
    pipe->own->speech->send(pipe, place);
    place->bytes_out = pipe->out.len - before;
    load_pipe_push(pipe);
}

/* --- receiving --- */

void load_pipe_ready(struct load_pipe *pipe, int64_t now)
{
    io_timer_stop(&pipe->timer);
    move(pipe, LOAD_PIPE_UP);
    load_wire_rise(&pipe->wire, now, load_line_connect_time(&pipe->line),
                   load_line_tls_time(&pipe->line, now));
}

void load_pipe_answer(struct load_pipe *pipe, struct load_place *place,
                      struct load_outcome *outcome, bool last)
{
    pipe->answers++;
    load_backoff_reset(&pipe->line.backoff);
    load_wire_answer(place, outcome, last);
}

static void ended(struct load_pipe *pipe)
{
    unsigned life = pipe->lives;
    if (pipe->own->speech->ended != NULL && pipe->wire.up)
        pipe->own->speech->ended(pipe, base_mono_now().ns);
    if (pipe->lives == life)
        lost(pipe, LOAD_CAUSE_CLOSED);
}

/* False: the pipe was lost. */
static bool receive(struct load_pipe *pipe)
{
    struct load_pipes *own = pipe->own;
    for (;;) {
        ssize_t n = load_line_take(&pipe->line, own->buffer, BUFFER);
        if (n > 0) {
            if (!own->speech->received(pipe, own->buffer, (size_t)n, base_mono_now().ns))
                return false;
            if (load_line_drained(&pipe->line, (size_t)n, BUFFER))
                return true;
        } else if (n == 0) {
            ended(pipe);
            return false;
        } else if (errno == EAGAIN) {
            return true;
        } else if (errno != EINTR) {
            lost(pipe, LOAD_CAUSE_RESET);
            return false;
        }
    }
}

static void on_socket(void *ctx, unsigned events)
{
    struct load_pipe *pipe = ctx;
    if (pipe->state == LOAD_PIPE_OFF) {
        load_line_go_on(&pipe->line);
        return;
    }
    if (pipe->state != LOAD_PIPE_UP && pipe->state != LOAD_PIPE_GREETING)
        return;
    pipe->corked = true;
    if ((events & IO_READ) != 0 && !receive(pipe))
        return;
    pipe->corked = false;
    load_pipe_push(pipe);
}

static void on_up(void *ctx, int64_t now)
{
    struct load_pipe *pipe = ctx;
    pipe->answers = 0;
    move(pipe, LOAD_PIPE_GREETING);
    io_timer_start(&pipe->timer, pipe->wire.pool->connect_limit);
    pipe->own->speech->begin(pipe, now);
}

static void on_refused(void *ctx, enum load_cause cause, const char *why)
{
    struct load_pipe *pipe = ctx;
    load_wire_refused(&pipe->wire, cause, why);
}

/* --- the row --- */

static const struct load_line_owner owner = {on_socket, on_up, on_refused, .drains = false};

void load_pipe_init(struct load_conn *conn)
{
    struct load_pipes *own = conn->pool->engine;
    char *at = own->list + own->attached++ / own->places * own->speech->size;
    struct load_pipe *pipe = (struct load_pipe *)(void *)at;
    if (pipe->own == NULL) {
        pipe->own = own;
        load_line_init(&pipe->line, conn, own->tls, &owner, pipe);
        io_timer_init(&pipe->timer, conn->pool->loop, on_timer, pipe);
        base_buf_init(&pipe->out, out_max);
    }
    load_wire_attach(&pipe->wire, conn);
}

void load_pipe_open(struct load_conn *conn)
{
    struct load_place *place = load_place_of(conn);
    if (load_place_is_first(place))
        load_line_open(&load_pipe_of(place)->line);
}

void load_pipe_abort(struct load_conn *conn, int64_t now)
{
    struct load_place *place = load_place_of(conn);
    (void)now;
    lose_by(load_pipe_of(place), place,
            place->first_at == 0 ? LOAD_CAUSE_SILENT : LOAD_CAUSE_STALLED);
}

void load_pipe_fini(struct load_conn *conn)
{
    struct load_pipe *pipe = load_pipe_of(load_place_of(conn));
    if (pipe->state == LOAD_PIPE_CLOSED)
        return;
    move(pipe, LOAD_PIPE_CLOSED);
    if (pipe->own->speech->fini != NULL)
        pipe->own->speech->fini(pipe);
    load_line_fini(&pipe->line);
    io_timer_fini(&pipe->timer);
    base_buf_fini(&pipe->out);
}

bool load_pipes_init(struct load_pool *pool, const struct load_pipe_speech *speech,
                     const void *prepared, struct base_error *err)
{
    const struct load_spec *spec = pool->spec;
    struct load_pipes *own = base_calloc(1, sizeof *own);
    *own = (struct load_pipes){.speech = speech,
                               .prepared = prepared,
                               .list = base_calloc(pool->connections, speech->size),
                               .count = pool->connections,
                               .places = load_wire_places(spec),
                               .buffer = base_calloc(BUFFER, 1)};
    pool->engine = own;
    if (spec->tls.server_name != NULL)
        own->tls = load_tls_new(&spec->tls, spec->target_count, load_tls_offer_of(spec), err);
    return spec->tls.server_name == NULL || own->tls != NULL;
}

void load_pipes_fini(struct load_pool *pool)
{
    struct load_pipes *own = pool->engine;
    if (own == NULL)
        return;
    load_tls_free(own->tls);
    free(own->list);
    free(own->buffer);
    free(own);
    pool->engine = NULL;
}

void load_pipes_count_tls(const struct load_pool *pool, struct load_tls_result *out)
{
    const struct load_pipes *own = pool->engine;
    if (own->tls != NULL)
        load_tls_count(own->tls, out);
}
