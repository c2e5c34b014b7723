/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to Redis, on the loop: connect, log in, ask, hang up (adapter of hiredis:
 * redis_ask.c, its async.h). As sql_ask.h otherwise.
 */
#ifndef SCENARIOS_REDIS_ASK_H
#define SCENARIOS_REDIS_ASK_H

#include "io/loop.h"
#include "model/load.h"

struct redis_ask;

struct redis_question {
    const struct load_target *target;
    const char *user;     /* NULL: the default user */
    const char *password; /* NULL: none; not kept */
    int database;
    char *const *command;
    size_t command_count; /* 1 to REDIS_WORDS_MAX */
    struct dur_ns patience;
};
enum { REDIS_WORDS_MAX = 64 };

struct redis_answer {
    const char *trouble; /* NULL: it was answered, and with no error */
    const char *reply;   /* as text; "(nil)" for nothing */
};

struct redis_ask *redis_ask_start(struct io_loop *loop, const struct redis_question *question,
                                  void (*on_done)(void *ctx, const struct redis_answer *answer),
                                  void *ctx);
void redis_ask_cancel(struct redis_ask *ask); /* accepts NULL */

#endif
