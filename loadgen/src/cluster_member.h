/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of a worker of a distributed run: cluster_worker.c, and cluster_member.c (what
 * setup left, and who tears down). */
#ifndef LOAD_CLUSTER_MEMBER_H
#define LOAD_CLUSTER_MEMBER_H

#include "cluster.h"
#include "loadgen/cluster_worker.h"
#include "redis.h"

/* Whose it is to tear down what setup made. */
enum load_teardown { LOAD_TEARDOWN_UNSAID, LOAD_TEARDOWN_HERE, LOAD_TEARDOWN_ELSEWHERE };

struct load_member {
    struct io_loop *loop;
    struct load_member_events events;
    struct load_redis *redis;
    char *keys[LOAD_CLUSTER_KEYS];
    char *last; /* message of the leader */
    uint32_t index;
    uint32_t workers;
    struct load_spec spec;
    struct load_cluster_clock clock;
    struct load_run *run;
    int log_fd; /* a file in memory that holds what was not handed over yet */
    uint64_t snapshots;
    struct mono_ns start;
    struct mono_ns spoke; /* to the leader, last */
    struct io_timer poll;
    bool over;
    bool left; /* by a signal of its own */

    /* Of flows with a teardown. */
    bool tears;    /* they have one */
    bool has_made; /* it has what setup left */
    bool ended;    /* its load, and it waits for who tears down */
    enum load_teardown teardown;
    json_t *setup; /* what setup left; NULL: nothing */
    bool orphaned; /* the leader is gone, and it stays to see to the teardown */
    bool counted;  /* among those whose load has ended */
    struct mono_ns since;
};

/* What setup left, of a leader's message; worker 0 has it already. */
bool load_member_inherit(struct load_member *member, const json_t *message, struct base_error *err);
/* The leader's word about who tears down; who is told to does, unless somebody has begun. */
bool load_member_take_teardown(struct load_member *member, const json_t *message,
                               struct base_error *err);
/* Somebody else did, or there is nothing to tear down. */
void load_member_leave_teardown(struct load_member *member);
/* The leader is gone: true while there is something left to do, which ends by the run's
 * on_finished. Otherwise err says so (load_member_alone). */
bool load_member_outlive(struct load_member *member, struct base_error *err);
bool load_member_alone(struct base_error *err); /* false */
/* What a worker that fails knows of the teardown, for nobody may be left who could say it.
 * finished: its run has. free() it; NULL: there is nothing to say. */
char *load_member_about_teardown(const struct load_member *member, bool finished);

#endif
