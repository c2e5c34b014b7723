/* SPDX-License-Identifier: Apache-2.0 */
#include "picker.h"

#include <stdlib.h>

#include "base/text.h"

void load_picker_init(struct load_picker *picker, const struct load_spec *spec)
{
    *picker = (struct load_picker){.routes = (uint32_t)(spec->route_count + spec->flow_count)};
    picker->weights = base_calloc(picker->routes, sizeof *picker->weights);
    uint64_t sum = 0;
    for (size_t i = 0; i < picker->routes; i++) {
        sum += i < spec->route_count ? spec->routes[i].weight
                                     : (uint64_t)spec->flows[i - spec->route_count].weight;
        picker->weights[i] = sum;
    }
}

void load_picker_fini(struct load_picker *picker)
{
    free(picker->weights);
    picker->weights = NULL;
}

uint32_t load_picker_draw(const struct load_picker *picker, struct base_rng *rng)
{
    if (picker->routes == 1)
        return 0;
    uint64_t drawn = base_rng_below(rng, picker->weights[picker->routes - 1]);
    uint32_t route = 0;
    while (drawn >= picker->weights[route])
        route++;
    return route;
}
