/* SPDX-License-Identifier: Apache-2.0 */
/* One target of a fault that lives in the target's network namespace as a table of ours: what
 * partition and the redirects have in common. */
#ifndef CHAOS_ZONE_H
#define CHAOS_ZONE_H

#include "engine.h"
#include "netns.h"
#include "nft.h"
#include "resolve.h"

struct fault_zone {
    struct fault_target target;
    struct fault_netns netns; /* fd -1: the namespace exists no more */
    struct fault_nft *nft;    /* NULL: nothing was made there */
    struct fault_peers peers;
};

struct fault_zone *fault_zones_new(size_t count);
void fault_zones_free(struct fault_zone *zones, size_t count); /* accepts NULL */

/* Target and namespace of each name; two names in one namespace are refused. */
bool fault_zones_open(struct fault_zone *zones, size_t count, const struct topo *topo,
                      char *const *names, struct base_error *err);
/* A socket of its own in each namespace, which tables are made through. */
bool fault_zones_nft(struct fault_zone *zones, size_t count, struct base_error *err);
/* false: the target was restarted in a new namespace, where the table is not. */
bool fault_zone_current(const struct fault_zone *zone, const char *kind, struct base_error *err);
bool fault_zones_remove(struct fault_zone *zones, size_t count, const char *table,
                        struct base_error *err);
/* Writes evidence; false with err when the table is there still, or when nobody can tell. */
bool fault_zone_absent(struct fault *fault, struct fault_zone *zone, const char *table,
                       struct base_error *err);

json_t *fault_zones_to_json(const struct fault_zone *zones, size_t count, const char *table);
/* A namespace that is gone, or another one in its place, leaves netns.fd at -1. */
bool fault_zone_from_json(const json_t *json, struct fault_zone *zone, struct base_error *err);

/* A platform whose instances have namespaces of their own. */
bool fault_zone_platform(const char *kind, const struct topo *topo, struct base_error *err);

#endif
