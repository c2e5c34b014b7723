/* SPDX-License-Identifier: Apache-2.0 */
/* Where a redirected datagram was going (SO_ORIGINAL_DST knows of TCP only), and what conntrack is
 * to forget of others. */
#ifndef CHAOS_ORIGIN_H
#define CHAOS_ORIGIN_H

#include <sys/socket.h>

#include "netns.h"
#include "nft.h"

struct fault_origin; /* a socket to ask conntrack of one namespace */

struct fault_origin *fault_origin_new(const struct fault_netns *netns, struct base_error *err);
void fault_origin_free(struct fault_origin *origin); /* accepts NULL */
/* from: whoever sent the UDP datagram; at: where it was received. Blocks for some microseconds.
 * false: conntrack knows of no such flow. */
bool fault_origin_of(struct fault_origin *origin, const struct sockaddr_storage *from,
                     const struct sockaddr_storage *at, struct sockaddr_storage *out);
/* Lets conntrack forget the flows of this protocol that the redirect would have taken, had they
 * come later: it is asked about new ones only. Datagrams would go on past it for as long as there
 * is no half minute of silence. A TCP connection of which conntrack has not seen the end (it had
 * nothing to do in that namespace then, or packets went another way) stands there for days, and the
 * next one from that port is taken for it. A flow that ends meanwhile is no error. */
bool fault_origin_forget(struct fault_origin *origin, uint8_t protocol,
                         const struct fault_nft_redirect *redirect, struct base_error *err);
/* A flow of our own is over: whoever gets its port next is to be looked at anew. */
void fault_origin_forget_one(struct fault_origin *origin, const struct sockaddr_storage *source,
                             const struct sockaddr_storage *destination);

#endif
