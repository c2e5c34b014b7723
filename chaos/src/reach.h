/* SPDX-License-Identifier: Apache-2.0 */
/* Which peers can be reached from which targets: a TCP connect along each path, or some UDP
 * datagrams, all at once. */
#ifndef CHAOS_REACH_H
#define CHAOS_REACH_H

#include "connect.h"
#include "engine.h"

struct fault_reach;

struct fault_path {
    const char *target;              /* borrowed, as netns and peer: they outlive the reach */
    const struct fault_netns *netns; /* fd -1: the namespace is gone, nothing is measured there */
    const struct fault_peer *peer;
    bool done;      /* result is that of the last connect that ended since fault_reach_start */
    bool datagrams; /* instead of a connect; connected is answered */
    struct io_connect_result result;
    char unasked[160]; /* why nothing could be found out; "" */
};

struct fault_reach *fault_reach_new(struct io_loop *loop);
/* From now on by datagrams, of which one end has one of these ports (none: any), to peers that have
 * been located (resolve.h). Borrowed. */
void fault_reach_by_datagrams(struct fault_reach *reach, char *const *ports, size_t port_count);
void fault_reach_free(struct fault_reach *reach); /* accepts NULL */
void fault_reach_add(struct fault_reach *reach, const char *target, const struct fault_netns *netns,
                     const struct fault_peer *peer);

/* One round. on_done fires once, on the loop and never from inside this call, unless cancelled or
 * started anew. */
bool fault_reach_start(struct fault_reach *reach, struct dur_ns patience,
                       void (*on_done)(void *ctx), void *ctx, struct base_error *err);
/* Another round, in which each path keeps its last answer until it has a new one: a deadline that
 * falls into a round does not find the peers unanswered. */
bool fault_reach_repeat(struct fault_reach *reach, struct dur_ns patience,
                        void (*on_done)(void *ctx), void *ctx, struct base_error *err);
void fault_reach_cancel(struct fault_reach *reach); /* accepts NULL */

/* The first path that did not behave as it should; NULL: none. */
const struct fault_path *fault_reach_odd(const struct fault_reach *reach, bool should_connect);
/* Whether each path either connects or is answered that its peer is not there: what a partition
 * (silence, or a reset) does not look like once its table is shown to be absent. */
bool fault_reach_explained(const struct fault_reach *reach);
void fault_reach_evidence(const struct fault_reach *reach, struct fault *fault, const char *when,
                          bool should_connect);
/* "api-1 <what> store-1:5432: no answer in 500ms" */
void fault_path_error(const struct fault_path *path, const char *what, struct base_error *err);

#endif
