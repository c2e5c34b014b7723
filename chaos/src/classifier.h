/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A classifier for tc that ends by itself: an eBPF program which matches packets to or from the
 * peers and the blocks of peers until a time that lies in its map, and nothing from then on,
 * whatever has become of the agent. Where nf_tables' sets with timeouts cannot be had, or packets
 * do not pass them (what comes in is impaired before netfilter sees it).
 */
#ifndef CHAOS_CLASSIFIER_H
#define CHAOS_CLASSIFIER_H

#include "resolve.h"

struct fault_classifier;

/* Matches nothing before its first renewal. output: the peer is the packet's destination, not its
 * source. class_id is its answer for what matches; where only a share of the packets is meant, for
 * those that the lot falls on. */
struct fault_classifier *fault_classifier_new(const struct fault_network *network, bool output,
                                              uint32_t class_id, struct base_error *err);
void fault_classifier_free(struct fault_classifier *classifier);    /* accepts NULL */
int fault_classifier_fd(const struct fault_classifier *classifier); /* of the program */
/* Matches until so much later. */
bool fault_classifier_renew(struct fault_classifier *classifier, const struct fault_peers *peers,
                            struct dur_ns timeout, struct base_error *err);

#endif
