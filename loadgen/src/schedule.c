/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <stdlib.h>

#include "base/text.h"

/* Routes are drawn from their own generator, so that adding a route moves no arrival in time. */
static const uint64_t picks_stream = UINT64_C(0x726f757465730001);

void load_schedule_init(struct load_schedule *schedule, const struct load_spec *spec,
                        uint32_t share, uint32_t shares)
{
    *schedule = (struct load_schedule){
        .arrivals = spec->arrivals,
        .gap = (double)BASE_NS_PER_S / spec->rate,
        .end = spec->duration.ns,
        .routes = (uint32_t)spec->route_count,
        .share = share,
        .shares = shares,
    };
    base_rng_seed(&schedule->gaps, spec->seed);
    base_rng_seed(&schedule->picks, spec->seed ^ picks_stream);
    schedule->weights = base_calloc(spec->route_count, sizeof *schedule->weights);
    uint64_t sum = 0;
    for (size_t i = 0; i < spec->route_count; i++) {
        sum += spec->routes[i].weight;
        schedule->weights[i] = sum;
    }
}

void load_schedule_fini(struct load_schedule *schedule)
{
    free(schedule->weights);
    schedule->weights = NULL;
}

static uint32_t pick_route(struct load_schedule *schedule)
{
    if (schedule->routes == 1)
        return 0;
    uint64_t drawn = base_rng_below(&schedule->picks, schedule->weights[schedule->routes - 1]);
    uint32_t route = 0;
    while (drawn >= schedule->weights[route])
        route++;
    return route;
}

/* Constant arrivals are multiples, not sums, of the gap: no rounding error builds up. */
static double draw_time(struct load_schedule *schedule)
{
    if (schedule->arrivals == LOAD_CONSTANT)
        return (double)schedule->number * schedule->gap;
    schedule->clock += base_rng_exponential(&schedule->gaps, schedule->gap);
    return schedule->clock;
}

bool load_schedule_next(struct load_schedule *schedule, struct load_arrival *out)
{
    for (;;) {
        double at = draw_time(schedule);
        if (at >= (double)schedule->end)
            return false;
        uint32_t route = pick_route(schedule);
        uint64_t number = schedule->number++;
        if (number % schedule->shares != schedule->share)
            continue;
        *out = (struct load_arrival){.at = (int64_t)at, .number = number, .route = route};
        return true;
    }
}
