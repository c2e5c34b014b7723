/* SPDX-License-Identifier: Apache-2.0 */
#include "http2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "dial.h"
#include "errand.h"
#include "http2_wire.h"

/* A connection has 2^30 numbers for streams of ours (RFC 9113 section 5.1.1). */
static const uint64_t numbers = (UINT64_C(1) << 30) - UINT64_C(2) * LOAD_STREAMS_MAX;

/* One for each route; threads share it. */
struct requests {
    size_t count;
    struct load_h2_request *list;
};

#define TO(state) (1U << LOAD_H2_SLOT_##state)

static const unsigned moves[LOAD_H2_SLOT_STATES] = {
    [LOAD_H2_SLOT_COLD] = TO(PARKED) | TO(CLOSED),
    [LOAD_H2_SLOT_PARKED] = TO(IDLE) | TO(CLOSED),
    [LOAD_H2_SLOT_IDLE] = TO(BUSY) | TO(PARKED) | TO(CLOSED),
    [LOAD_H2_SLOT_BUSY] = TO(PARKED) | TO(RESTING) | TO(CLOSED),
    [LOAD_H2_SLOT_RESTING] = TO(PARKED) | TO(CLOSED),
    [LOAD_H2_SLOT_CLOSED] = 0,
};

static const unsigned offered = TO(IDLE) | TO(BUSY);

static struct load_h2_slot *of(struct load_conn *conn)
{
    return (struct load_h2_slot *)(void *)conn;
}

/* The one function that changes a slot's state. */
static void move(struct load_h2_slot *slot, enum load_h2_slot_state to)
{
    struct load_h2_wire *wire = slot->wire;
    if ((moves[slot->state] & 1U << to) == 0)
        abort(); /* a bug here, and going on would count requests wrongly */
    wire->offered += (size_t)((1U << to & offered) != 0);
    wire->offered -= (size_t)((1U << slot->state & offered) != 0);
    wire->busy += (size_t)(to == LOAD_H2_SLOT_BUSY);
    wire->busy -= (size_t)(slot->state == LOAD_H2_SLOT_BUSY);
    slot->state = to;
}

/* --- which slots the worker has --- */

static size_t room_of(const struct load_h2_wire *wire)
{
    if (wire->state != LOAD_H2_WIRE_OPEN)
        return 0;
    size_t asked = wire->own->slots_each;
    return wire->room < asked ? wire->room : asked;
}

/* A parked slot is offered if there is room. */
static void offer(struct load_h2_slot *slot, int64_t now)
{
    struct load_pool *pool = slot->head.pool;
    if (slot->wire->offered >= room_of(slot->wire))
        return;
    move(slot, LOAD_H2_SLOT_IDLE);
    pool->on_ready(pool->ctx, &slot->head, now);
}

static void withdraw(struct load_h2_slot *slot)
{
    struct load_pool *pool = slot->head.pool;
    move(slot, LOAD_H2_SLOT_PARKED);
    pool->on_unready(pool->ctx, &slot->head);
}

void load_h2_slots_withdraw(struct load_h2_wire *wire)
{
    for (size_t i = 0; i < wire->opened; i++)
        if (wire->slots[i].state == LOAD_H2_SLOT_IDLE && wire->offered > room_of(wire))
            withdraw(&wire->slots[i]);
}

void load_h2_slots_fit(struct load_h2_wire *wire, int64_t now)
{
    struct load_stream_troubles *troubles = &wire->own->pool->streams;
    wire->room = load_h2_session_room(wire->session);
    if (wire->room < wire->own->slots_each &&
        (troubles->allowed == 0 || wire->room < troubles->allowed))
        troubles->allowed = wire->room;
    load_h2_slots_withdraw(wire);
    for (size_t i = 0; i < wire->opened; i++)
        if (wire->slots[i].state == LOAD_H2_SLOT_PARKED)
            offer(&wire->slots[i], now);
}

/* --- the end of a request --- */

