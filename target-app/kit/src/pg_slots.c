/* SPDX-License-Identifier: Apache-2.0 */
#include "pg_slots.h"

#include <stdlib.h>

#include "base/random.h"
#include "base/text.h"

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 500 };

static const struct pg_conn_events conn_events;

size_t pg_slots_in(const struct kit_pg *pool, enum slot_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < pool->config.max_connections; i++)
        n += pool->slots[i].state == state;
    return n;
}

/* --- calls --- */

static void call_unlink(struct kit_pg_call *call)
{
    if (call->link == NULL)
        return;
    *call->link = call->next;
    if (call->next != NULL)
        call->next->link = call->link;
    else
        call->pool->tail = call->link;
    call->link = NULL;
    call->pool->waiting--;
}

void pg_call_queue(struct kit_pg_call *call)
{
    struct kit_pg *pool = call->pool;
    call->link = pool->tail;
    *call->link = call;
    pool->tail = &call->next;
    pool->waiting++;
}

void pg_call_free(struct kit_pg_call *call)
{
    call_unlink(call);
    io_timer_fini(&call->deadline);
    for (size_t i = 0; i < KIT_PG_PARAMS_MAX; i++)
        free(call->params[i]);
    free(call);
}

/* Ends a call that is neither queued nor on a slot any more. */
static void call_end(struct kit_pg_call *call, const struct kit_pg_reply *reply)
{
    struct kit_pg *pool = call->pool;
    const char *outcome = reply->ok ? "ok" : base_code_name(reply->error.code);
    kit_series_add(kit_series_of(pool->metrics.queries, outcome), 1);
    kit_series_observe(pool->metrics.seconds,
                       base_dur_to_s(base_mono_sub(base_mono_now(), call->started)));
    void (*on_done)(void *, const struct kit_pg_reply *) = call->on_done;
    void *ctx = call->ctx;
    pg_call_free(call);
    if (on_done != NULL)
        on_done(ctx, reply);
}

static void call_fail(struct kit_pg_call *call, const struct base_error *error)
{
    struct kit_pg_reply reply = {.error = *error, .constraint = ""};
    call_unlink(call);
    call_end(call, &reply);
}

/* --- slots: the one place that changes a state --- */

static void slot_enter(struct slot *slot, enum slot_state state)
{
    static const unsigned allowed[SLOT_STATES] = {
        [SLOT_EMPTY] = 1U << SLOT_CONNECTING,
        [SLOT_CONNECTING] = 1U << SLOT_IDLE | 1U << SLOT_EMPTY,
        [SLOT_IDLE] = 1U << SLOT_BUSY | 1U << SLOT_EMPTY,
        [SLOT_BUSY] = 1U << SLOT_IDLE | 1U << SLOT_EMPTY,
    };
    if ((allowed[slot->state] & 1U << state) == 0)
        abort(); /* a bug of this file: going on would hand one connection to two calls */
    slot->state = state;
}

void pg_slot_discard(struct slot *slot)
{
    if (slot->state == SLOT_EMPTY)
        return;
    io_timer_stop(&slot->timer);
    pg_conn_free(slot->conn);
    slot->conn = NULL;
    slot->call = NULL;
    slot_enter(slot, SLOT_EMPTY);
    kit_series_add(slot->pool->metrics.discarded, 1);
}

static void note_error(struct kit_pg *pool, const struct base_error *error)
{
    if (pool->healthy || pool->failures <= 1)
        base_log_line(pool->config.log, BASE_WARN, "PostgreSQL is not answering",
                      BASE_TEXT("error", error->message));
    pool->healthy = false;
    pool->last_error = *error;
}

static void fail_waiting(struct kit_pg *pool, const struct base_error *error)
{
    /* Only those that wait now: a callback may start new calls. */
    for (size_t n = pool->waiting; n > 0 && pool->first != NULL; n--)
        call_fail(pool->first, error);
}

