/* SPDX-License-Identifier: Apache-2.0 */
/* Which kinds of fault can be had here: two questions, for `squall doctor` and the agent. */
#ifndef CHAOS_CAPABILITY_H
#define CHAOS_CAPABILITY_H

#include "model/fault.h"
#include "model/topology.h"

/* Whether this host (its kernel, and what this process may do) can have such a fault. false: why
 * names what is missing and what would help. partition, network, tcp, http and dns find out by
 * making their rules in a network namespace that exists for this call alone; nothing outside of it
 * is touched. Blocks for some milliseconds. */
bool fault_host_can(enum fault_kind kind, struct base_error *why);
/* Likewise a store's node that is cut off from its cluster (failover, stopNode), which is no kind
 * of its own. */
bool fault_host_can_cut_off(struct base_error *why);
/* By what this host does it, where hosts differ; "" otherwise. Blocks as above. */
const char *fault_host_means(enum fault_kind kind);
/* Whether this platform offers what such a fault needs. Pure. */
bool fault_platform_can(enum fault_kind kind, const struct topo *topo, struct base_error *why);

#endif
