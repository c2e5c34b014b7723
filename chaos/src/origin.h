/* SPDX-License-Identifier: Apache-2.0 */
/* Where a redirected datagram was going, and what conntrack is to forget of others. SO_ORIGINAL_DST
 * knows of TCP only; conntrack knows all. */
#ifndef CHAOS_ORIGIN_H
#define CHAOS_ORIGIN_H

#include <sys/socket.h>

#include "netns.h"

struct fault_origin; /* a socket to ask conntrack of one namespace */

struct fault_origin *fault_origin_new(const struct fault_netns *netns, struct base_error *err);
void fault_origin_free(struct fault_origin *origin); /* accepts NULL */
/* from: whoever sent the UDP datagram; at: where it was received. Blocks for some microseconds.
 * false: conntrack knows of no such flow. */
bool fault_origin_of(struct fault_origin *origin, const struct sockaddr_storage *from,
                     const struct sockaddr_storage *at, struct sockaddr_storage *out);
/* Lets conntrack forget the UDP flows to these ports: what was tracked before a redirect was made
 * would go on past it for as long as there is no half minute of silence. A flow that ends meanwhile
 * is no error. */
bool fault_origin_forget(struct fault_origin *origin, const uint16_t *ports, size_t port_count,
                         struct base_error *err);
/* A flow of our own is over: whoever gets its port next is to be looked at anew. */
void fault_origin_forget_one(struct fault_origin *origin, const struct sockaddr_storage *source,
                             const struct sockaddr_storage *destination);

#endif