/* What came of a stream that ended by itself. */
static void judge(struct load_h2_slot *slot, struct load_outcome *outcome)
{
    const struct load_h2_stream *stream = &slot->stream;
    const char *why = load_h2_session_why(slot->wire->session);
    outcome->cause = LOAD_CAUSE_COUNT;
    switch (stream->end) {
    case LOAD_H2_ANSWERED:
        outcome->answered = true;
        load_outcome_status(outcome, stream->status);
        return;
    case LOAD_H2_MALFORMED:
        outcome->failure = LOAD_FAIL_PROTOCOL;
        load_pool_note_malformed(slot->head.pool, why);
        return;
    case LOAD_H2_REFUSED:
        outcome->cause = LOAD_CAUSE_REFUSED_STREAM;
        break;
    case LOAD_H2_RESET:
        outcome->cause = LOAD_CAUSE_STREAM_RESET;
        outcome->why = load_h2_code_name(stream->code);
        break;
    case LOAD_H2_UNSERVED:
        outcome->cause = LOAD_CAUSE_GOAWAY;
        outcome->why = why;
        break;
    case LOAD_H2_UNREADABLE:
        outcome->cause = LOAD_CAUSE_RESET;
        break;
    }
    outcome->failure = load_cause_failure(outcome->cause);
    load_pool_note_outcome(slot->head.pool, outcome);
}

/* The slot's request is over, whatever came of it. */
static void end(struct load_h2_slot *slot, enum load_h2_slot_state to, struct load_outcome *outcome)
{
    struct load_pool *pool = slot->head.pool;
    outcome->first_at = slot->stream.first_at;
    outcome->bytes_in = slot->stream.bytes_in;
    outcome->bytes_out = slot->stream.bytes_out;
    move(slot, to);
    pool->on_end(pool->ctx, &slot->head, outcome);
}

size_t load_h2_slots_collect(struct load_h2_wire *wire, int64_t now)
{
    struct load_h2_stream *stream;
    size_t count = 0;
    for (; (stream = load_h2_session_ended(wire->session)) != NULL; count++) {
        struct load_h2_slot *slot = load_h2_slot_of(stream);
        struct load_outcome outcome = {.at = now};
        judge(slot, &outcome);
        if (outcome.answered) {
            wire->answers++;
            load_backoff_reset(&wire->line.backoff);
        }
        end(slot, LOAD_H2_SLOT_PARKED, &outcome);
        offer(slot, now);
    }
    return count;
}

void load_h2_slots_fail(struct load_h2_wire *wire, enum load_failure failure, enum load_cause cause,
                        int64_t now)
{
    for (size_t i = 0; i < wire->opened; i++) {
        struct load_outcome outcome = {.failure = failure, .cause = cause, .at = now};
        if (wire->slots[i].state == LOAD_H2_SLOT_BUSY)
            end(&wire->slots[i], LOAD_H2_SLOT_PARKED, &outcome);
    }
}

static void h2_abort(struct load_conn *conn, int64_t now)
{
    struct load_h2_slot *slot = of(conn);
    struct load_h2_wire *wire = slot->wire;
    struct load_outcome outcome = {.at = now};
    outcome.cause = slot->stream.first_at == 0 ? LOAD_CAUSE_SILENT : LOAD_CAUSE_STALLED;
    outcome.failure = load_cause_failure(outcome.cause);
    load_h2_session_cancel(wire->session, &slot->stream);
    TAILQ_INSERT_TAIL(&wire->own->resting, slot, rest);
    end(slot, LOAD_H2_SLOT_RESTING, &outcome);
    if (wire->heard_at < conn->sent_at) /* it may be dead, and nobody will say so */
        load_h2_wire_retire(wire);
    load_h2_wire_touch(wire);
}

/* --- sending --- */

/* The worker's next request may be of the same route before this one is written, so each slot has
 * bytes of its own. */
