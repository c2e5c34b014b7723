/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What requests a namespace's server is sent, as the kernel hands them to the device (packet(7)): a
 * proxy that says it changed a request is no proof that the server got it so. Sees what leaves from
 * inside the namespace: a proxy's connections, over the loopback device where the server is its
 * target's own.
 */
#ifndef CHAOS_HTTP_SIGHT_H
#define CHAOS_HTTP_SIGHT_H

#include "http_head.h"
#include "io/loop.h"
#include "netns.h"

struct http_sight;

/* each: for the head of every request to one of these ports that lies in one packet; once for each
 * connection. Needs CAP_NET_RAW. What `ports` points to is copied. */
struct http_sight *http_sight_new(struct io_loop *loop, const struct fault_netns *netns,
                                  const uint16_t *ports, size_t port_count,
                                  void (*each)(void *ctx, const struct http_head *head), void *ctx,
                                  struct base_error *err);
void http_sight_free(struct http_sight *sight); /* accepts NULL */
/* Reads what the kernel has seen up to now. */
void http_sight_catch_up(struct http_sight *sight);

/* The TCP payload of an IP packet, and its ports; false: it is none, or a fragment. Pure. */
struct http_packet {
    uint16_t from;
    uint16_t to;
    const char *data;
    size_t len;
};
bool http_packet_read(const unsigned char *packet, size_t len, struct http_packet *out);

#endif
