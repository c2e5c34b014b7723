/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cluster of a store around a node that is cut off from it (fault_failover.c): who belongs to
 * it, what each of them says, and whether that is what it should be before, during and after. Each
 * is asked through the store's own protocol, over the loop, again and again until all is as it
 * should be or time is up. Who gives no answer shows nothing.
 */
#ifndef CHAOS_FAILOVER_H
#define CHAOS_FAILOVER_H

#include "credentials.h"
#include "engine.h"
#include "resolve.h"

enum failover_role { FAILOVER_FOLLOWER, FAILOVER_PRIMARY };

enum { FAILOVER_NODES = FAULT_MAX_MEMBERS + 1, FAILOVER_MATES = 64, FAILOVER_NAME = 128 };

/* Of a broker's cluster, as one of its nodes sees another. */
struct failover_mate {
    char name[FAILOVER_NAME];
    bool running;
    char parted[FAILOVER_NAME]; /* a node that it reports a partition from; "": none */
};

/* What a node said when it was asked last. */
struct failover_view {
    bool answered;
    char why[256]; /* not */

    enum failover_role role;
    bool writes;       /* a primary: that it takes them was tried */
    char refused[160]; /* else */
    bool follows;      /* a follower: its stream is up */
    char lags[160];    /* else */
    char history[64];  /* whose data it has: the same of those that follow each other */

    char name[FAILOVER_NAME]; /* a broker: by what its mates know it; stays from answer to answer */
    struct failover_mate mates[FAILOVER_MATES];
    size_t mate_count;
};

struct failover_cluster;

struct failover_node {
    struct failover_cluster *cluster;
    struct fault_target target;
    struct fault_credentials credentials;
    struct failover_view view;
    bool asked;    /* and has not answered yet */
    void *session; /* of the store's; NULL: none */
};

/* What was seen of one node, and of all. */
struct failover_line {
    const struct failover_node *node;
    char value[320];
    char expected[96];
    bool ok;
};
struct failover_verdict {
    struct failover_line lines[FAILOVER_NODES];
    size_t count;
    const char *metric; /* of each line */
    bool ok;
    bool settled;    /* asking again would not change it */
    char error[640]; /* not ok: what is wrong, and what to do */
};

/* By the step that measures; the first of the nodes is the one that is cut off. Pure. */
typedef void failover_judge(const struct failover_node *nodes, size_t count,
                            struct failover_verdict *out);

struct failover_store {
    const char *kind;                     /* of the service, in the topology */
    bool (*load)(struct base_error *err); /* what it takes to speak to it; NULL: nothing */
    /* Asks anew; failover_said follows on the loop, never from inside, unless it is dropped. */
    void (*ask)(struct failover_node *node);
    void (*drop)(struct failover_node *node); /* what is under way; harmless when nothing is */
    int again_ms;                             /* from one round of questions to the next */
    int steady_ms; /* after: so long it has to stay right, for the store may tell late */
    failover_judge *judge[FAULT_STEP_COUNT];
};
extern const struct failover_store failover_redis;
extern const struct failover_store failover_postgres;
extern const struct failover_store failover_rabbitmq;

/* The view is filled: without `why` it is an answer. */
void failover_said(struct failover_node *node, const char *why);
struct fault *failover_fault(const struct failover_node *node);

struct failover_cluster *failover_cluster_new(struct fault *fault,
                                              const struct failover_store *store);
void failover_cluster_free(struct failover_cluster *cluster); /* accepts NULL */
/* Takes the target, also when it fails; the first is the node that is cut off. */
bool failover_cluster_add(struct failover_cluster *cluster, struct fault_target *target,
                          struct base_error *err);
size_t failover_cluster_size(const struct failover_cluster *cluster);
const struct fault_target *failover_cluster_at(const struct failover_cluster *cluster,
                                               size_t index);
/* Asks until the step's judge is content or `within` has passed, and at least once; on_done follows
 * on the loop, never from inside. */
void failover_cluster_watch(struct failover_cluster *cluster, enum fault_step step,
                            struct dur_ns within,
                            void (*on_done)(void *ctx, const struct failover_verdict *verdict),
                            void *ctx);
void failover_cluster_cancel(struct failover_cluster *cluster); /* accepts NULL */

/* Of stores with one primary that the others follow (failover_judge.c). */
failover_judge failover_judge_before;
failover_judge failover_judge_during;
failover_judge failover_judge_after;

#endif
