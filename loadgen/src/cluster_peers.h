/* SPDX-License-Identifier: Apache-2.0 */
/* The workers of a distributed run as their leader sees them, and what came of all of them
 * together. No Redis, no loop. */
#ifndef LOAD_CLUSTER_PEERS_H
#define LOAD_CLUSTER_PEERS_H

#include "loadgen/merge.h"
#include "model/load.h"

struct load_peer {
    char *name; /* NULL: has not joined */
    bool ready;
    bool ended;    /* its load has; it waits to hear who tears down */
    bool finished; /* result is there */
    bool failed;   /* and said why; it is lost */
    bool lost;
    struct mono_ns heard;
    uint64_t intervals;
    uint64_t slots;            /* it has sent all of these (load_cluster_slot) */
    struct load_counts counts; /* over its intervals */
    struct base_buf log;       /* lines of its histogram log, over its intervals */
    struct load_result result;
};

struct load_peers {
    struct load_peer *all;
    uint32_t count;
    struct base_buf troubles; /* why the result is no evidence; empty: it is */
};

struct load_peers_start {
    struct wall_ns wall;
    struct mono_ns mono;
};

void load_peers_init(struct load_peers *peers, uint32_t count);
void load_peers_fini(struct load_peers *peers);
const char *load_peer_name(const struct load_peers *peers, uint32_t index);
/* One more reason; all are told. */
void load_peers_trouble(struct load_peers *peers, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sums up the peers in result (whose intervals are there) and merge, and looks whether all adds up:
 * each worker's count with its intervals, what was recorded with what was counted, what was due
 * with the schedule. */
bool load_peers_conclude(struct load_peers *peers, const struct load_spec *spec,
                         const struct load_peers_start *start, struct load_merge *merge,
                         struct load_result *result, struct base_error *err);

#endif
