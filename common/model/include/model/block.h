/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of addresses as peers of a fault, "10.1.0.0/16" or "fd00:1::/64" (RFC 4632, RFC 4291 2.3):
 * what the planner and the agent refuse alike. Pure.
 */
#ifndef MODEL_BLOCK_H
#define MODEL_BLOCK_H

#include "model/topology.h"

enum { ADDR_BYTES = 16 }; /* of an IPv6 address; an IPv4 address has the first 4 */

struct addr_block {
    int family; /* AF_INET or AF_INET6 */
    unsigned char first[ADDR_BYTES];
    unsigned char last[ADDR_BYTES];
};

/* Whether a peer's text is meant as a block at all. */
bool addr_is_block(const char *text);
/* The whole block must be said: "10.1.0.7/16" is refused with the block that holds it. */
bool addr_block_parse(const char *text, struct addr_block *out, struct base_error *err);
/* Of an address as the network has it, those that begin with as many of its bits. */
struct addr_block addr_block_of(int family, const unsigned char *bytes, unsigned count);
/* How many bits all of its addresses have in common: 16 of 10.1.0.0/16. */
unsigned addr_block_bits(const struct addr_block *block);
/* "10.0.0.1" or "fd00::1"; false also for what is no address. */
bool addr_block_holds(const struct addr_block *block, const char *address);
/* The same, of an address as the network has it. */
bool addr_block_spans(const struct addr_block *block, int family, const unsigned char *bytes);

/* It lies in the other, which is larger, or as large and `first`. */
bool addr_block_within(const struct addr_block *block, const struct addr_block *other, bool first);
/* Sorts them and makes one of those that overlap or adjoin, of one family; how many are left. */
size_t addr_blocks_merge(struct addr_block *blocks, size_t count);
/* The address behind it; false when it was the last of all. */
bool addr_next(int family, unsigned char *bytes);

/* Refuses blocks that hold loopback addresses, or an instance that observes the platform unless the
 * peers name it, its service or its address, too. Peers that are no blocks are not looked at. */
bool addr_blocks_check(const struct topo *topo, char *const *peers, size_t count,
                       struct base_error *err);
/* One of the peers is this address, with a port behind it, or as a block of its own. */
bool addr_is_named(char *const *peers, size_t count, const char *address);

#endif
