/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session at a Redis server, on the loop: what it is asked is sent at once, also several
 * questions behind each other, and each is answered in its turn.
 */
#ifndef CHAOS_REDIS_SESSION_H
#define CHAOS_REDIS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "credentials.h"
#include "io/loop.h"

struct fault_redis;

struct fault_redis_answer { /* during the call only */
    bool ok;
    bool lost; /* not ok: no answer, the connection is no more; otherwise an error of Redis' */
    const char *text; /* of a string, a status or an error; "" for others */
    int64_t number;   /* of an integer; 0 for others */
};
typedef void fault_redis_next(void *ctx, const struct fault_redis_answer *answer);

/* Never NULL: what goes wrong is the answer to what it is asked. The credentials are used during
 * the call only; address is numeric. */
struct fault_redis *fault_redis_open(struct io_loop *loop, const char *address, uint16_t port,
                                     const struct fault_credentials *credentials);
/* next follows on the loop, never from inside the call; the session may be freed there. NULL: the
 * answer is of no interest. words end with NULL. */
void fault_redis_ask(struct fault_redis *redis, const char *const *words, fault_redis_next *next,
                     void *ctx);
/* Disconnects; next is not called any more. Accepts NULL. */
void fault_redis_free(struct fault_redis *redis);

#endif
