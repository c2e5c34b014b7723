/* SPDX-License-Identifier: Apache-2.0 */
#include "netback.h"

#include <stddef.h>

const struct fault_netback_ops *fault_netback_pick(struct base_error *err)
{
    return fault_netback_nfqueue.host(err) ? &fault_netback_nfqueue : NULL;
}
