/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mark of ours on one node: put there, looked at, taken off, by requests that fail when somebody
 * else has written to the node since it was seen; then it is seen again. Used by the agent and by
 * the watchdog beside it (chaos/node_watch.h).
 */
#ifndef CHAOS_NODE_MARK_H
#define CHAOS_NODE_MARK_H

#include "kube_api.h"
#include "node_answer.h"

struct fault_node_mark {
    struct fault_kube *kube;
    char *node;
    char *uid;   /* NULL: it was not seen yet */
    char *text;  /* of the annotation */
    bool unsure; /* a request to mark it may still be on its way: one had no answer, or nobody knows
                  */
    enum fault_node_sight sight; /* as seen last */
    char *words;                 /* likewise, or why it is not known */
    char *boot_id;               /* likewise; NULL: not said */
    bool opened;                 /* somebody else had made it schedulable before it was taken off */
    enum fault_node_wish wish;
    int tries;
    /* From the loop. err NULL: it was seen, is marked, or nothing of ours stands there. */
    void (*done)(void *ctx, const struct base_error *err);
    void *ctx;
};

/* The access and text are copied. */
void fault_node_mark_init(struct fault_node_mark *mark, struct io_loop *loop, struct io_http *http,
                          const struct fault_kube_access *access, const char *node, const char *uid,
                          const char *text);
void fault_node_mark_fini(struct fault_node_mark *mark); /* accepts a zeroed value */
/* One wish at a time. */
void fault_node_mark_ask(struct fault_node_mark *mark, enum fault_node_wish wish,
                         void (*done)(void *ctx, const struct base_error *err), void *ctx);
void fault_node_mark_cancel(struct fault_node_mark *mark);

#endif
