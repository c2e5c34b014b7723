/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that are held, by when they leave; those of one instant in the order of their arrival. */
#ifndef CHAOS_TIMELINE_H
#define CHAOS_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct timeline_packet {
    struct mono_ns leaves;
    uint64_t order; /* given by timeline_add */
    uint32_t id;
    bool delayed;        /* leaves later than it came */
    bool changed;        /* leaves with the bytes below in place of its own */
    bool duplicate;      /* `copy` leaves too */
    unsigned char *data; /* owned; NULL unless changed */
    unsigned char *copy; /* owned; NULL unless duplicate */
    size_t len;          /* of each of the two */
};

struct timeline {
    struct timeline_packet *heap;
    size_t count;
    size_t room;
    uint64_t next_order;
};

void timeline_add(struct timeline *line, struct timeline_packet packet);
const struct timeline_packet *timeline_first(const struct timeline *line); /* NULL: none */
/* The first one, which is there; what it owns is the caller's. */
struct timeline_packet timeline_take(struct timeline *line);
void timeline_fini(struct timeline *line); /* accepts a zeroed value */

#endif
