/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL on the loop: a pool of connections that never blocks it (adapter of libpq:
 * src/pg_conn.c; the pool itself, src/pg_pool.c and src/pg_slots.c, knows nothing of libpq).
 *
 * Design notes
 *  - A call has one deadline, waiting for a connection included. The server's statement_timeout is
 *    set shorter, so a slow statement is cancelled by the server and its connection lives on; a
 *    connection that says nothing until the deadline is taken for dead and discarded, and with it
 *    every idle one that has not been heard of since: that is what a partition with dropped
 *    packets looks like from here.
 *  - One ping each `ping_every` over the connection unused for longest finds a dead peer without
 *    traffic. Once dead, calls fail at once with BASE_UNAVAILABLE while one connection at a time is
 *    tried with back-off.
 *  - Host names are resolved by libpq with getaddrinfo, which blocks: give names that resolve
 *    locally (/etc/hosts) or addresses.
 *  - The done callback fires exactly once for a call that was not cancelled, never from inside
 *    kit_pg_start.
 */
#ifndef KIT_PG_H
#define KIT_PG_H

#include "base/log.h"
#include "io/loop.h"
#include "kit/metrics.h"

struct kit_pg;
struct kit_pg_call;

struct kit_pg_statement {
    const char *sql; /* $1..$n, text format */
    unsigned params;
};
enum { KIT_PG_STATEMENTS_MAX = 63, KIT_PG_PARAMS_MAX = 8 };

struct kit_pg_config {
    const char *conninfo; /* libpq connection string or URI */
    const struct kit_pg_statement *statements;
    size_t statement_count;
    unsigned max_connections; /* 0 means 20 */
    unsigned max_waiting;     /* calls without a connection; 0 means 200 */
    struct dur_ns deadline;   /* of a call; 0 means 800 ms */
    struct dur_ns connect_timeout;
    struct dur_ns ping_every;
    struct kit_metrics *metrics;
    const struct base_log *log;
};

struct kit_pg_reply {
    bool ok;
    struct base_error error; /* BASE_TIMEOUT, BASE_UNAVAILABLE, BASE_INVALID (class 23), ... */
    char sqlstate[6];        /* "" when the server did not answer */
    const char *constraint;  /* of a violated one; "" otherwise */
    size_t rows;
    const void *result; /* opaque */
};
/* Text of a cell, NULL for SQL null; valid during the callback. */
const char *kit_pg_cell(const struct kit_pg_reply *reply, size_t row, unsigned column);

/* Connecting starts with the loop. BASE_INVALID when conninfo does not parse. */
struct kit_pg *kit_pg_new(struct io_loop *loop, const struct kit_pg_config *config,
                          struct base_error *err);
void kit_pg_free(struct kit_pg *pool); /* calls under way vanish without their callback */
/* statement: index into the table; params are copied, NULL is SQL null. NULL with BASE_LIMIT when
 * too many wait already, BASE_UNAVAILABLE while the server is known to be away. */
struct kit_pg_call *kit_pg_start(struct kit_pg *pool, size_t statement, const char *const *params,
                                 void (*on_done)(void *ctx, const struct kit_pg_reply *reply),
                                 void *ctx, struct base_error *err);
void kit_pg_cancel(struct kit_pg_call *call); /* on_done will not fire */
/* A readiness check for kit_service_check; ctx is the pool. */
bool kit_pg_ready(void *pool, const char **detail);

/* Runs a script (simple protocol, several statements) to its end, blocking: for migrations. A
 * server that is starting or not yet reachable is tried again until the deadline. */
bool kit_pg_script(const char *conninfo, const char *script, struct dur_ns deadline,
                   struct base_error *err);

#endif
