/* SPDX-License-Identifier: Apache-2.0 */
/* What an eviction storm has to write at a Redis server, by what the server says of itself. Pure.
 */
#ifndef CHAOS_REDIS_STORM_H
#define CHAOS_REDIS_STORM_H

#include <stddef.h>

#include "redis_session.h"

enum { FAULT_REDIS_KEYS = 1024 }; /* of a fault at most */

struct fault_redis_state {
    int64_t limit;    /* maxmemory; 0: none */
    int64_t used;     /* of it, as the server counts when it evicts */
    int64_t data;     /* bytes of what it holds */
    int64_t evicted;  /* keys since it was started */
    int64_t keys;     /* of all databases */
    int64_t expiring; /* of those */
    char policy[32];
    bool replica;
};
/* Of the answer to INFO; false: it is none. */
bool fault_redis_state_of(const struct fault_redis_answer *answer, struct fault_redis_state *out);

/* Keys, in the order in which they are written; all of them together are FAULT_REDIS_KEYS at most.
 * What is free is filled with large ones, then small ones; small ones drive out others' keys. */
struct fault_redis_storm {
    size_t large;
    size_t large_size; /* of each */
    size_t small;
    size_t size;  /* of each small one */
    size_t first; /* so many drive out at once, so that the effect is shown, */
    size_t rest;  /* these later, evenly */
};
/* NULL: it can be done; else why not, and what to do. */
const char *fault_redis_storm_plan(const struct fault_redis_state *state, int64_t destroys,
                                   struct fault_redis_storm *out);
size_t fault_redis_storm_size(const struct fault_redis_storm *storm, size_t index); /* of a key */
/* That the first of them take. */
int64_t fault_redis_storm_bytes(const struct fault_redis_storm *storm, size_t count);
/* Before the first that drives out, before the first that comes later, all. */
size_t fault_redis_storm_filling(const struct fault_redis_storm *storm);
size_t fault_redis_storm_begun(const struct fault_redis_storm *storm);
size_t fault_redis_storm_all(const struct fault_redis_storm *storm);

#endif
