/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that are due but have no connection yet: first in, first out, with a declared bound. */
#ifndef LOAD_WAITING_H
#define LOAD_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load_errand;

/* A request that is due. */
struct load_due {
    int64_t intended;  /* monotonic ns */
    uint64_t number;   /* of the arrival */
    uint64_t answered; /* responses the worker had seen when it was due */
    uint32_t phase;
    uint32_t route;
    uint32_t user;              /* closed model */
    struct load_errand *errand; /* of a flow's step (errand.h); NULL: the route's own request */
};

struct load_waiting {
    struct load_due *ring; /* owned */
    size_t cap;            /* 0 or a power of two */
    size_t head;
    size_t count;
    size_t max;
};

void load_waiting_init(struct load_waiting *waiting, size_t max);
void load_waiting_fini(struct load_waiting *waiting);
bool load_waiting_push(struct load_waiting *waiting, const struct load_due *due); /* false: full */
/* NULL when empty; valid until the next push or pop. */
static inline const struct load_due *load_waiting_head(const struct load_waiting *waiting)
{
    return waiting->count == 0 ? NULL : &waiting->ring[waiting->head];
}

/* The one so many behind the head; there are more. */
static inline const struct load_due *load_waiting_at(const struct load_waiting *waiting, size_t i)
{
    return &waiting->ring[(waiting->head + i) & (waiting->cap - 1)];
}

void load_waiting_pop(struct load_waiting *waiting); /* not empty */

#endif
