/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session at a PostgreSQL server, on the loop: it is opened, and asked one thing after the other.
 * Whatever a session holds at the server ends with it: the kernel closes the connection of an agent
 * that dies, and for one that is stopped the server ends a session by the timeouts that it was
 * opened with.
 */
#ifndef CHAOS_PG_SESSION_H
#define CHAOS_PG_SESSION_H

#include "base/clock.h"
#include "credentials.h"
#include "io/loop.h"

struct fault_pg;

enum { FAULT_PG_STATE = 6, FAULT_PG_PARAMS = 2 };

struct fault_pg_answer { /* during the call only */
    bool ok;
    char state[FAULT_PG_STATE]; /* SQLSTATE; "" when the server said none */
    const char *message;        /* "" when ok */
    const void *result;
};

struct fault_pg_place {
    const char *address; /* numeric */
    uint16_t port;
    const struct fault_credentials *credentials;
    const char *name; /* application_name: at most 63 bytes count */
    /* The server ends the session when it has idled for so long, in a transaction or not; 0: never.
     * It gives up a statement whose session is gone, and one that waits for a lock for so long. */
    struct dur_ns idle;
    struct dur_ns lock;
};

/* Loads libpq, once; false: it is not there, and nothing below may be called but fault_pg_quote. */
bool fault_pg_load(struct base_error *err);
/* Never NULL. on_answer follows once it is open, and after each question: on the loop, never from
 * inside a call. The session may be freed inside. After a connection was lost every question has
 * that answer. */
struct fault_pg *fault_pg_open(struct io_loop *loop, const struct fault_pg_place *place,
                               void (*on_answer)(void *ctx, const struct fault_pg_answer *answer),
                               void *ctx);
/* Statements without parameters, separated by semicolons; the answer is the first error, or that of
 * the last of them. */
void fault_pg_say(struct fault_pg *pg, const char *sql);
/* One statement with $1, $2. */
void fault_pg_ask(struct fault_pg *pg, const char *sql, const char *const *params, size_t count);
/* Ends the session without waiting; accepts NULL. on_answer is not called any more. */
void fault_pg_free(struct fault_pg *pg);
/* Of the first row; NULL: there is none, or it is null. */
const char *fault_pg_cell(const struct fault_pg_answer *answer, int column);
/* "name" or "schema.name" as SQL wants it; free() it. */
char *fault_pg_quote(const char *name);

#endif
