/* SPDX-License-Identifier: Apache-2.0 */
/* Which kinds of fault this host can inject on a platform; for `squall doctor` and the agent. */
#ifndef CHAOS_CAPABILITY_H
#define CHAOS_CAPABILITY_H

#include "model/fault.h"
#include "model/topology.h"

enum { FAULT_KIND_COUNT = FAULT_APP + 1 };

/* false: not here, and why says the reason and what would help. Has no side effects. */
bool fault_kind_available(enum fault_kind kind, const struct topo *topo, struct base_error *why);

#endif
