/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster_slots.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void load_slots_fini(struct load_slots *slots)
{
    for (size_t i = 0; i < slots->count; i++)
        load_cluster_interval_fini(&slots->open[i]);
    free(slots->open);
    *slots = (struct load_slots){.open = NULL};
}

static bool open_up_to(struct load_slots *slots, uint64_t slot, struct base_error *err)
{
    static const uint64_t ahead_max = 100000;
    if (slot >= slots->closed + ahead_max)
        return base_fail(err, BASE_CORRUPT, "an interval that lies %" PRIu64 " ahead",
                         slot - slots->closed);
    while (slots->closed + slots->count <= slot) {
        slots->open = base_reallocarray(slots->open, slots->count + 1, sizeof *slots->open);
        if (!load_cluster_interval_init(&slots->open[slots->count], err))
            return false;
        slots->count++;
    }
    return true;
}

bool load_slots_add(struct load_slots *slots, uint64_t *slot, const struct load_interval *one,
                    const char *log, size_t len, struct base_error *err)
{
    *slot = *slot < slots->closed ? slots->closed : *slot;
    return open_up_to(slots, *slot, err) &&
           load_cluster_interval_add(&slots->open[*slot - slots->closed], one, log, len, err);
}

bool load_slots_close(struct load_slots *slots, struct load_interval *out, struct base_buf *log)
{
    struct load_cluster_interval *first = &slots->open[0];
    struct load_interval taken = load_cluster_interval_take(first);
    struct base_buf lines = first->log;
    base_buf_init(&first->log, 0);
    load_cluster_interval_fini(first);
    slots->count--;
    slots->closed++;
    memmove(slots->open, slots->open + 1, slots->count * sizeof *slots->open);
    if (taken.phase == NULL) {
        base_buf_fini(&lines);
        return false;
    }
    *out = taken;
    *log = lines;
    return true;
}
