/* SPDX-License-Identifier: Apache-2.0 */
/* Bridge, namespaces and veth pairs, made by iproute2 in few batches. No forwarding, NAT or
 * firewall rule of the host is touched: it reaches the instances through its address on the bridge,
 * and they reach it and each other, nothing else. */
#ifndef SANDBOX_NET_H
#define SANDBOX_NET_H

#include "base/error.h"
#include "roster.h"

/* Whether this process may make network namespaces; otherwise err says what is missing. */
bool sandbox_net_allowed(struct base_error *err);
/* All IPv4 networks that addresses and routes of this machine cover, the default route left out.
 * *out is to be freed. */
bool sandbox_net_used(const char *ip, struct sandbox_subnet **out, size_t *count,
                      struct base_error *err);
bool sandbox_net_create(const char *ip, const struct sandbox_place *place,
                        const struct sandbox_roster *roster, struct base_error *err);
/* Removes whatever of it is there; true when nothing of it is left. */
bool sandbox_net_remove(const char *ip, const struct sandbox_place *place,
                        const struct sandbox_roster *roster, struct base_error *err);
bool sandbox_net_exists(const struct sandbox_place *place, const struct sandbox_roster *roster);
/* Where the kernel hands bridged packets to the host's firewall, a sentence about it; or NULL. */
const char *sandbox_net_caution(void);

#endif
