/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and qdiscs of ours that lie about in the platform's network namespaces, found by their
 * names. */
#ifndef CHAOS_SWEEP_H
#define CHAOS_SWEEP_H

#include "model/topology.h"

/* Removes every table whose name starts with FAULT_NFT_PREFIX, and the qdiscs of tc.h, from the
 * namespace of every instance and looks again; `say` gets a line for each. false when one is still
 * there or nobody can tell. */
bool agent_sweep_tables(const struct topo *topo, void (*say)(void *ctx, bool ok, const char *line),
                        void *ctx);

#endif
