/* SPDX-License-Identifier: Apache-2.0 */
/* One TCP connect from inside a network namespace: what a partition's effect is measured by. */
#ifndef CHAOS_CONNECT_H
#define CHAOS_CONNECT_H

#include "io/loop.h"
#include "netns.h"
#include "resolve.h"

struct fault_connect;

struct fault_connect_result {
    bool connected;
    int sys; /* errno when not; ETIMEDOUT also when our own patience ended */
    struct dur_ns elapsed;
};

/* on_done fires once, on the loop and never from inside this call, unless cancelled; the attempt
 * is freed before it fires. */
struct fault_connect *fault_connect_start(struct io_loop *loop, const struct fault_netns *netns,
                                          const struct fault_peer *peer, struct dur_ns patience,
                                          void (*on_done)(void *ctx,
                                                          const struct fault_connect_result *),
                                          void *ctx, struct base_error *err);
void fault_connect_cancel(struct fault_connect *connect); /* accepts NULL */
/* "connected in 1.2ms", "refused after 40us", "no answer in 500ms". */
void fault_connect_describe(const struct fault_connect_result *result, char *out, size_t size);
/* Three significant places are enough for a person. */
void fault_dur_describe(struct dur_ns time, char out[static BASE_DUR_TEXT]);
socklen_t fault_peer_address(const struct fault_peer *peer, struct sockaddr_storage *out);

#endif
