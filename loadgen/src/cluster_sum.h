/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals of several workers becoming intervals of the whole. Pure. */
#ifndef LOAD_CLUSTER_SUM_H
#define LOAD_CLUSTER_SUM_H

#include "base/buf.h"
#include "loadgen/run.h"
#include "model/hdr.h"
#include "model/load.h"

/* Which interval of the whole a worker's belongs to, by its end: intervals end at multiples of
 * their length, but a busy worker may leave some out and send a longer one. */
uint64_t load_cluster_slot(const struct load_interval *interval, struct wall_ns start,
                           struct dur_ns length);

/* The intervals of one slot, of those workers that have sent theirs. */
struct load_cluster_interval {
    struct load_interval sum; /* without percentiles until finished; owned */
    struct hdr response;
    struct hdr late;
    struct base_buf log; /* the lines of all of them: a histogram takes much more */
};

bool load_cluster_interval_init(struct load_cluster_interval *interval, struct base_error *err);
void load_cluster_interval_fini(struct load_cluster_interval *interval); /* accepts zeroed */
/* log: what the worker recorded in it, lines of a histogram log. */
bool load_cluster_interval_add(struct load_cluster_interval *interval,
                               const struct load_interval *one, const char *log, size_t len,
                               struct base_error *err);
/* Tells the response times by when requests ended in lines of logs that load_cluster_interval_add
 * has taken: each line's, so those of a route as often as there are workers. */
void load_cluster_tell(const struct base_buf *log, const struct load_events *events);
/* The words of a tag, phase/route/kind; free() the two, kind is in the tag. False: it is none. */
bool load_cluster_tag(const char *tag, char **phase, char **route, const char **kind);
/* Fills in the percentiles and gives the sum away (load_interval_fini it). */
struct load_interval load_cluster_interval_take(struct load_cluster_interval *interval);

/* Adds a worker's parts to those of the whole, by phase and route. */
void load_cluster_add_parts(struct load_result *whole, const struct load_result *one);
void load_cluster_add_tls(struct load_tls_result *whole, const struct load_tls_result *one);
/* Steps of setup and teardown: those of whoever did them. */
void load_cluster_add_once(struct load_result *whole, const struct load_result *one);
/* How many requests and passages of flows are due by the schedule: what all shares together must
 * have begun. False: only their users decide that. */
bool load_cluster_scheduled(const struct load_spec *spec, uint64_t *out);
/* And how many were. */
uint64_t load_cluster_begun(const struct load_spec *spec, const struct load_result *result);

#endif