static void fill_in(struct load_h2_slot *slot, const struct load_h2_request *request)
{
    const struct load_request *whole = &request->whole;
    if (slot->copied != request) {
        free(slot->fields);
        free(slot->copy);
        slot->copied = request;
        slot->copy = base_calloc(whole->len, 1);
        memcpy(slot->copy, whole->bytes, whole->len);
        slot->fields = load_h2_head_moved(request->head, whole->bytes, whole->len, slot->copy);
    }
    load_request_patch(whole, slot->copy, slot->head.due.number, &slot->head.pool->rng);
}

static bool submit_route(struct load_h2_slot *slot)
{
    const struct load_h2_request *request = &slot->wire->own->requests[slot->head.due.route];
    bool moving = request->whole.patch_count > 0;
    if (moving)
        fill_in(slot, request);
    const struct load_h2_body body = load_h2_request_body(
        &request->whole, moving ? slot->copy : request->whole.bytes, request->body_at);
    slot->stream.capture = NULL;
    return load_h2_session_submit(slot->wire->session, &slot->stream,
                                  moving ? slot->fields : request->head, &body);
}

/* Made for this one occasion. */
__attribute__((noinline)) static bool submit_errand(struct load_h2_slot *slot)
{
    struct load_errand *errand = slot->head.due.errand;
    size_t body_at;
    free(slot->fields);
    slot->copied = NULL;
    slot->fields = load_h2_request_head(&errand->request, slot->wire->own->tls != NULL, &body_at);
    const struct load_h2_body body =
        load_h2_request_body(&errand->request, errand->request.bytes, body_at);
    slot->stream.capture = &errand->capture;
    return load_h2_session_submit(slot->wire->session, &slot->stream, slot->fields, &body);
}

static void h2_send(struct load_conn *conn)
{
    struct load_h2_slot *slot = of(conn);
    struct load_h2_wire *wire = slot->wire;
    move(slot, LOAD_H2_SLOT_BUSY);
    bool good =
        __builtin_expect(conn->due.errand == NULL, 1) ? submit_route(slot) : submit_errand(slot);
    if (!good)
        abort(); /* out of memory, as base_calloc; numbers have been seen to */
    if (++wire->asked == numbers)
        load_h2_wire_retire(wire);
    load_h2_wire_touch(wire);
}

static void rest(struct load_h2 *own)
{
    struct load_h2_slots rested = TAILQ_HEAD_INITIALIZER(rested);
    struct load_h2_slot *slot;
    TAILQ_CONCAT(&rested, &own->resting, rest);
    while ((slot = TAILQ_FIRST(&rested)) != NULL) {
        TAILQ_REMOVE(&rested, slot, rest);
        move(slot, LOAD_H2_SLOT_PARKED);
        offer(slot, base_mono_now().ns);
    }
}

static void on_turn(void *ctx)
{
    struct load_h2 *own = ctx;
    struct load_h2_wires due = TAILQ_HEAD_INITIALIZER(due);
    struct load_h2_wire *wire;
    rest(own);
    TAILQ_CONCAT(&due, &own->due, link);
    while ((wire = TAILQ_FIRST(&due)) != NULL) {
        TAILQ_REMOVE(&due, wire, link);
        wire->due = false;
        load_h2_wire_serve(wire);
    }
}

/* --- the row --- */

static void h2_init(struct load_conn *conn)
{
    struct load_h2 *own = conn->pool->engine;
    size_t number = conn->pool->count - 1; /* this one is counted already */
    struct load_h2_slot *slot = of(conn);
    slot->wire = &own->wires[number / own->slots_each];
    if (number % own->slots_each > 0)
        return;
    slot->wire->slots = slot; /* the others lie behind it */
    load_h2_wire_init(slot->wire);
}

static void h2_open(struct load_conn *conn)
{
    struct load_h2_slot *slot = of(conn);
    struct load_h2_wire *wire = slot->wire;
    move(slot, LOAD_H2_SLOT_PARKED);
    wire->opened++;
    if (wire->opened == 1) {
        load_line_open(&wire->line);
    } else if (wire->state == LOAD_H2_WIRE_OPEN || wire->state == LOAD_H2_WIRE_DRAINING) {
        load_conn_settle(conn, true);
        offer(slot, base_mono_now().ns);
    } else if (wire->line.state == LOAD_LINE_BACKOFF) {
        load_conn_settle(conn, false);
    } /* else under way: it will be settled with the others */
}

