/* SPDX-License-Identifier: Apache-2.0 */
/* The intervals of the whole in their order, from the first that some workers have not sent yet. */
#ifndef LOAD_CLUSTER_SLOTS_H
#define LOAD_CLUSTER_SLOTS_H

#include "cluster_sum.h"

struct load_slots {
    struct load_cluster_interval *open; /* owned; open[i] is number closed + i */
    size_t count;                       /* of open ones */
    uint64_t closed;
};

void load_slots_fini(struct load_slots *slots); /* accepts a zeroed value */
/* Adds a worker's interval, with the lines of its log. What comes for a slot that is closed, as a
 * short one at the end may, goes into the first that is not; *slot says which it was. */
bool load_slots_add(struct load_slots *slots, uint64_t *slot, const struct load_interval *one,
                    const char *log, size_t len, struct base_error *err);
/* Closes the first of the open ones. True with it in *out, load_interval_fini it, and the lines of
 * all workers' logs, base_buf_fini them; false when nobody had anything in it: all of them had
 * longer intervals. */
bool load_slots_close(struct load_slots *slots, struct load_interval *out, struct base_buf *log);

#endif
