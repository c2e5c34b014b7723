/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

size_t load_wire_places(const struct load_spec *spec)
{
    return spec->pipeline > 1 ? spec->pipeline : 1;
}

void load_wire_attach(struct load_wire *wire, struct load_conn *conn)
{
    struct load_place *place = load_place_of(conn);
    if (wire->count++ == 0) {
        wire->pool = conn->pool;
        wire->places = place;
        TAILQ_INIT(&wire->under_way);
    }
    place->wire = wire;
}

static void offer(struct load_place *place, int64_t now)
{
    struct load_pool *pool = place->head.pool;
    place->offered = true;
    pool->on_ready(pool->ctx, &place->head, now);
}

void load_wire_rise(struct load_wire *wire, int64_t now, struct dur_ns connect, struct dur_ns tls)
{
    struct load_pool *pool = wire->pool;
    wire->up = true;
    pool->established += wire->count;
    for (size_t i = 0; i < wire->count; i++)
        load_conn_settle(&wire->places[i].head, true);
    pool->on_opened(pool->ctx, connect, tls);
    for (size_t i = 0; i < wire->count; i++)
        offer(&wire->places[i], now);
}

void load_wire_sent(struct load_place *place)
{
    place->offered = false;
    place->busy = true;
    place->first_at = 0;
    place->bytes_in = 0;
    place->bytes_out = 0;
    TAILQ_INSERT_TAIL(&place->wire->under_way, place, next);
}

static void end(struct load_place *place, struct load_outcome *outcome)
{
    struct load_pool *pool = place->head.pool;
    TAILQ_REMOVE(&place->wire->under_way, place, next);
    place->busy = false;
    outcome->bytes_in = place->bytes_in;
    outcome->bytes_out = place->bytes_out;
    outcome->first_at = place->first_at == 0 ? outcome->at : place->first_at;
    pool->on_end(pool->ctx, &place->head, outcome);
}

void load_wire_answer(struct load_place *place, struct load_outcome *outcome, bool last)
{
    outcome->answered = true;
    load_pool_note_outcome(place->head.pool, outcome);
    end(place, outcome);
    if (!last)
        offer(place, outcome->at);
}

void load_wire_fall(struct load_wire *wire, struct load_place *first,
                    const struct load_outcome *outcome)
{
    struct load_pool *pool = wire->pool;
    struct load_place *place;
    if (wire->up)
        pool->established -= wire->count;
    wire->up = false;
    for (size_t i = 0; i < wire->count; i++) {
        if (wire->places[i].offered)
            pool->on_unready(pool->ctx, &wire->places[i].head);
        wire->places[i].offered = false;
    }
    if (first == NULL)
        first = load_wire_oldest(wire);
    if (first == NULL)
        return;
    struct load_outcome one = *outcome;
    load_pool_note_outcome(pool, &one);
    end(first, &one);
    while ((place = load_wire_oldest(wire)) != NULL) {
        struct load_outcome behind = {.failure = load_cause_failure(LOAD_CAUSE_BEHIND),
                                      .cause = LOAD_CAUSE_BEHIND,
                                      .at = outcome->at};
        end(place, &behind);
    }
}

void load_wire_refused(struct load_wire *wire, enum load_cause cause, const char *why)
{
    struct load_pool *pool = wire->pool;
    load_conn_note_refusal(&wire->places[0].head, cause, why);
    for (size_t i = 0; i < wire->count; i++)
        load_conn_settle(&wire->places[i].head, false);
    pool->on_refused(pool->ctx);
}
