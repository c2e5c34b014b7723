/* SPDX-License-Identifier: Apache-2.0 */
#include "chaos/capability.h"

#include "engine.h"

bool fault_kind_available(enum fault_kind kind, const struct topo *topo, struct base_error *why)
{
    return fault_ops_of(kind)->host(topo, why);
}
