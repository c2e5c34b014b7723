/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of the PostgreSQL engine: postgres.c (what threads and sessions share, and the
 * row) and postgres_session.c (one connection). */
#ifndef LOAD_POSTGRES_SESSION_H
#define LOAD_POSTGRES_SESSION_H

#include <stddef.h>

#include "backoff.h"
#include "postgres_query.h"
#include "wire.h"

enum { LOAD_PG_WHY = 240 };

/* One for each route; threads share it. */
struct load_pg_queries {
    size_t count;
    struct load_pg_query *list;
    struct base_buf password; /* empty: libpq looks for one itself */
};

struct load_pg;

struct load_pg_thread {
    const struct load_pg_queries *queries;
    char **patched;       /* one a route: its values with fields filled in, or NULL */
    const char ***values; /* one a route: where each parameter's lies */
    struct load_pg *list;
    size_t count;
    size_t places;   /* of each session */
    size_t attached; /* places so far */
    struct load_tls_result tls;
};

enum load_pg_state {
    LOAD_PG_COLD,
    LOAD_PG_CONNECTING, /* libpq: TCP, TLS, authentication */
    LOAD_PG_PREPARING,  /* the statements */
    LOAD_PG_UP,
    LOAD_PG_FAILING, /* what went wrong while sending is told at the loop's next turn */
    LOAD_PG_BACKOFF,
    LOAD_PG_CLOSED,
    LOAD_PG_STATES
};

struct load_pg {
    struct load_wire wire;
    struct load_pg_thread *own;
    void *pg; /* PGconn; NULL: none */
    struct io_watch watch;
    struct io_timer timer; /* the connect limit, the back-off, or FAILING's next turn */
    struct load_backoff backoff;
    enum load_pg_state state;
    unsigned lives; /* changes whenever pg does */
    int64_t opened_at;
    int64_t blocked_since; /* the first request was sent that the kernel did not take; 0: none */
    uint64_t answers;      /* since it was opened */
    bool ended;            /* a NULL was the last that PQgetResult gave */
    bool failed;           /* the request under way, or a statement that cannot be prepared */
    char why[LOAD_PG_WHY]; /* the server's last words, until the next answer */
};

void load_pg_init(struct load_pg *pg, struct load_pg_thread *own, struct io_loop *loop);
void load_pg_open(struct load_pg *pg); /* never tried */
/* Executes the statement of the place's route. */
void load_pg_execute(struct load_place *place);
/* Ends the connection, and the request as timed out. */
void load_pg_give_up(struct load_place *place);
void load_pg_close(struct load_pg *pg); /* without callbacks; twice does no harm */

static inline struct load_pg *load_pg_of(struct load_place *place)
{
    return (struct load_pg *)(void *)((char *)place->wire - offsetof(struct load_pg, wire));
}

#endif
