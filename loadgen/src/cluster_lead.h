/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of a distributed run's leader: cluster_leader.c (the course of the run),
 * cluster_hear.c (what workers tell it), cluster_teardown.c (who tears down) and cluster_expose.c
 * (what is told while it runs). */
#ifndef LOAD_CLUSTER_LEAD_H
#define LOAD_CLUSTER_LEAD_H

#include "base/random.h"
#include "cluster.h"
#include "cluster_peers.h"
#include "cluster_slots.h"
#include "cluster_tally.h"
#include "loadgen/cluster_leader.h"
#include "loadgen/merge.h"
#include "redis.h"

enum load_leader_stage { LOAD_GATHERING, LOAD_LEADING, LOAD_LED };

struct load_leader {
    struct io_loop *loop;
    const struct load_spec *spec;
    struct load_leader_config config;
    struct load_leader_events events;
    struct load_redis *redis;
    char id[BASE_ID_TEXT]; /* of this run, whatever its name */
    char *keys[LOAD_CLUSTER_KEYS];
    char *last;   /* message of a worker */
    size_t heard; /* messages, for the present turn */
    struct load_peers peers;
    enum load_leader_stage stage;
    bool stopped;    /* "stop" was said */
    bool tears;      /* flows have a teardown */
    bool ordered;    /* "teardown" was said, to... */
    uint32_t tearer; /* ...this worker */
    bool dismissed;  /* "end" was said: nobody else will tear down */
    json_t *setup;   /* what worker 0's left; NULL: nothing */
    struct load_cluster_clock clock;
    struct dur_ns slowest; /* round trip of a worker */
    struct mono_ns began;  /* to gather */
    struct mono_ns revived;
    struct wall_ns start;
    struct mono_ns start_mono;
    struct load_slots slots;
    struct load_tally *tally; /* owned; NULL: nobody asks */
    struct load_result result;
    struct load_merge *merge;
    struct io_timer poll;
};

static inline bool load_peer_is_done(const struct load_peer *peer)
{
    return peer->finished || peer->lost;
}

/* --- cluster_leader.c --- */

/* Renews what workers look for, when it is time: between any two things that may take long. */
bool load_lead_stay_alive(struct load_leader *leader, struct base_error *err);

bool load_lead_say(struct load_leader *leader, json_t *message, struct base_error *err); /* owned */
bool load_lead_stop(struct load_leader *leader, struct base_error *err); /* at most once */

/* --- cluster_hear.c --- */

/* Everything that workers have said, so that who is silent is not taken for who was not listened
 * to. */
bool load_lead_listen(struct load_leader *leader, struct base_error *err);

/* --- cluster_expose.c --- */

bool load_lead_tally(struct load_leader *leader, const struct load_interval *interval,
                     const char *log, size_t len, struct base_error *err);
void load_lead_unexpose(struct load_leader *leader);

/* --- cluster_teardown.c --- */

/*
 * When nobody's load is under way any more, one worker is told to tear down what setup made; worker
 * 0, if it is alive, otherwise the next one that is. Which of them does it Redis decides (the key
 * "torn"), since one that is only slow may have been given up. When the one that has begun dies,
 * nobody begins again: what it did is not known, and teardowns need not bear being done twice.
 */
bool load_lead_end_setup(struct load_leader *leader, struct base_error *err);
/* A run that fails leaves the teardown to its workers: that, with err before it. */
void load_lead_leave_setup(const struct load_leader *leader, struct base_error *err);

#endif
