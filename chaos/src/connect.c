/* SPDX-License-Identifier: Apache-2.0 */
#include "connect.h"

#include <string.h>

socklen_t fault_peer_address(const struct fault_peer *peer, struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){0};
    if (peer->family == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(peer->port)};
        memcpy(&in.sin_addr, peer->address, sizeof in.sin_addr);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(peer->port)};
    memcpy(&in6.sin6_addr, peer->address, sizeof in6.sin6_addr);
    memcpy(out, &in6, sizeof in6);
    return sizeof in6;
}

struct io_connect *fault_connect_start(struct io_loop *loop, const struct fault_netns *netns,
                                       const struct fault_peer *peer, struct dur_ns patience,
                                       void (*on_done)(void *ctx, const struct io_connect_result *),
                                       void *ctx, struct base_error *err)
{
    int fd = fault_netns_socket(netns, peer->family, SOCK_STREAM | SOCK_NONBLOCK, 0, err);
    if (fd < 0)
        return NULL;
    struct sockaddr_storage address;
    socklen_t len = fault_peer_address(peer, &address);
    return io_connect_start(loop, fd, (const struct sockaddr *)&address, len, patience, on_done,
                            ctx);
}