static void h2_fini(struct load_conn *conn)
{
    struct load_h2_slot *slot = of(conn);
    if (slot->state == LOAD_H2_SLOT_CLOSED)
        return;
    io_timer_stop(&slot->wire->own->turn);
    load_h2_wire_fini(slot->wire);
    if (slot->state == LOAD_H2_SLOT_RESTING)
        TAILQ_REMOVE(&slot->wire->own->resting, slot, rest);
    free(slot->fields);
    free(slot->copy);
    move(slot, LOAD_H2_SLOT_CLOSED);
}

static void discard(void *prepared)
{
    struct requests *requests = prepared;
    if (requests == NULL)
        return;
    for (size_t i = 0; i < requests->count; i++)
        load_h2_request_fini(&requests->list[i]);
    free(requests->list);
    free(requests);
}

static bool prepare(const struct load_spec *spec, void **prepared, struct base_error *err)
{
    if (!load_h2_request_check(spec, err))
        return false;
    struct requests *requests = base_calloc(1, sizeof *requests);
    requests->count = spec->route_count;
    requests->list = base_calloc(spec->route_count, sizeof *requests->list);
    for (size_t i = 0; i < spec->route_count; i++) {
        if (!load_h2_request_build(&requests->list[i], spec, &spec->routes[i], err)) {
            discard(requests);
            return false;
        }
    }
    *prepared = requests;
    return true;
}

static bool pool_init(struct load_pool *pool, const void *prepared, struct base_error *err)
{
    const struct load_spec *spec = pool->spec;
    const struct requests *requests = prepared;
    struct load_h2 *own = base_calloc(1, sizeof *own);
    *own = (struct load_h2){.pool = pool,
                            .requests = requests->list,
                            .wires = base_calloc(pool->connections, sizeof *own->wires),
                            .wire_count = pool->connections,
                            .slots_each = spec->streams > 1 ? spec->streams : 1,
                            .in = base_calloc(LOAD_H2_BUFFER, 1),
                            .out = base_calloc(LOAD_H2_BUFFER, 1)};
    pool->engine = own;
    TAILQ_INIT(&own->due);
    TAILQ_INIT(&own->resting);
    io_timer_init(&own->turn, pool->loop, on_turn, own);
    for (size_t i = 0; i < own->wire_count; i++)
        own->wires[i].own = own;
    if (spec->tls.server_name != NULL)
        own->tls = load_tls_new(&spec->tls, spec->target_count, load_tls_offer_of(spec), err);
    return (spec->tls.server_name == NULL || own->tls != NULL) && load_dials_init(pool, err);
}

static void pool_fini(struct load_pool *pool)
{
    struct load_h2 *own = pool->engine;
    if (own == NULL)
        return;
    io_timer_fini(&own->turn);
    load_tls_free(own->tls);
    load_dials_fini(pool);
    free(own->wires);
    free(own->in);
    free(own->out);
    free(own);
    pool->engine = NULL;
}

static void count_tls(const struct load_pool *pool, struct load_tls_result *out)
{
    const struct load_h2 *own = pool->engine;
    if (own->tls != NULL)
        load_tls_count(own->tls, out);
}

#define HTTP2                                                                                      \
    .conn_size = sizeof(struct load_h2_slot), .flows = true, .prepare = prepare,                   \
    .discard = discard, .pool_init = pool_init, .pool_fini = pool_fini, .count_tls = count_tls,    \
    .init = h2_init, .open = h2_open, .send = h2_send, .abort = h2_abort, .fini = h2_fini

const struct load_driver load_http2_driver = {.name = "http2", HTTP2};
const struct load_driver load_dialled_http2_driver = {.name = "curl", .resolves = true, HTTP2};
