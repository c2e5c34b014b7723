/* SPDX-License-Identifier: Apache-2.0 */
#include "intensity.h"

static int64_t part_of(int64_t whole, double share)
{
    return (int64_t)((double)whole * share);
}

static void scale_app(struct fault_spec *spec, double share)
{
    spec->app.error_rate *= share;
    spec->app.latency.ns = part_of(spec->app.latency.ns, share);
}

static void scale_cpu(struct fault_spec *spec, double share)
{
    spec->cpu.load *= share;
}

static void scale_memory(struct fault_spec *spec, double share)
{
    spec->memory.bytes = part_of(spec->memory.bytes, share);
    spec->memory.percent *= share;
}

/* How often and how much; what bursts are like, and how narrow the way is, stays. */
static void scale_network(struct fault_spec *spec, double share)
{
    struct fault_impairment *impairment = &spec->network.impairment;
    impairment->delay.ns = part_of(impairment->delay.ns, share);
    impairment->jitter.ns = part_of(impairment->jitter.ns, share);
    impairment->loss *= share;
    impairment->burst.enter *= share;
    impairment->duplicate *= share;
    impairment->corrupt *= share;
    impairment->reorder *= share;
}

typedef void scale_function(struct fault_spec *spec, double share);
static scale_function *const scales[] = {
    [FAULT_APP] = scale_app,
    [FAULT_CPU] = scale_cpu,
    [FAULT_MEMORY] = scale_memory,
    [FAULT_NETWORK] = scale_network,
};

static scale_function *scale_of(enum fault_kind kind)
{
    return (size_t)kind < sizeof scales / sizeof scales[0] ? scales[kind] : NULL;
}

bool scn_can_grow(enum fault_kind kind)
{
    return scale_of(kind) != NULL;
}

void scn_scale(struct fault_spec *spec, double share)
{
    scale_function *scale = scale_of(spec->kind);
    if (scale != NULL && share < 1)
        scale(spec, share);
}
