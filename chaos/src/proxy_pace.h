/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the bytes of one direction may go on: each a fixed time after it came (latency), or in
 * pieces some time apart (slicer, slow body). Holds a bounded number of bytes; a source that is
 * faster must wait. Pure: the caller brings bytes and time.
 */
#ifndef CHAOS_PROXY_PACE_H
#define CHAOS_PROXY_PACE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/random.h"

enum { PROXY_PACE_MAX = 256 * 1024, PROXY_PACE_ARRIVALS = 512 };

struct proxy_pace {
    struct base_buf bytes; /* not yet passed on */
    size_t piece;          /* 0: as they came */
    struct dur_ns time;    /* after arrival; with pieces: between them */
    struct dur_ns jitter;  /* up to so much earlier or later; nothing overtakes */
    struct base_rng *rng;  /* for it; NULL: none */
    struct mono_ns next;   /* pieces: when the next may go */
    size_t left;           /* of the piece that is going */
    struct arrival {
        size_t len;
        struct mono_ns came; /* the first of them */
        struct mono_ns due;
    } arrivals[PROXY_PACE_ARRIVALS]; /* a ring, without pieces */
    size_t first;
    size_t count;
};

void proxy_pace_init(struct proxy_pace *pace, size_t piece, struct dur_ns time);
/* rng outlives the pace. */
void proxy_pace_vary(struct proxy_pace *pace, struct dur_ns jitter, struct base_rng *rng);
/* One time, that much varied. */
struct dur_ns proxy_pace_draw(struct dur_ns time, struct dur_ns jitter, struct base_rng *rng);
void proxy_pace_fini(struct proxy_pace *pace); /* accepts a zeroed value */
/* How many bytes it takes now; 0: none until some have gone. */
size_t proxy_pace_room(const struct proxy_pace *pace);
/* No more than there is room for. */
void proxy_pace_put(struct proxy_pace *pace, const void *bytes, size_t len, struct mono_ns now);
/* How many of pace->bytes may go now. */
size_t proxy_pace_due(const struct proxy_pace *pace, struct mono_ns now);
/* The first n have gone. */
void proxy_pace_went(struct proxy_pace *pace, size_t n, struct mono_ns now);
/* When more become due; false: nothing is held, or some are due already. */
bool proxy_pace_next(const struct proxy_pace *pace, struct mono_ns now, struct mono_ns *out);

#endif
