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
/* Where a secret's file is: a platform keeps it with its state, wherever that is today; of an
 * external target it lies beside the scenario. NULL for NULL; free() it. */
char *planner_secret(const struct planner *planner, const char *file);
/* As whom the load logs in; load's protocol is known. */
void planner_login(const struct planner *planner, struct load_spec *load);
/* Resolves every probe to addresses and faults (plan_probes.c). */
void planner_probes(struct planner *planner);
void planner_skip(struct planner *planner, const char *name, char *why); /* takes why */
/* Is this kind of fault left out by the operator's choice? */
bool planner_leaves_out(const struct planner *planner, const struct scn_fault *fault);
/* Resolves every fault to instances and refuses what must not be done (plan_faults.c). */
void planner_faults(struct planner *planner);
/* Of the stream that a fault of this name draws from. */
uint64_t planner_seed(const struct planner *planner, const char *name);
/* What is planned of the members of the fault's kind; refuses it where the topology does not tell
 * what the kind needs of the service (plan_kinds.c). */
void planner_kind(struct planner *planner, const struct scn_fault *fault, size_t index,
                  const struct topo_service *service, struct fault_spec *spec);
/* Refuses faults that would meet on a target, or hit more together than each may (plan_overlaps.c).
 */
void planner_overlaps(struct planner *planner);

#endif
