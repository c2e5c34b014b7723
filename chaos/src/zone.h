/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target whose network namespace gets a table of ours (nft.h): the namespace, a netlink socket in
 * it, the peers that the table is about, and what the journal keeps of them.
 */
#ifndef CHAOS_ZONE_H
#define CHAOS_ZONE_H

#include "nft.h"

struct fault; /* engine.h */

struct fault_zone {
    struct fault_target target;
    struct fault_netns netns; /* fd -1: the namespace exists no more */
    struct fault_nft *nft;    /* NULL: not needed yet, or no namespace */
    struct fault_peers peers;
};

/* Whether the platform's instances have namespaces of their own. Pure. */
bool fault_zone_platform(const char *kind, const struct topo *topo, struct base_error *err);
/* The zone is zeroed but for netns.fd -1; on failure it holds what fault_zone_fini frees. Without
 * names of peers it has none. */
bool fault_zone_open(struct fault_zone *zone, const struct topo *topo, const char *name,
                     char *const *peers, size_t peer_count, struct base_error *err);
void fault_zone_fini(struct fault_zone *zone);
/* false with err when two of them are one namespace: what is done to one would undo the other. */
bool fault_zones_apart(const struct fault_zone *zones, size_t count, struct base_error *err);
/* Whether each peer can be measured by: with ports, its own must be among them; for UDP its network
 * namespace must be one to be entered. Who lies in a block is left out else. */
bool fault_zone_check_peers(struct fault_zone *zone, const struct topo *topo,
                            enum fault_protocol protocol, char *const *ports, size_t count,
                            struct base_error *err);
/* The sockets of all of them. */
bool fault_zones_connect(struct fault_zone *zones, size_t count, struct base_error *err);

/* false with err when the target was restarted in a new namespace, which `what` does not hold. */
bool fault_zone_is_current(const struct fault_zone *zone, const char *what, struct base_error *err);
/* false with err when the kernel does not tell; true also when the namespace is gone. */
bool fault_zone_has_table(struct fault_zone *zone, const char *table, bool *out,
                          struct base_error *err);
/* Writes evidence of it; false with err when the table is there still, or when nobody can tell. */
bool fault_zone_absent(struct fault *fault, struct fault_zone *zone, const char *table,
                       struct base_error *err);

json_t *fault_zone_to_json(const struct fault_zone *zone, const char *table);
/* As fault_zone_open; a namespace that is gone, or another one in its place, leaves netns.fd -1. */
bool fault_zone_from_json(struct fault_zone *zone, const json_t *json, struct base_error *err);

#endif
