/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one thread records between two swaps: counts and histograms by phase and route. Plain
 * memory, written by one thread at a time: each worker has two shards and writes into one of them
 * while the reader merges and empties the other (Gil Tene's interval recorder); who holds which is
 * settled under the worker's mailbox lock, so recording needs neither lock nor atomic.
 *
 * Cells are made when first written to, and those that an interval did not touch are freed when it
 * is merged: memory follows the phases in use, not the phases there ever were.
 *
 * Response times are wanted twice (ADR 0024): by when requests ended, and by when they were due. A
 * shard has a home, the interval of the nominal grid in which most of what ends now was due. The
 * histogram of a cell holds the response times of those; the others, strays, are kept one by one.
 * Both together are what ended here, so nothing is recorded twice and the hot path pays for one
 * comparison.
 */
#ifndef LOAD_RECORDER_H
#define LOAD_RECORDER_H

#include "loadgen/run.h"
#include "model/hdr.h"
#include "model/load.h"
#include "waiting.h"

/* One phase and route. The schedule errors of a phase lie in a cell of its own: route index
 * `routes`, written "-" in tags. A histogram without counts has not been used. */
struct load_cell {
    struct load_counts counts;
    struct hdr histograms[LOAD_KIND_COUNT];
};

/* The response time of a request that was due outside of the shard's home. */
struct load_stray {
    int64_t intended; /* monotonic ns */
    int64_t ns;
    uint32_t phase;
    uint32_t route;
};

struct load_shard {
    int64_t home;         /* monotonic ns: requests due from here on... */
    uint64_t home_length; /* ...for so long are at home; 0: none is */
    uint32_t routes;
    uint32_t phases;                   /* cells are there (or NULL) for this many */
    struct load_cell **cells;          /* [phase * (routes + 1) + route] */
    struct hdr late[LOAD_DELAY_COUNT]; /* schedule error by cause; without counts: not used */
    uint64_t missed_busy;  /* missed for want of a connection while responses were coming */
    uint64_t out_of_ports; /* connects that failed for want of a local port or descriptor */
    int64_t last_end;      /* monotonic ns; 0: no request ended */
    int64_t owed; /* set when it is handed over: no response is to come that was due before */
    struct load_stray *strays;
    size_t stray_count, stray_cap;
    struct load_thread time; /* of the thread, while it wrote here */
};

bool load_shard_init(struct load_shard *shard, uint32_t routes, struct base_error *err);
void load_shard_fini(struct load_shard *shard); /* accepts a zeroed value */
struct load_cell *load_shard_make_cell(struct load_shard *shard, uint32_t phase, uint32_t route);
void load_cell_prepare(struct load_cell *cell, enum load_kind kind);
void load_hdr_prepare(struct hdr *hdr); /* an unused one becomes a latency histogram */
/* Empties the shard; cells without a count are freed. */
void load_shard_reset(struct load_shard *shard);
bool load_shard_is_empty(const struct load_shard *shard); /* nothing happened in it */
/* Adds all of from, which has as many routes; what is there then is by when requests ended. */
bool load_shard_add(struct load_shard *shard, const struct load_shard *from,
                    struct base_error *err);
void load_shard_stray(struct load_shard *shard, const struct load_stray *stray);
const char *load_kind_name(enum load_kind kind);

static inline size_t load_shard_index(const struct load_shard *shard, uint32_t phase,
                                      uint32_t route)
{
    return (size_t)phase * (shard->routes + 1) + route;
}

/* The cell, made if need be. */
static inline struct load_cell *load_shard_cell(struct load_shard *shard, uint32_t phase,
                                                uint32_t route)
{
    if (__builtin_expect(phase < shard->phases, 1)) {
        struct load_cell *cell = shard->cells[load_shard_index(shard, phase, route)];
        if (__builtin_expect(cell != NULL, 1))
            return cell;
    }
    return load_shard_make_cell(shard, phase, route);
}

/* The cell or NULL when nothing was recorded there. */
static inline const struct load_cell *load_shard_peek(const struct load_shard *shard,
                                                      uint32_t phase, uint32_t route)
{
    return phase < shard->phases ? shard->cells[load_shard_index(shard, phase, route)] : NULL;
}

static inline void load_cell_record(struct load_cell *cell, enum load_kind kind, int64_t ns)
{
    if (__builtin_expect(cell->histograms[kind].counts == NULL, 0))
        load_cell_prepare(cell, kind);
    hdr_record(&cell->histograms[kind], ns);
}

/* Of a request that was due then; cell is the shard's of its phase and route. */
static inline void load_shard_response(struct load_shard *shard, struct load_cell *cell,
                                       const struct load_due *due, int64_t ns)
{
    if (__builtin_expect((uint64_t)due->intended - (uint64_t)shard->home < shard->home_length, 1))
        load_cell_record(cell, LOAD_KIND_RESPONSE, ns);
    else
        load_shard_stray(shard, &(struct load_stray){due->intended, ns, due->phase, due->route});
}

static inline void load_shard_late(struct load_shard *shard, enum load_delay cause, int64_t ns)
{
    if (__builtin_expect(shard->late[cause].counts == NULL, 0))
        load_hdr_prepare(&shard->late[cause]);
    hdr_record(&shard->late[cause], ns);
}

#endif
