/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side of the watchdog of marks on nodes (chaos/node_watch.h): a satellite that
 * executes the agent's own program. */
#ifndef CHAOS_NODE_GUARD_H
#define CHAOS_NODE_GUARD_H

#include "model/json.h"
#include "satellite.h"

/* How it is executed: NAME WORD DEADLINE MARKS, its line being this descriptor. */
#define FAULT_NODE_GUARD_NAME "squall-guard"
#define FAULT_NODE_GUARD_WORD "--watch-nodes"
enum { FAULT_NODE_GUARD_LINE = 3, FAULT_NODE_GUARD_WORDS = 4 };

struct fault_node_guard;

struct fault_node_guard_spec {
    /* {"url", "caFile", "tokenFile", "marks": [{"node", "uid", "text"}]} */
    const json_t *marks;
    void (*on_held)(void *ctx); /* it has seen the nodes, and holds the deadline told last */
    void (*on_end)(void *ctx);  /* it is no more */
    void *ctx;
};

/* left: until it takes the marks off. It waits a little longer, so that an agent that is well comes
 * first. */
struct fault_node_guard *fault_node_guard_start(struct io_loop *loop,
                                                const struct fault_node_guard_spec *spec,
                                                struct dur_ns left, struct base_error *err);
bool fault_node_guard_renew(struct fault_node_guard *guard, struct dur_ns left,
                            struct base_error *err);
void fault_node_guard_kill(struct fault_node_guard *guard); /* on_end follows */
bool fault_node_guard_ended(const struct fault_node_guard *guard);
pid_t fault_node_guard_pid(const struct fault_node_guard *guard); /* these two: of a satellite */
const struct base_error *fault_node_guard_why(const struct fault_node_guard *guard);
/* One that was not killed takes the marks off now. Accepts NULL. */
void fault_node_guard_free(struct fault_node_guard *guard);

#endif
