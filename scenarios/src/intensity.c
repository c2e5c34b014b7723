/* SPDX-License-Identifier: Apache-2.0 */
#include "intensity.h"

#include <math.h>

static int64_t part_of(int64_t whole, double share)
{
    return (int64_t)((double)whole * share);
}

static void scale_app(struct fault_spec *spec, double share)
{
    spec->app.error_rate *= share;
    spec->app.latency.ns = part_of(spec->app.latency.ns, share);
    spec->app.cpu *= share;
    spec->app.memory = part_of(spec->app.memory, share);
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

/* How often and how much; what bursts are like, how narrow the way is, and which share of the
 * packets is meant, stays. */
static void scale_network(struct fault_spec *spec, double share)
{
    struct fault_impairment *impairment = &spec->network.impairment;
    impairment->delay.ns = part_of(impairment->delay.ns, share);
    impairment->jitter.ns = part_of(impairment->jitter.ns, share);
    impairment->loss *= share;
    impairment->burst.enter *= share;
    impairment->states.alone *= share;
    impairment->states.enter *= share;
    impairment->duplicate *= share;
    impairment->corrupt *= share;
    impairment->reorder *= share;
}

/* What each worker moves; where that has no bound, how many there are. */
static void scale_io(struct fault_spec *spec, double share)
{
    if (spec->io.rate > 0)
        spec->io.rate = part_of(spec->io.rate, share);
    else
        spec->io.workers = (int)ceil(spec->io.workers * share - 1e-9);
}

/* A limit bites the more, the narrower it is. */
static void scale_throttle(struct fault_spec *spec, double share)
{
    for (int limit = 0; limit < FAULT_IO_LIMITS; limit++)
        spec->throttle.limits[limit] = (int64_t)((double)spec->throttle.limits[limit] / share);
}

static void scale_rabbitmq(struct fault_spec *spec, double share)
{
    spec->rabbitmq.bytes = part_of(spec->rabbitmq.bytes, share);
}

static const char by_hand[] =
    "write its steps as faults of their own, each \"after\" the one before";
static const struct {
    void (*scale)(struct fault_spec *spec, double share);
    const char *refused; /* instead */
} sizes[] = {
    [FAULT_KILL] = {NULL, "a process is ended or it is not"},
    [FAULT_PARTITION] = {NULL, "a link is cut or it is not"},
    [FAULT_APP] = {scale_app, NULL},
    [FAULT_PAUSE] = {NULL, "a process is frozen or it is not"},
    [FAULT_CPU] = {scale_cpu, NULL},
    [FAULT_MEMORY] = {scale_memory, NULL},
    [FAULT_NETWORK] = {scale_network, NULL},
    [FAULT_DISK_FILL] = {NULL, by_hand},
    [FAULT_LIMITS] = {NULL, by_hand},
    [FAULT_TCP] = {NULL, by_hand},
    [FAULT_HTTP] = {NULL, by_hand},
    [FAULT_DNS] = {NULL, by_hand},
    [FAULT_POSTGRES] = {NULL, by_hand},
    [FAULT_REDIS] = {NULL, by_hand},
    [FAULT_IO] = {scale_io, NULL},
    [FAULT_IO_THROTTLE] = {scale_throttle, NULL},
    [FAULT_RABBITMQ] = {scale_rabbitmq, NULL},
    [FAULT_NODE] = {NULL, "a node is marked or it is not"},
};

const char *scn_growth_refused(enum fault_kind kind)
{
    return sizes[kind].refused;
}

void scn_scale(struct fault_spec *spec, double share)
{
    if (sizes[spec->kind].scale != NULL && share < 1)
        sizes[spec->kind].scale(spec, share);
}
