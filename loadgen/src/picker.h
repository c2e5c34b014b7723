/* SPDX-License-Identifier: Apache-2.0 */
/* Draws routes by their weights, and flows: numbered behind the routes. */
#ifndef LOAD_PICKER_H
#define LOAD_PICKER_H

#include "base/random.h"
#include "model/load.h"

struct load_picker {
    uint64_t *weights; /* running sums, owned */
    uint32_t routes;
};

void load_picker_init(struct load_picker *picker, const struct load_spec *spec);
void load_picker_fini(struct load_picker *picker); /* accepts a zeroed value */
/* With one route nothing is drawn. */
uint32_t load_picker_draw(const struct load_picker *picker, struct base_rng *rng);

#endif
