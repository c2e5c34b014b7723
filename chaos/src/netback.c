/* SPDX-License-Identifier: Apache-2.0 */
#include "netback.h"

#include <stddef.h>

#include "base/text.h"

/* In the order of preference: the first leaves nothing in the kernel that has to be swept. */
enum { count = 2 };
static const struct fault_netback_ops *const all[count] = {&fault_netback_nfqueue,
                                                           &fault_netback_netem};

const struct fault_netback_ops *fault_netback_pick(struct base_error *err)
{
    struct base_error first = {0};
    for (size_t i = 0; i < count; i++) {
        struct base_error why = {0};
        if (all[i]->host(&why))
            return all[i];
        if (i == 0)
            first = why;
    }
    if (err != NULL)
        *err = first;
    return NULL;
}

const struct fault_netback_ops *fault_netback_find(const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (base_str_eq(all[i]->name, name))
            return all[i];
    return NULL;
}
