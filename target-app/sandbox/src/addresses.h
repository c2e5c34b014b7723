/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing a free subnet and a free port for the agent, and keeping other sandboxes of the same
 * state root off them. To be called under sandbox_lock_addresses. */
#ifndef SANDBOX_ADDRESSES_H
#define SANDBOX_ADDRESSES_H

#include "roster.h"

/* ip: the program; unused in loopback mode. given: --subnet or NULL. Fills roster (with the cgroup
 * folders below cgroup_base, NULL for none) and records the choice in <dir>/addresses.json. */
bool sandbox_addresses_choose(const struct sandbox_place *place, const char *ip, bool loopback,
                              const char *given, const char *cgroup_base,
                              struct sandbox_roster *roster, struct base_error *err);

#endif