static void connect_failed(struct slot *slot, const struct base_error *error)
{
    struct kit_pg *pool = slot->pool;
    struct base_error copy = *error;
    pg_slot_discard(slot);
    kit_series_add(kit_series_of(pool->metrics.connects, "error"), 1);
    pool->failures++;
    unsigned shift = pool->failures < 4 ? pool->failures - 1 : 3;
    int64_t ms = (int64_t)BACKOFF_FIRST_MS << shift;
    ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
    /* Half of it random, so that replicas do not come back in step. */
    ms = ms / 2 + (int64_t)(base_random_u64() % (uint64_t)(ms / 2 + 1));
    io_timer_start(&pool->backoff, base_dur_ms(ms));
    if (pg_slots_in(pool, SLOT_IDLE) + pg_slots_in(pool, SLOT_BUSY) == 0 || !pool->healthy) {
        note_error(pool, &copy);
        fail_waiting(pool, &copy);
    }
}

void pg_on_connect_timeout(void *ctx)
{
    struct slot *slot = ctx;
    struct base_error error;
    (void)base_fail(&error, BASE_UNAVAILABLE, "PostgreSQL: no connection within %lld ms",
                    (long long)base_dur_to_ms(slot->pool->config.connect_timeout));
    connect_failed(slot, &error);
}

static void slot_connect(struct slot *slot)
{
    struct kit_pg *pool = slot->pool;
    struct base_error error;
    slot->conn = pg_conn_start(pool->loop, pool->conninfo, &conn_events, slot, &error);
    if (slot->conn == NULL)
        return; /* no memory: the pulse tries again */
    slot_enter(slot, SLOT_CONNECTING);
    io_timer_start(&slot->timer, pool->config.connect_timeout);
}

/* As many connections as calls wait for, one at a time while the server is not known to be well. */
static void grow(struct kit_pg *pool)
{
    size_t connecting = pg_slots_in(pool, SLOT_CONNECTING);
    size_t live = pg_slots_in(pool, SLOT_IDLE) + pg_slots_in(pool, SLOT_BUSY);
    size_t wanted = pool->waiting > 0 ? pool->waiting : (live == 0 ? 1 : 0);
    if (!pool->healthy && wanted > 1)
        wanted = 1;
    if (io_timer_active(&pool->backoff))
        return;
    for (size_t i = 0; i < pool->config.max_connections && connecting < wanted; i++) {
        if (pool->slots[i].state == SLOT_EMPTY) {
            slot_connect(&pool->slots[i]);
            connecting++;
        }
    }
}

void pg_on_backoff(void *ctx)
{
    grow(ctx);
}

/* Requests take the connection used last, pings the one unused for longest. */
static struct slot *pick_idle(struct kit_pg *pool, bool oldest)
{
    struct slot *best = NULL;
    for (size_t i = 0; i < pool->config.max_connections; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->state == SLOT_IDLE &&
            (best == NULL || base_mono_before(slot->heard, best->heard) == oldest))
            best = slot;
    }
    return best;
}

/* false: the connection broke before anything was sent; the call is as before. */
static bool run_on(struct slot *slot, struct kit_pg_call *call)
{
    struct kit_pg *pool = slot->pool;
    struct pg_statement_call sent = {
        .index = call->statement,
        .statement = &pool->statements[call->statement],
        .params = call->values,
    };
    if (!pg_conn_send(slot->conn, &sent)) {
        pg_slot_discard(slot);
        return false;
    }
    call_unlink(call);
    call->slot = slot;
    call->sent = base_mono_now();
    slot->call = call;
    slot_enter(slot, SLOT_BUSY);
    return true;
}

void pg_dispatch(struct kit_pg *pool)
{
    struct slot *slot;
    while (pool->first != NULL && (slot = pick_idle(pool, false)) != NULL)
        (void)run_on(slot, pool->first);
    grow(pool);
}

/* --- what connections report --- */

static void on_connected(void *owner)
{
    struct slot *slot = owner;
    struct kit_pg *pool = slot->pool;
    io_timer_stop(&slot->timer);
    slot->heard = base_mono_now();
    slot_enter(slot, SLOT_IDLE);
    kit_series_add(kit_series_of(pool->metrics.connects, "ok"), 1);
    if (!pool->healthy)
        base_log_text(pool->config.log, BASE_INFO, "PostgreSQL answers");
    pool->healthy = true;
    pool->failures = 0;
    pg_dispatch(pool);
}

