/* SPDX-License-Identifier: Apache-2.0 */
#include "chaos/capability.h"

#include "engine.h"
#include "nft_host.h"

bool fault_host_can(enum fault_kind kind, struct base_error *why)
{
    const struct fault_ops *ops = fault_ops_of(kind);
    return ops->host == NULL || ops->host(why);
}

bool fault_host_can_cut_off(struct base_error *why)
{
    return fault_nft_host(why);
}

const char *fault_host_means(enum fault_kind kind)
{
    const struct fault_ops *ops = fault_ops_of(kind);
    const char *means = ops->means != NULL ? ops->means() : NULL;
    return means != NULL ? means : "";
}

bool fault_platform_can(enum fault_kind kind, const struct topo *topo, struct base_error *why)
{
    const struct fault_ops *ops = fault_ops_of(kind);
    return ops->platform == NULL || ops->platform(topo, why);
}
