/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own nftables tables in a target's network namespace (adapter of libmnl and libnftnl: nft.c).
 * Two safety nets of the kernel hold without any process of ours:
 *  - the table has the OWNER flag (Linux 5.12): it disappears when our socket closes, so when the
 *    agent dies;
 *  - the rules only match addresses in sets whose elements time out: when the agent is stopped or
 *    hangs, they match nothing any more.
 * All calls block for as long as the kernel takes for one transaction (some milliseconds).
 */
#ifndef CHAOS_NFT_H
#define CHAOS_NFT_H

#include "netns.h"
#include "resolve.h"

#define FAULT_NFT_PREFIX "squall_"

struct fault_nft; /* a netlink socket inside one namespace; it owns the tables made through it */

/* Packets go to a queue of the namespace, and pass when nobody reads it. */
struct fault_nft_queue {
    uint16_t number;
    uint32_t mark; /* packets that carry it pass: they come from whoever reads the queue */
};

struct fault_nft_partition {
    const char *table;
    enum fault_action action;
    enum fault_direction direction;
    const struct fault_peers *peers;
    enum fault_protocol protocol; /* what else passes */
    char *const *ports;           /* of either end; none: all */
    size_t port_count;
    const struct fault_nft_queue *queue; /* instead of the action; NULL: the action */
};

/* netns NULL: a new namespace, which ends with the value. */
struct fault_nft *fault_nft_new(const struct fault_netns *netns, struct base_error *err);
void fault_nft_free(struct fault_nft *nft); /* closes: owned tables vanish; accepts NULL */

/* Table, sets, chains and rules in one transaction: all of it or nothing. */
bool fault_nft_apply(struct fault_nft *nft, const struct fault_nft_partition *partition,
                     struct dur_ns timeout, struct base_error *err);
/* What a partition is made of, each part on top of those before it. */
enum fault_nft_part {
    FAULT_NFT_TABLE,
    FAULT_NFT_OWNER,
    FAULT_NFT_TIMEOUTS,
    FAULT_NFT_DROP,
    FAULT_NFT_REJECT,
    FAULT_NFT_QUEUE, /* beside reject, not on top of it */
    FAULT_NFT_PARTS
};
/* Makes a table with the parts up to this one and some peers of no consequence; err->sys is the
 * kernel's answer. For a namespace of its own. */
bool fault_nft_try(struct fault_nft *nft, enum fault_nft_part upto, struct base_error *err);
/* Elements out and in again with a new timeout, in one transaction. Adding an element that is there
 * already would leave its old timeout in place on every kernel before 6.12. */
bool fault_nft_renew(struct fault_nft *nft, const struct fault_nft_partition *partition,
                     struct dur_ns timeout, struct base_error *err);
/* The rules match nothing any more, but are there: when a chain goes, the kernel drops every packet
 * that waits in a queue of the namespace. A table that is not there is fine. */
bool fault_nft_empty(struct fault_nft *nft, const char *table, struct base_error *err);
/*
 * Sends new connections of a target through a proxy of ours in its namespace, and holds what the
 * proxy has to a lease without it: a packet of a proxied connection that comes in when the elements
 * have timed out is answered with a reset, and TCP keepalive, which the kernel sends for a process
 * that is stopped, sees to it that one comes in every second (nft_redirect.c).
 */
struct fault_nft_redirect {
    const char *table;
    enum fault_side side;
    const struct fault_peers *peers; /* inbound: whose connections, outbound: to whom; none: all */
    const uint16_t *ports;           /* as the client says them */
    size_t port_count;
    uint16_t tcp[2]; /* where the proxy listens for IPv4 and for IPv6; 0: it does not */
    uint16_t udp[2];
    uint32_t mark; /* the proxy's own sockets have it (SO_MARK): FAULT_NFT_MARK | a number of its
                      own */
};
#define FAULT_NFT_MARK      UINT32_C(0x53510000)
#define FAULT_NFT_MARK_MASK UINT32_C(0xffff0000) /* what is ours, of whatever fault */

bool fault_nft_redirect(struct fault_nft *nft, const struct fault_nft_redirect *redirect,
                        struct dur_ns timeout, struct base_error *err);
bool fault_nft_redirect_renew(struct fault_nft *nft, const struct fault_nft_redirect *redirect,
                              struct dur_ns timeout, struct base_error *err);
/* New connections go their own way; what the proxy has stays. No table: fine. */
bool fault_nft_redirect_stop(struct fault_nft *nft, const struct fault_nft_redirect *redirect,
                             struct base_error *err);
/* Conntrack's memory of connections with this mark: a later packet of one is looked at anew. */
bool fault_nft_forget(struct fault_nft *nft, uint32_t mark, struct base_error *err);
/* A table that is not there (any more) is fine. */
bool fault_nft_remove(struct fault_nft *nft, const char *table, struct base_error *err);
/* Calls each with every table of family inet whose name starts with prefix; with one more than
 * once when tables change meanwhile. */
bool fault_nft_list(struct fault_nft *nft, const char *prefix,
                    void (*each)(void *ctx, const char *table), void *ctx, struct base_error *err);

#endif
