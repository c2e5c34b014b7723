/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection that carries several requests at once: so many places, each of which is a
 * load_conn to the worker (driver.h). What every engine of such connections has in common: who
 * waits for a response in which order, and what becomes of them all when the connection is lost.
 *
 * Design notes. An engine must not tell the worker anything from inside of send: the worker may be
 * about to take the very place that would be reported lost. What goes wrong there is told from the
 * loop.
 *
 * When a connection is lost the first request under way gets the cause, and those behind it, which
 * the target may have done or not, LOAD_CAUSE_BEHIND. They are not sent again: a load generator
 * that repeats requests hides what happened to them.
 */
#ifndef LOAD_WIRE_H
#define LOAD_WIRE_H

#include "driver.h"

struct load_wire;

struct load_place {
    struct load_conn head;
    struct load_wire *wire;
    TAILQ_ENTRY(load_place) next; /* under way */
    uint64_t tag;                 /* the engine's */
    uint64_t bytes_in;
    uint64_t bytes_out;
    int64_t first_at; /* bytes of the response came first; 0: none yet */
    bool offered;     /* the worker has it, without a request */
    bool busy;        /* under way */
    uint8_t marks;    /* the engine's */
};

struct load_wire {
    struct load_pool *pool;
    struct load_place *places; /* count of them, one behind the other; the worker's */
    size_t count;
    TAILQ_HEAD(load_place_list, load_place) under_way; /* oldest first */
    bool up;
};

/* Requests that connections carry at once, as the spec has it; at least 1. */
size_t load_wire_places(const struct load_spec *spec);
/* Its next place; they lie one behind the other. */
void load_wire_attach(struct load_wire *wire, struct load_conn *conn);

static inline struct load_place *load_place_of(struct load_conn *conn)
{
    return (struct load_place *)(void *)conn;
}

/* The first of its places speaks for the wire: it is the one that is opened. */
static inline bool load_place_is_first(const struct load_place *place)
{
    return place == place->wire->places;
}

/* The oldest request under way; NULL: none is. */
static inline struct load_place *load_wire_oldest(const struct load_wire *wire)
{
    return TAILQ_FIRST(&wire->under_way);
}

/* It is connected and may take requests: all places are offered. tls as on_opened has it. */
void load_wire_rise(struct load_wire *wire, int64_t now, struct dur_ns connect, struct dur_ns tls);
/* Its request is on its way: the last one now. Tells the worker nothing. */
void load_wire_sent(struct load_place *place);
/* One of those under way has ended, and its place takes the next, unless this response was the
 * connection's last. */
void load_wire_answer(struct load_place *place, struct load_outcome *outcome, bool last);
/* The connection is lost, or to be given up: `first` (NULL: the oldest) ends as outcome says, all
 * others as those behind it; nothing is offered any more until the next rise. */
void load_wire_fall(struct load_wire *wire, struct load_place *first,
                    const struct load_outcome *outcome);
/* An attempt to connect failed; why: in the target's words, or NULL. It is not up. */
void load_wire_refused(struct load_wire *wire, enum load_cause cause, const char *why);

#endif
