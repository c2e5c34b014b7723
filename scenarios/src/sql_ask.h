/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to PostgreSQL, on the loop: connect, ask, hang up (adapter of libpq: sql_ask.c,
 * https://www.postgresql.org/docs/15/libpq-async.html). A connection of its own each time, for
 * whether one can be had is part of what is asked. Rows are counted as they come and never held.
 */
#ifndef SCENARIOS_SQL_ASK_H
#define SCENARIOS_SQL_ASK_H

#include "io/loop.h"
#include "model/load.h"

struct sql_ask;

struct sql_question {
    const struct load_target *target; /* an address, never a name: libpq would block */
    const char *database;
    const char *user;     /* NULL: libpq's default */
    const char *password; /* NULL: none; not kept by us */
    const char *query;
    struct dur_ns patience; /* for all of it */
};

struct sql_answer {
    const char *trouble; /* NULL: it was answered */
    int64_t rows;
    const char *value; /* first column of the first row; NULL: no row, or SQL's null */
};

/* on_done fires once, on the loop and never from inside this call, unless cancelled; the question
 * is freed before. The texts of an answer are valid during the call. Never NULL. */
struct sql_ask *sql_ask_start(struct io_loop *loop, const struct sql_question *question,
                              void (*on_done)(void *ctx, const struct sql_answer *answer),
                              void *ctx);
void sql_ask_cancel(struct sql_ask *ask); /* accepts NULL */

#endif
