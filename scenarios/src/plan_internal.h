/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCENARIOS_PLAN_INTERNAL_H
#define SCENARIOS_PLAN_INTERNAL_H

#include "reporter.h"
#include "scenarios/plan.h"
#include "timeline.h"

struct planner {
    struct scn_reporter reporter;
    const struct scn_scenario *scenario;
    const struct topo *topo;
    const struct scn_plan_options *options;
    uint64_t seed;
    struct scn_timeline timeline; /* of the faults that are not left out */
    struct plan *plan;
};

/* The service; says so at the reporter's place when there is none. */
const struct topo_service *planner_service(struct planner *planner, const char *name);
void planner_skip(struct planner *planner, const char *name, char *why); /* takes why */
/* Is this fault left out by the operator's choice? */
bool planner_leaves_out(const struct planner *planner, const struct scn_fault *fault);
/* Resolves every fault to instances and refuses what must not be done (plan_faults.c). */
void planner_faults(struct planner *planner);

#endif