static void on_reply(void *owner, const struct kit_pg_reply *reply)
{
    struct slot *slot = owner;
    struct kit_pg *pool = slot->pool;
    struct kit_pg_call *call = slot->call;
    slot->heard = base_mono_now();
    slot->call = NULL;
    slot_enter(slot, SLOT_IDLE);
    pool->healthy = true;
    call->slot = NULL;
    call_end(call, reply);
    pg_dispatch(pool);
}

static void on_lost(void *owner, const struct base_error *error)
{
    struct slot *slot = owner;
    struct kit_pg *pool = slot->pool;
    if (slot->state == SLOT_CONNECTING) {
        connect_failed(slot, error);
        return;
    }
    struct kit_pg_call *call = slot->call;
    pg_slot_discard(slot);
    if (pg_slots_in(pool, SLOT_IDLE) + pg_slots_in(pool, SLOT_BUSY) == 0)
        note_error(pool, error);
    if (call != NULL) {
        call->slot = NULL;
        call_fail(call, error);
    }
    pg_dispatch(pool);
}

static const struct pg_conn_events conn_events = {on_connected, on_reply, on_lost};

static void on_pong(void *ctx, const struct kit_pg_reply *reply)
{
    (void)reply;
    struct kit_pg *pool = ctx;
    pool->ping = NULL;
}

/* The server did not even cancel the statement: this connection is dead, and so may be every idle
 * one that has been silent for as long. */
static void discard_hung(struct kit_pg_call *call, const struct base_error *error)
{
    struct kit_pg *pool = call->pool;
    pg_slot_discard(call->slot);
    call->slot = NULL;
    for (size_t i = 0; i < pool->config.max_connections; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->state == SLOT_IDLE && base_mono_before(slot->heard, call->sent))
            pg_slot_discard(slot);
    }
    if (pg_slots_in(pool, SLOT_IDLE) == 0)
        note_error(pool, error);
}

/* A call that waited long for its connection must not have that connection taken for dead: the
 * caller is told now, and the connection keeps the rest of its own time. */
static bool leave_running(struct kit_pg_call *call, const struct base_error *error)
{
    struct dur_ns allowed =
        call->on_done == on_pong ? call->pool->config.ping_every : call->pool->config.deadline;
    struct dur_ns left = {allowed.ns - base_mono_sub(base_mono_now(), call->sent).ns};
    if (call->slot == NULL || left.ns < BASE_NS_PER_MS)
        return false;
    io_timer_start(&call->deadline, left);
    void (*on_done)(void *, const struct kit_pg_reply *) = call->on_done;
    call->on_done = NULL;
    struct kit_pg_reply reply = {.error = *error, .constraint = ""};
    if (on_done != NULL)
        on_done(call->ctx, &reply);
    return true;
}

static void on_deadline(void *ctx)
{
    struct kit_pg_call *call = ctx;
    struct kit_pg *pool = call->pool;
    struct base_error error;
    (void)base_fail(&error, BASE_TIMEOUT, "PostgreSQL: no answer in time");
    if (leave_running(call, &error))
        return;
    if (call->slot != NULL)
        discard_hung(call, &error);
    call_fail(call, &error);
    pg_dispatch(pool);
}

/* --- ping --- */

struct kit_pg_call *pg_call_new(struct kit_pg *pool, size_t statement, const char *const *params,
                                struct dur_ns deadline)
{
    struct kit_pg_call *call = base_calloc(1, sizeof *call);
    call->pool = pool;
    call->statement = statement;
    call->started = base_mono_now();
    for (unsigned i = 0; params != NULL && i < pool->statements[statement].params; i++) {
        call->params[i] = base_str_dup(params[i]);
        call->values[i] = call->params[i];
    }
    io_timer_init(&call->deadline, pool->loop, on_deadline, call);
    io_timer_start(&call->deadline, deadline);
    return call;
}

void pg_on_pulse(void *ctx)
{
    struct kit_pg *pool = ctx;
    io_timer_start(&pool->pulse, pool->config.ping_every);
    struct slot *slot = pick_idle(pool, true);
    if (pool->ping == NULL && slot != NULL) {
        struct kit_pg_call *ping =
            pg_call_new(pool, pool->config.statement_count, NULL, pool->config.ping_every);
        ping->on_done = on_pong;
        ping->ctx = pool;
        if (run_on(slot, ping))
            pool->ping = ping;
        else
            pg_call_free(ping);
    }
    grow(pool);
}
