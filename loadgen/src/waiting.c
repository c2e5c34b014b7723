/* SPDX-License-Identifier: Apache-2.0 */
#include "waiting.h"

#include <stdlib.h>

#include "base/text.h"

enum { FIRST_CAP = 256 };

void load_waiting_init(struct load_waiting *waiting, size_t max)
{
    *waiting = (struct load_waiting){.max = max};
}

void load_waiting_fini(struct load_waiting *waiting)
{
    free(waiting->ring);
    *waiting = (struct load_waiting){0};
}

static void grow(struct load_waiting *waiting)
{
    size_t cap = waiting->cap == 0 ? FIRST_CAP : waiting->cap * 2;
    struct load_due *ring = base_calloc(cap, sizeof *ring);
    for (size_t i = 0; i < waiting->count; i++)
        ring[i] = waiting->ring[(waiting->head + i) & (waiting->cap - 1)];
    free(waiting->ring);
    waiting->ring = ring;
    waiting->cap = cap;
    waiting->head = 0;
}

bool load_waiting_push(struct load_waiting *waiting, const struct load_due *due)
{
    if (waiting->count >= waiting->max)
        return false;
    if (waiting->count == waiting->cap)
        grow(waiting);
    waiting->ring[(waiting->head + waiting->count) & (waiting->cap - 1)] = *due;
    waiting->count++;
    return true;
}

void load_waiting_pop(struct load_waiting *waiting)
{
    waiting->head = (waiting->head + 1) & (waiting->cap - 1);
    waiting->count--;
}
