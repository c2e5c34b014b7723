/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By what packets are impaired: one small interface, an implementation for each means that a kernel
 * may have. All calls are for the loop's thread and block for some milliseconds at most.
 */
#ifndef CHAOS_NETBACK_H
#define CHAOS_NETBACK_H

#include "impair.h"
#include "zone.h"

struct fault_netback_want { /* outlives what is made of it */
    struct fault_zone *zone;
    const char *table;
    const struct fault_network *network;
    uint64_t seed; /* of this zone */
};

struct fault_netback_ops {
    const char *name;
    const char *means; /* for people: what this host impairs packets with */
    bool (*host)(struct base_error *err);
    bool (*can)(const struct fault_network *network, struct base_error *err); /* NULL: anything */
    /* Part by part; after a failure, revert takes away what is there. The value is NULL before the
     * first apply. */
    bool (*apply)(const struct fault_netback_want *want, struct dur_ns timeout, void **state,
                  struct base_error *err);
    bool (*renew)(const struct fault_netback_want *want, struct dur_ns timeout, void *state,
                  struct base_error *err);
    /* Harmless when little or nothing is there; state may be NULL, and what held packets lets them
     * go. */
    bool (*revert)(const struct fault_netback_want *want, void **state, struct base_error *err);
    void (*close)(void *state); /* as if the process had died; accepts NULL */
    /* As fault_holder_late; NULL: the kernel lets packets go. state NULL: none was held. */
    struct impair_lateness (*late)(void *state);
    /* What is in place, as the kernel has it: "table inet squall_x"; NULL: nothing. false with err
     * when it does not tell. free() it. */
    bool (*standing)(const struct fault_netback_want *want, char **out, struct base_error *err);
};

extern const struct fault_netback_ops fault_netback_nfqueue;
extern const struct fault_netback_ops fault_netback_netem;

/* The one that this host gets; NULL with why the first of them cannot be had. */
const struct fault_netback_ops *fault_netback_pick(struct base_error *err);
const struct fault_netback_ops *fault_netback_find(const char *name); /* NULL: none of that name */

#endif
