/* SPDX-License-Identifier: Apache-2.0 */
#include "zones.h"

#include <stdlib.h>

#include "base/text.h"

void fault_zones_init(struct fault_zones *zones, const struct fault *fault, size_t count)
{
    zones->list = base_calloc(count, sizeof *zones->list);
    zones->count = count;
    for (size_t i = 0; i < count; i++)
        zones->list[i].netns.fd = -1;
    zones->table = base_str_printf("%s%s", FAULT_NFT_PREFIX, fault_spec_of(fault)->id);
}

void fault_zones_fini(struct fault_zones *zones)
{
    fault_neighbours_free(zones->neighbours);
    for (size_t i = 0; i < zones->count; i++)
        fault_zone_fini(&zones->list[i]);
    free(zones->list);
    free(zones->table);
    *zones = (struct fault_zones){0};
}

bool fault_zones_open(struct fault_zones *zones, const struct fault *fault, const struct topo *topo,
                      char *const *peers, size_t peer_count, struct base_error *err)
{
    for (size_t i = 0; i < zones->count; i++)
        if (!fault_zone_open(&zones->list[i], topo, fault_spec_of(fault)->targets[i], peers,
                             peer_count, err))
            return false;
    return fault_zones_apart(zones->list, zones->count, err);
}

void fault_zones_watch(struct fault *fault, struct fault_zones *zones)
{
    if (zones->neighbours == NULL)
        zones->neighbours = fault_neighbours_new(fault, zones->list, zones->count);
}

void fault_zones_step(struct fault *fault, const struct fault_zones *zones,
                      bool (*one)(struct fault *fault, size_t index, struct base_error *err))
{
    struct base_error err = {0};
    for (size_t i = 0; i < zones->count; i++) {
        if (!one(fault, i, &err)) {
            (void)base_fail_context(&err, "%s", zones->list[i].target.name);
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

void fault_zones_revert(struct fault *fault, struct fault_zones *zones,
                        bool (*one)(struct fault *fault, size_t index, struct base_error *err))
{
    fault_neighbours_stop(zones->neighbours);
    struct base_error err = {0};
    bool ok = true;
    for (size_t i = 0; i < zones->count; i++)
        ok = one(fault, i, ok ? &err : NULL) && ok;
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

bool fault_zones_absent(struct fault *fault, struct fault_zones *zones, struct base_error *err)
{
    for (size_t i = 0; i < zones->count; i++)
        if (!fault_zone_absent(fault, &zones->list[i], zones->table, err))
            return false;
    return true;
}
