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
    bool *left_out;               /* by fault of the scenario */
    struct scn_timeline timeline; /* of the faults that are not left out */
    struct plan *plan;
};

/* The service; says so at the reporter's place when there is none. */
const struct topo_service *planner_service(struct planner *planner, const char *name);
/* As planner_service; NULL means the service that the load goes to. */
const struct topo_service *planner_service_or_default(struct planner *planner, const char *name);
/* Of one of the service's instances: "http://10.0.0.1:3000/ready"; free() it. */
char *planner_url(const struct planner *planner, const struct topo_service *service,
                  size_t instance, const char *path);
/* Resolves every probe to addresses and faults (plan_probes.c). */
void planner_probes(struct planner *planner);
void planner_skip(struct planner *planner, const char *name, char *why); /* takes why */
/* Is this kind of fault left out by the operator's choice? */
bool planner_leaves_out(const struct planner *planner, const struct scn_fault *fault);
/* Resolves every fault to instances and refuses what must not be done (plan_faults.c). */
void planner_faults(struct planner *planner);
/* Refuses faults that would meet on a target, or hit more together than each may (plan_overlaps.c).
 */
void planner_overlaps(struct planner *planner);

#endif
