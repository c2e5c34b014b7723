/* SPDX-License-Identifier: Apache-2.0 */
/* What would be done to whom, and by what means, before anything is. */
#ifndef CLI_DRY_RUN_H
#define CLI_DRY_RUN_H

#include "model/plan.h"
#include "model/topology.h"
#include "scenarios/control.h"

/* Prints the fault: targets with what identifies them, blast radius against its cap, mechanism. */
void dry_run_fault(const struct plan_fault *fault, const struct topo *topo);
/* Asks the agent, changing nothing, whether it could do these faults, and prints its answers. An
 * exit code: EXIT_CODE_PASS when it can do all of them. */
int dry_run_agent(const struct control_agent *agent, const struct plan *plan);
/* All of a plan: load, checks, faults, what is left out, the agent. An exit code as above. */
int dry_run_plan(const struct plan *plan, const struct topo *topo);

#endif
