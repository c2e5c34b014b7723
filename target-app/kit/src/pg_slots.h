/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the pool: connections in slots, calls that wait for one or run on one. */
#ifndef KIT_PG_SLOTS_H
#define KIT_PG_SLOTS_H

#include "kit/pg.h"
#include "pg_conn.h"
#include "pg_metrics.h"

enum { POOL_MAX = 64 };

enum slot_state { SLOT_EMPTY, SLOT_CONNECTING, SLOT_IDLE, SLOT_BUSY, SLOT_STATES };

struct slot {
    struct kit_pg *pool;
    enum slot_state state;
    struct pg_conn *conn;
    struct kit_pg_call *call; /* BUSY */
    struct mono_ns heard;     /* when the server last said something */
    struct io_timer timer;    /* CONNECTING: the connect deadline */
};

struct kit_pg_call {
    struct kit_pg *pool;
    struct kit_pg_call *next, **link; /* in the queue while it waits */
    struct slot *slot;                /* or under way here */
    size_t statement;
    char *params[KIT_PG_PARAMS_MAX];
    const char *values[KIT_PG_PARAMS_MAX];
    struct mono_ns started;
    struct mono_ns sent;
    struct io_timer deadline;
    void (*on_done)(void *ctx, const struct kit_pg_reply *reply); /* NULL: nobody waits */
    void *ctx;
};

struct kit_pg {
    struct io_loop *loop;
    struct kit_pg_config config;
    struct kit_pg_statement *statements; /* the user's and, last, the ping */
    char *conninfo;
    struct slot slots[POOL_MAX];
    struct kit_pg_call *first, **tail; /* waiting */
    size_t waiting;
    bool healthy;      /* the last thing heard from the server was good */
    unsigned failures; /* connects failed in a row */
    struct kit_pg_call *ping;
    struct io_timer backoff;
    struct io_timer pulse;
    struct base_error last_error;
    struct pg_metrics metrics;
};

size_t pg_slots_in(const struct kit_pg *pool, enum slot_state state);
void pg_slot_discard(struct slot *slot);
/* params may be NULL for a statement without any. The deadline runs from now on. */
struct kit_pg_call *pg_call_new(struct kit_pg *pool, size_t statement, const char *const *params,
                                struct dur_ns deadline);
void pg_call_queue(struct kit_pg_call *call);
void pg_call_free(struct kit_pg_call *call);
/* Puts waiting calls on idle connections and opens more where they do not suffice. */
void pg_dispatch(struct kit_pg *pool);
/* Timers: ctx is a slot, the pool, the pool. */
void pg_on_connect_timeout(void *slot);
void pg_on_backoff(void *pool);
void pg_on_pulse(void *pool);

#endif
