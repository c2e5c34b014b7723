/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Qdiscs, filters and devices of a target's network namespace (rtnetlink; adapter of libmnl:
 * tc*.c). Ours have handles of their own; a root or ingress qdisc that somebody else has set is
 * never touched. Calls block for as long as the kernel takes, some milliseconds.
 */
#ifndef CHAOS_TC_H
#define CHAOS_TC_H

#include "netns.h"
#include "resolve.h"

enum {
    FAULT_TC_MAJOR = 0x5351,                     /* of our prio on a device */
    FAULT_TC_CLASS = FAULT_TC_MAJOR << 16 | 2,   /* its impaired class */
    FAULT_TC_NETEM = (FAULT_TC_MAJOR + 1) << 16, /* handles of our netem */
    FAULT_TC_FILTER = 0x5351,                    /* priority of our filter of what comes in */
    FAULT_TC_MOST_DEVICES = 8
};
#define FAULT_TC_IFB "squall-ifb"

struct fault_tc; /* a socket inside one namespace */

/* netns NULL: a new namespace, which ends with the value. */
struct fault_tc *fault_tc_new(const struct fault_netns *netns, struct base_error *err);
void fault_tc_free(struct fault_tc *tc); /* accepts NULL */

/* Of routes that come, so that nobody has to list them again and again: a router has a million.
 * From when it was made on, which is before they are listed first. */
struct fault_tc_news;
struct fault_tc_news *fault_tc_news_new(const struct fault_netns *netns, struct base_error *err);
void fault_tc_news_free(struct fault_tc_news *news); /* accepts NULL */

struct fault_tc_devices {
    int list[FAULT_TC_MOST_DEVICES]; /* ifindex */
    size_t count;
};

/* Those by which packets reach the peers, and all to which a route leads into one of their blocks,
 * whatever addresses of it there are. */
bool fault_tc_devices(struct fault_tc *tc, const struct fault_peers *peers,
                      struct fault_tc_devices *out, struct base_error *err);
/* false: packets reach one of them by a device that is not among `known`, for routes have changed.
 * news may be NULL when there are no blocks. */
bool fault_tc_devices_last(struct fault_tc *tc, struct fault_tc_news *news,
                           const struct fault_peers *peers, const struct fault_tc_devices *known,
                           struct base_error *err);
/* Under a prio that sends everything to its first class unless a filter says otherwise: options are
 * those of netem. BASE_DENIED when the device has a qdisc that is not the kernel's default. */
bool fault_tc_add_egress(struct fault_tc *tc, int ifindex, int program, const void *options,
                         size_t len, struct base_error *err);
/* What comes in and matches goes through our IFB and its netem, one for the namespace. */
bool fault_tc_add_ifb(struct fault_tc *tc, const void *options, size_t len, int *ifindex,
                      struct base_error *err);
bool fault_tc_add_ingress(struct fault_tc *tc, int ifindex, int program, int ifb,
                          struct base_error *err);

/* Removes what is ours, and nothing else; harmless when there is nothing. */
bool fault_tc_remove(struct fault_tc *tc, struct base_error *err);
/* The first thing of ours that is there: "qdisc prio 5351: on device 2"; NULL: nothing. free() it.
 */
bool fault_tc_standing(struct fault_tc *tc, char **out, struct base_error *err);

#endif
