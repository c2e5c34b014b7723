/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenario + topology + seed to a plan. Pure: no I/O, no clock; the same input gives the same plan
 * in every process. Every fault is resolved to instances here, so that what will be hit can be
 * read before anything is touched.
 */
#ifndef SCENARIOS_PLAN_H
#define SCENARIOS_PLAN_H

#include "model/plan.h"
#include "model/topology.h"
#include "scenarios/problems.h"
#include "scenarios/scenario.h"

struct scn_plan_options {
    const char *run;            /* run id, part of every fault's id: no '/', ',' or space */
    struct wall_ns started;     /* of this planning: goes into every fault (model/fault.h) */
    bool seed_given;            /* seed replaces the scenario's */
    uint64_t seed;              /* at most 2^63-1 */
    bool without_kernel_faults; /* leave out what needs kernel privileges; listed in plan.skipped */
    bool target_given;          /* the operator chose the platform: spec.target is not compared */
};

/* Of a plan's load that is sent without its faults: the phases are those of its stages. */
void scn_plan_alone(const struct scn_scenario *scenario, struct load_spec *load);
/* The topology must be the one that spec.target names, or the one the operator chose. False: out is
 * untouched and problems holds at least one more, each with its place in the scenario. */
bool scn_plan(const struct scn_scenario *scenario, const struct topo *topo,
              const struct scn_plan_options *options, struct plan *out,
              struct scn_problems *problems);

/* Turns a host name into an address literal; false with an error when it cannot. */
typedef bool scn_resolve_fn(void *context, const char *host, char *out, size_t out_size,
                            struct base_error *err);

/* The topology of a scenario whose spec.target.kind is external: one service, named as spec.load
 * names it or "target", with one instance for each URL. resolve may be NULL: then only address
 * literals and "localhost" are accepted. */
bool scn_external_topology(const struct scn_scenario *scenario, scn_resolve_fn *resolve,
                           void *context, struct topo *out, struct scn_problems *problems);

#endif
