/* SPDX-License-Identifier: Apache-2.0 */
/* One TCP connect from inside a network namespace: what a partition's effect is measured by. */
#ifndef CHAOS_CONNECT_H
#define CHAOS_CONNECT_H

#include "io/connect.h"
#include "netns.h"
#include "resolve.h"

/* As io_connect_start; NULL with err when there is no socket to be had inside. */
struct io_connect *fault_connect_start(struct io_loop *loop, const struct fault_netns *netns,
                                       const struct fault_peer *peer, struct dur_ns patience,
                                       void (*on_done)(void *ctx, const struct io_connect_result *),
                                       void *ctx, struct base_error *err);
socklen_t fault_peer_address(const struct fault_peer *peer, struct sockaddr_storage *out);

#endif
