/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this kernel has what a partition is made of, and whether we may use it. */
#ifndef CHAOS_NFT_HOST_H
#define CHAOS_NFT_HOST_H

#include "base/error.h"

/* Found out by doing it, in a network namespace that nobody else sees and that ends with the call.
 * err names the first part that is missing. */
bool fault_nft_host(struct base_error *err);
/* Likewise rules that put packets into a queue, for the fault network. */
bool fault_nft_queue_host(struct base_error *err);

#endif
