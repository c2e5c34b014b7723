/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When requests are due, and on which route: a pure function of (arrivals, stages, weights, seed),
 * or of a recording. It never looks at responses nor at a clock.
 *
 * A rate, constant or not, is its integral: the number of arrivals expected so far. Constant
 * arrivals are due when the integral starts to rise and whenever it reaches a whole number, so that
 * before any time t exactly the integral's ceiling have become due: a ramp sends neither more nor
 * fewer than the area below it. Poisson arrivals are a unit-rate Poisson process on the integral's
 * axis, carried back in time (time rescaling), so they are exact for every shape. What a stage
 * leaves of a whole arrival, the next one begins with; bursts leave the integral alone.
 *
 * There is one global sequence of arrivals, numbered from 0, and every thread walks the whole of
 * it: thread s of n keeps the arrivals whose number modulo n is s and skips the others. So the
 * union over threads is the same sequence for every n and in every process, and a Poisson process
 * stays one. Walking costs about 20 ns an arrival; splitting the seed instead (one process a
 * thread) would make the sequence depend on the number of threads.
 */
#ifndef LOAD_SCHEDULE_H
#define LOAD_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "model/load.h"
#include "picker.h"

struct load_replay;

struct load_arrival {
    int64_t at; /* ns after the start */
    uint64_t number;
    uint32_t route;
};

/* A stage made ready for walking. */
struct load_piece {
    int64_t start; /* ns */
    int64_t length;
    double from;  /* a second */
    double slope; /* a second, per second */
    double area;  /* arrivals expected in it */
    uint64_t burst;
    int64_t every;
};

struct load_schedule {
    enum load_arrivals arrivals;
    struct load_piece *pieces; /* owned */
    size_t piece_count;
    size_t piece;                     /* where the next arrival is looked for */
    const struct load_replay *replay; /* NULL: none */
    int64_t end;
    int64_t last;    /* when the last arrival was due: times never decrease */
    uint64_t number; /* of the next arrival to be drawn */
    double offset;   /* the next arrival's place in the piece's area: offset + steps */
    uint64_t steps;  /* counted apart, so that no rounding error builds up */
    uint64_t fired;  /* of the piece's burst arrivals */
    struct base_rng gaps;
    struct base_rng picks;
    struct load_picker picker;
    uint32_t share;
    uint32_t shares;
};

/* share < shares. replay: the recording that spec names, outlives the schedule; NULL when it names
 * none. Allocates; aborts when memory is out. */
void load_schedule_init(struct load_schedule *schedule, const struct load_spec *spec,
                        const struct load_replay *replay, uint32_t share, uint32_t shares);
void load_schedule_fini(struct load_schedule *schedule); /* accepts a zeroed value */
/* The next arrival of this share; false when the duration is over. Times never decrease. */
bool load_schedule_next(struct load_schedule *schedule, struct load_arrival *out);

#endif
