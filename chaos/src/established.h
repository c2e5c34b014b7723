/* SPDX-License-Identifier: Apache-2.0 */
/* Ends TCP connections that exist already, so that a redirect meets whoever opens the next. */
#ifndef CHAOS_ESTABLISHED_H
#define CHAOS_ESTABLISHED_H

#include "nft.h"

/* Those that the redirect would have met, but none of a proxy of ours: both ends are told, with a
 * reset (SOCK_DESTROY, Linux 4.9). A connection that is closed meanwhile is no error. *count (may
 * be NULL) becomes how many there were. Blocks for some milliseconds. */
bool fault_established_reset(const struct fault_netns *netns,
                             const struct fault_nft_redirect *redirect, size_t *count,
                             struct base_error *err);

#endif
