/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tables of ours are built of (transactions: nft.c; objects: nft_object.c; rules: nft_rule.c),
 * for the files that say which rules there are (partition: nft_partition.c; redirect:
 * nft_redirect.c). One transaction is filled by puts and committed as a
 * whole; what goes wrong while filling it fails the commit.
 */
#ifndef CHAOS_NFT_BUILD_H
#define CHAOS_NFT_BUILD_H

#include "nft.h"

struct nftnl_rule;
struct mnl_nlmsg_batch;
struct nlmsghdr;

struct nft_batch {
    struct fault_nft *nft;
    struct mnl_nlmsg_batch *messages;
    char *buffer;
    bool failed; /* out of memory or of room */
};

struct nft_set {
    const char *name;
    uint32_t id;       /* within the transaction */
    uint32_t key_type; /* nft(8)'s number, so that `nft list` shows the elements */
    uint32_t key_len;
    bool lasting;   /* its elements have no timeouts */
    bool intervals; /* its elements are the beginnings and ends of ranges */
};

/* The two address families, alike but for these numbers. */
struct nft_family {
    int family;
    uint8_t nfproto;
    struct nft_set peers;
    uint32_t source_offset; /* of the source address in the network header */
    uint32_t destination_offset;
};
enum { NFT_FAMILIES = 2 };
extern const struct nft_family nft_families[NFT_FAMILIES]; /* IPv4, IPv6 */

/* After conntrack (-200), before anything a host's own firewall does at filter (0). */
enum { NFT_FILTER_PRIORITY = -150 };

enum nft_ending { NFT_END_ACCEPT, NFT_END_DROP, NFT_END_RESET, NFT_END_PROHIBITED };
/* What a rule can look at and write: the packet's mark, that of its connection, the protocol. */
enum nft_field {
    NFT_FIELD_MARK,
    NFT_FIELD_CT_MARK,
    NFT_FIELD_CT_STATUS,
    NFT_FIELD_L4PROTO,
    NFT_FIELD_SPORT,
    NFT_FIELD_DPORT
};

void nft_batch_init(struct nft_batch *batch, struct fault_nft *nft);
bool nft_batch_commit(struct nft_batch *batch, struct base_error *err, const char *what);
/* As commit, and fini; what is not there (any more) is fine. */
bool nft_batch_commit_removal(struct nft_batch *batch, struct base_error *err, const char *what);
void nft_batch_fini(struct nft_batch *batch);
/* The next message, to be filled; nft_batch_next when that is done. */
struct nlmsghdr *nft_batch_message(struct nft_batch *batch, uint16_t type, uint16_t flags);
void nft_batch_next(struct nft_batch *batch);

/* create: a new table with these flags of NFT_TABLE_F_*; else it is deleted. */
void nft_put_table(struct nft_batch *batch, uint16_t type, const char *name, uint32_t flags);
void nft_put_set(struct nft_batch *batch, const char *table, const struct nft_set *want);
/* Adds count keys that lie `stride` bytes apart; without keys it empties the set. */
void nft_put_keys(struct nft_batch *batch, const char *table, const struct nft_set *set,
                  const void *keys, size_t stride, size_t count, struct dur_ns timeout);
/* The set of the family's peers: one of ranges where there are blocks among them. */
void nft_put_peer_set(struct nft_batch *batch, const char *table, const struct nft_family *family,
                      const struct fault_peers *peers);
void nft_put_peers(struct nft_batch *batch, const char *table, const struct nft_family *family,
                   const struct fault_peers *peers, struct dur_ns timeout);
/* type: "filter" or "nat". */
void nft_put_chain(struct nft_batch *batch, const char *table, const char *name, const char *type,
                   uint32_t hook, int32_t priority);

struct nftnl_rule *nft_rule_new(struct nft_batch *batch, const char *table, const char *chain);
void nft_rule_put(struct nft_batch *batch, struct nftnl_rule *rule); /* consumes the rule */
void nft_match_meta(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t key,
                    const void *value, uint32_t len);
void nft_match_peer(struct nft_batch *batch, struct nftnl_rule *rule,
                    const struct nft_family *family, uint32_t offset);
/* (field & mask) == value, or, with `other`, != value */
void nft_match_u32(struct nft_batch *batch, struct nftnl_rule *rule, enum nft_field field,
                   uint32_t mask, uint32_t value, bool other);
/* The byte at offset of the transport header, masked, is value. */
void nft_match_transport(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t offset,
                         uint8_t mask, uint8_t value);
/* The field is in the set; with `absent`: it is not (any more). */
void nft_match_set(struct nft_batch *batch, struct nftnl_rule *rule, enum nft_field field,
                   const struct nft_set *set, bool absent);
/* The packet goes the way of its connection's first, or, with `reply`, the other. */
void nft_match_direction(struct nft_batch *batch, struct nftnl_rule *rule, bool reply);
void nft_mark_connection(struct nft_batch *batch, struct nftnl_rule *rule, uint32_t mark);
void nft_redirect_to(struct nft_batch *batch, struct nftnl_rule *rule, uint16_t port);
/* A rule of its own, before which there should be none: what goes out by (in by) loopback passes.
 */
void nft_spare_loopback(struct nft_batch *batch, const char *table, const char *chain, bool output);
void nft_end_rule(struct nft_batch *batch, struct nftnl_rule *rule, enum nft_ending ending);
/* The packet goes to that queue of the namespace, and passes when nobody reads it. */
void nft_end_in_queue(struct nft_batch *batch, struct nftnl_rule *rule, uint16_t number);

#endif
