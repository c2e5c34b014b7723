/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the leader and the workers of a distributed run say to each other through Redis
 * (docs/adr/0006-distributed-load.md). All keys begin "squall:<run>:" and are gone an hour after
 * they were written last. All but the plan go on with an id that the plan holds: what is left of a
 * run, a worker that was stopped among it, has nothing to do with a later one of the same name.
 *
 *   plan     leader sets: {"id": word, "workers": n, "spec": {...struct load_spec...}}
 *   alive    leader sets again and again, for some seconds: without it, workers stop
 *   joined   workers count themselves: the number a worker gets less one is its index
 *   ended    workers whose leader is gone count themselves, once their load has ended
 *   torn     whoever makes it tears down, and nobody else: the index of a worker
 *   up       stream of workers' messages, each with "worker" (its index) and "type":
 *            joined {"name", "rttNs"}, ready {"setup": of worker 0, what that left; if any}, alive,
 *            ended {"early": by itself}, when flows have a teardown: it waits for who does it,
 *            interval {"number", "interval", "log": lines of a histogram log},
 *            finished {"result" without its intervals, "log": the lines behind the last
 * interval's}, failed {"message"} down     stream of the leader's: go {"startNs": on Redis' clock,
 * "setup": as worker 0 said}, stop, teardown {"worker": the index of who does it, for all have
 * ended, "setup": if go was never said}, end (whoever still waits does not tear down)
 */
#ifndef LOAD_CLUSTER_H
#define LOAD_CLUSTER_H

#include "model/json.h"
#include "model/load.h"
#include "redis.h"

enum load_cluster_key {
    LOAD_CLUSTER_PLAN,
    LOAD_CLUSTER_ALIVE,
    LOAD_CLUSTER_JOINED,
    LOAD_CLUSTER_ENDED,
    LOAD_CLUSTER_TORN,
    LOAD_CLUSTER_UP,
    LOAD_CLUSTER_DOWN,
    LOAD_CLUSTER_KEYS
};
/* id: of the plan, which itself has none. free() it. */
char *load_cluster_key(const char *run, const char *id, enum load_cluster_key key);
/* 1 to 64 letters, digits, '-', '_' or '.'. */
bool load_cluster_run_valid(const char *run);

extern const struct dur_ns load_cluster_ttl;      /* of all keys but alive */
extern const struct dur_ns load_cluster_alive;    /* of that one */
extern const struct dur_ns load_cluster_patience; /* of one round trip to Redis */

/*
 * Redis' clock seen from here. Of several round trips the fastest says most: the answer was made
 * somewhere between sending and receiving, so its middle is wrong by half of the round trip at
 * most (Cristian 1989).
 */
struct load_cluster_clock {
    struct dur_ns rtt; /* of the best; 0 with no samples */
    int64_t offset;    /* Redis' wall clock less our monotonic one, ns */
    unsigned samples;
};
void load_cluster_clock_add(struct load_cluster_clock *clock, struct mono_ns sent,
                            struct mono_ns received, struct wall_ns redis);
/* By as many round trips as it takes for a fast one. */
bool load_cluster_clock_learn(struct load_cluster_clock *clock, struct load_redis *redis,
                              struct base_error *err);
struct mono_ns load_cluster_clock_mono(const struct load_cluster_clock *clock, struct wall_ns at);

/* What a worker sends of the whole: an even share of connections; the schedule is shared by
 * arrival (struct load_share). */
uint32_t load_cluster_connections(uint32_t all, uint32_t index, uint32_t workers);

#endif
