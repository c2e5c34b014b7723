/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When requests are due, and on which route: a pure function of (arrivals, rate, duration, weights,
 * seed). It never looks at responses nor at a clock.
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

struct load_arrival {
    int64_t at; /* ns after the start */
    uint64_t number;
    uint32_t route;
};

struct load_schedule {
    enum load_arrivals arrivals;
    double gap; /* mean, ns */
    int64_t end;
    uint64_t number; /* of the next arrival to be drawn */
    double clock;    /* ns; where the last Poisson arrival lay */
    struct base_rng gaps;
    struct base_rng picks;
    uint64_t *weights; /* running sums, owned */
    uint32_t routes;
    uint32_t share;
    uint32_t shares;
};

/* share < shares. Allocates; aborts when memory is out. */
void load_schedule_init(struct load_schedule *schedule, const struct load_spec *spec,
                        uint32_t share, uint32_t shares);
void load_schedule_fini(struct load_schedule *schedule); /* accepts a zeroed value */
/* The next arrival of this share; false when the duration is over. Times never decrease. */
bool load_schedule_next(struct load_schedule *schedule, struct load_arrival *out);

#endif
