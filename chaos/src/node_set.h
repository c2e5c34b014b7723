/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes that the targets of a fault run on, as the topology says, each with its mark
 * (node_mark.h), and questions about all of them. */
#ifndef CHAOS_NODE_SET_H
#define CHAOS_NODE_SET_H

#include "node_mark.h"

struct fault_node_one {
    struct fault_node_set *set;
    const char *target; /* the first of the targets that run there */
    struct fault_node_mark mark;
    bool busy;
    struct base_error error; /* of the last question; code 0: it was answered */
};

struct fault_node_set {
    struct fault *fault;
    struct fault_target *targets;
    size_t *node_of; /* of each target, in the list */
    size_t target_count;
    struct fault_node_one *list;
    size_t count;
    void (*answered)(struct fault *fault); /* all questions have been */
};

enum { FAULT_NODES_MOST = 64 };

/* To be finished even when it fails. */
bool fault_node_set_open(struct fault_node_set *set, struct fault *fault, const struct topo *topo,
                         struct base_error *err);
void fault_node_set_fini(struct fault_node_set *set);
/* What the journal keeps, an element for each target; and its reading. */
json_t *fault_node_set_undo(const struct fault_node_set *set);
bool fault_node_set_reopen(struct fault_node_set *set, struct fault *fault, const json_t *undo,
                           struct base_error *err);
/* What their watchdog is told (node_guard.h). */
json_t *fault_node_set_watched(const struct fault_node_set *set);

/* What was asked before is not answered any more. */
void fault_node_set_ask(struct fault_node_set *set, enum fault_node_wish wish,
                        void (*answered)(struct fault *fault));
bool fault_node_set_busy(const struct fault_node_set *set);
void fault_node_set_cancel(struct fault_node_set *set);
const struct base_error *fault_node_set_error(const struct fault_node_set *set); /* NULL: none */
/* Evidence: the node as it was seen last. */
void fault_node_say(const struct fault_node_one *one, const char *when, const char *expected,
                    bool ok);

#endif
