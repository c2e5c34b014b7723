/* SPDX-License-Identifier: Apache-2.0 */
/* One direction of a proxied connection, moved by the kernel from socket to socket (splice(2)): the
 * bytes are never copied here, and never looked at. */
#ifndef CHAOS_PROXY_FLOW_H
#define CHAOS_PROXY_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proxy_flow {
    int pipe[2];     /* made when the first byte passes; 0 both: not yet */
    size_t held;     /* bytes in it */
    uint64_t budget; /* bytes that may still pass */
    uint64_t moved;
    bool ended; /* the source has said its last, or the budget is spent */
};

enum proxy_moved {
    PROXY_WANTS_READ,  /* until the source has more */
    PROXY_WANTS_WRITE, /* until the destination takes more */
    PROXY_ENDED,       /* all that will come has been passed on */
    PROXY_SOURCE_GONE, /* all that had come has been passed on */
    PROXY_SINK_GONE,
    PROXY_NO_PIPE /* no descriptors are left */
};

void proxy_flow_init(struct proxy_flow *flow, uint64_t budget);
void proxy_flow_fini(struct proxy_flow *flow); /* accepts a zeroed value */
/* Moves what can be moved now, within a bound that keeps other connections waiting no longer than
 * some milliseconds: PROXY_WANTS_READ may come while there is more, readiness reports it again. */
enum proxy_moved proxy_flow_move(struct proxy_flow *flow, int from, int to);

#endif
