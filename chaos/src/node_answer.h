/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Kubernetes' API server answers about a node, read, and what follows from it for a mark of
 * ours: spec.unschedulable with an annotation beside it that says whose it is. Pure. What an answer
 * does not say is an error, and nothing that could pass for a node that is marked or not.
 */
#ifndef CHAOS_NODE_ANSWER_H
#define CHAOS_NODE_ANSWER_H

#include "rest.h"

#define FAULT_NODE_ANNOTATION "squall.dev/cordoned-by"
#define FAULT_NODE_ENDED      "; ended" /* behind the text of a fence */

struct fault_node {
    char *uid;
    char *version; /* changes with each write: a request that names an older one is refused */
    char *mark;    /* the annotation; NULL: has none */
    bool unschedulable;
    char *boot_id; /* of its kernel; NULL: its kubelet has not said yet */
};

bool fault_node_read(const json_t *json, struct fault_node *out, struct base_error *err);
void fault_node_fini(struct fault_node *node); /* accepts a zeroed value */

enum fault_node_sight {
    FAULT_NODE_UNKNOWN,
    FAULT_NODE_AWAY,   /* there is none of that name and uid: nothing of ours can stand there */
    FAULT_NODE_FREE,   /* schedulable, without a mark */
    FAULT_NODE_OURS,   /* unschedulable, with our mark */
    FAULT_NODE_OPENED, /* our mark is there, but it is schedulable */
    FAULT_NODE_FENCED, /* what a fence has written is there */
    FAULT_NODE_OTHERS  /* unschedulable without our mark, or with somebody else's */
};
/* Of an answer to a GET or a PATCH. uid NULL: any. UNKNOWN and AWAY: err says why; *out is filled
 * unless UNKNOWN or AWAY. */
enum fault_node_sight fault_node_see(const struct fault_rest_answer *answer, const char *uid,
                                     const char *mark, struct fault_node *out,
                                     struct base_error *err);
/* "unschedulable, squall.dev/cordoned-by: ..."; free() it. */
char *fault_node_words(const struct fault_node *node);

enum fault_node_wish { FAULT_NODE_LOOK, FAULT_NODE_MARK, FAULT_NODE_LIFT };
enum fault_node_next {
    FAULT_NODE_DONE,
    FAULT_NODE_REFUSED, /* it cannot be marked */
    FAULT_NODE_PUT,     /* the requests: fault_node_request */
    FAULT_NODE_FENCE,
    FAULT_NODE_TAKE,
    FAULT_NODE_WIPE
};
/* What is to be done about what was seen (never UNKNOWN). unsure: a request to mark it may still be
 * on its way. It names the version that it saw, so that any write in between makes it fail: the
 * mark is written without its effect, and taken off again. */
enum fault_node_next fault_node_decide(enum fault_node_wish wish, enum fault_node_sight sight,
                                       bool unsure);
/* A merge patch (RFC 7396) for exactly the node that was seen, as it was seen. */
json_t *fault_node_request(enum fault_node_next what, const struct fault_node *node,
                           const char *mark);

#endif
