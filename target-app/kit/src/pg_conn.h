/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to PostgreSQL on the loop; one statement at a time. No deadlines here: whoever
 * owns the connection frees it when it has waited long enough. */
#ifndef KIT_PG_CONN_H
#define KIT_PG_CONN_H

#include "kit/pg.h"

struct pg_conn;

/* Each is the last thing that happens in its turn: the connection may be freed from inside. */
struct pg_conn_events {
    void (*on_connected)(void *owner);
    void (*on_reply)(void *owner, const struct kit_pg_reply *reply); /* idle again */
    void (*on_lost)(void *owner, const struct base_error *error);    /* only free it now */
};

struct pg_statement_call {
    size_t index; /* names the prepared statement */
    const struct kit_pg_statement *statement;
    const char *const *params; /* stay valid until the reply */
};

/* conninfo with what the pool needs added (statement_timeout, UTC, tcp_user_timeout, keepalives),
 * as one string to free(); BASE_INVALID when it does not parse. */
char *pg_conninfo_extend(const char *conninfo, struct dur_ns statement_timeout,
                         struct dur_ns dead_after, struct base_error *err);
/* Never calls back from inside. NULL only for a lack of memory. */
struct pg_conn *pg_conn_start(struct io_loop *loop, const char *conninfo,
                              const struct pg_conn_events *events, void *owner,
                              struct base_error *err);
/* Prepares the statement on first use. false: the connection is broken, nothing was sent, and no
 * event follows. */
bool pg_conn_send(struct pg_conn *conn, const struct pg_statement_call *call);
void pg_conn_free(struct pg_conn *conn); /* accepts NULL */

#endif
