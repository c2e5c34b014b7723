/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of packets in a target's network namespace (nfnetlink_queue; adapter of libmnl:
 * netqueue.c). The kernel hands packets over and waits for a verdict on each; when the socket
 * closes, those that wait are dropped and later ones pass by (nft.h: bypass). Full, it lets packets
 * pass. One thread at a time.
 */
#ifndef CHAOS_NETQUEUE_H
#define CHAOS_NETQUEUE_H

#include <stddef.h>

#include "netns.h"

struct fault_netqueue;

struct fault_netqueue_packet {
    uint32_t id;
    bool output;               /* from the target; otherwise to it */
    size_t bytes;              /* of the packet, from the IP header on */
    const unsigned char *data; /* the packet, as much as was asked for; valid in the call only */
    size_t data_len;
};

/* A queue of this namespace that nobody has. whole: packets come in full and no larger than the
 * wire has them, with their checksums; otherwise their start is enough, and those merged for
 * offloading (GSO, GRO) stay merged. netns NULL: in a new namespace. */
struct fault_netqueue *fault_netqueue_new(const struct fault_netns *netns, bool whole,
                                          struct base_error *err);
void fault_netqueue_free(struct fault_netqueue *queue); /* accepts NULL */
uint16_t fault_netqueue_number(const struct fault_netqueue *queue);
int fault_netqueue_fd(const struct fault_netqueue *queue); /* readable: packets */

/* Calls each for every packet that is there, at most `most`; the number of them, -1 when the queue
 * is broken. */
int fault_netqueue_read(struct fault_netqueue *queue, int most,
                        void (*each)(void *ctx, const struct fault_netqueue_packet *packet),
                        void *ctx);

/* Verdicts gather and go to the kernel with fault_netqueue_flush, or when there are many. */
void fault_netqueue_pass(struct fault_netqueue *queue, uint32_t id);
/* With these bytes in place of its own. */
void fault_netqueue_pass_as(struct fault_netqueue *queue, uint32_t id, const unsigned char *data,
                            size_t len);
void fault_netqueue_drop(struct fault_netqueue *queue, uint32_t id);
void fault_netqueue_flush(struct fault_netqueue *queue);

#endif
