/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader's side of recording: adds the workers' shards up to intervals, writes them to the
 * histogram log and keeps the sums of the run. No loop, no thread.
 */
#ifndef LOAD_COLLECTOR_H
#define LOAD_COLLECTOR_H

#include "base/buf.h"
#include "client_limits.h"
#include "intended.h"
#include "recorder.h"

struct load_collector {
    const struct load_spec *spec;
    int hlog_fd;   /* -1: none */
    char **phases; /* owned names; index = phase number */
    uint32_t phase_count;
    char **routes;                 /* owned names, of all that is recorded apart */
    struct load_shard interval;    /* being added up */
    struct load_intended intended; /* response times by when requests were due */
    int64_t owed; /* by the shards of this interval: what was due before has been told */
    struct load_shard counts; /* whole run; histograms too if `keep` */
    bool keep;                /* set before the first interval */
    struct hdr totals[LOAD_KIND_COUNT];
    struct hdr late[LOAD_DELAY_COUNT];
    struct hdr scratch;
    struct load_busy *busy; /* one a worker */
    uint32_t workers;
    uint64_t missed_busy;
    uint64_t out_of_ports;
    int64_t last_end;
    struct mono_ns begun; /* of the current interval */
    struct load_result result;
    size_t interval_cap;
    const struct load_events *events; /* for on_histogram; NULL: nobody listens */
};

bool load_collector_init(struct load_collector *collector, const struct load_spec *spec,
                         int hlog_fd, uint32_t workers, struct base_error *err);
void load_collector_fini(struct load_collector *collector); /* accepts a zeroed value */
/* The number of a phase, new or known; BASE_INVALID when the name cannot be part of a tag. */
bool load_collector_phase(struct load_collector *collector, const char *name, uint32_t *phase,
                          struct base_error *err);
/* The run starts: writes the log's header. */
bool load_collector_begin(struct load_collector *collector, struct mono_ns mono,
                          struct wall_ns wall, struct base_error *err);
/* Adds a worker's shard to the interval and empties it. */
bool load_collector_take(struct load_collector *collector, uint32_t worker,
                         struct load_shard *shard, struct base_error *err);
/* Ends the interval: writes its lines, and those of the intervals of the grid of which nothing is
 * to come any more, then appends it to the result; NULL with err. */
const struct load_interval *load_collector_close(struct load_collector *collector,
                                                 struct mono_ns end, uint32_t phase,
                                                 struct base_error *err);
/* Nothing is to come any more at all: writes the lines of the grid's intervals that are left. */
bool load_collector_settle(struct load_collector *collector, struct base_error *err);
/* How long an interval has left, so long after the start (before it: less than 0): intervals end at
 * multiples of their length, however late a tick was. With less than a tenth left, where a tick was
 * a little early or very late, it is the next one that is waited for. */
struct dur_ns load_collector_left(struct dur_ns since, struct dur_ns length);
/* Fills the rest of the result. */
void load_collector_finish(struct load_collector *collector, bool complete, struct dur_ns scheduled,
                           struct dur_ns cpu);
/* Whether the word may be part of a tag: not empty, no '/', ',' or white space, printable. */
bool load_tag_word(const char *word);

#endif
