/* SPDX-License-Identifier: Apache-2.0 */
/* What all workers of a distributed run have sent so far, by phase and route. Pure. */
#ifndef LOAD_CLUSTER_TALLY_H
#define LOAD_CLUSTER_TALLY_H

#include "exposition.h"

struct load_tally {
    char **phases; /* owned names, in the order in which they came; as many as cells has */
    char **routes; /* owned, of all that is recorded apart */
    struct load_shard cells; /* counts and histograms */
    struct load_counts total;
};

bool load_tally_init(struct load_tally *tally, const struct load_spec *spec,
                     struct base_error *err);
void load_tally_fini(struct load_tally *tally); /* accepts a zeroed value */
/* log: what the worker recorded in the interval, lines of a histogram log. BASE_CORRUPT for what is
 * not of the plan. */
bool load_tally_add(struct load_tally *tally, const struct load_interval *interval, const char *log,
                    size_t len, struct base_error *err);

#endif
