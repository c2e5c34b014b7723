/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCENARIOS_PLAN_ARRIVALS_H
#define SCENARIOS_PLAN_ARRIVALS_H

#include "scenarios/scenario.h"

/* When requests are due: rate, stages, replay or users, and on how many connections. */
void plan_arrivals(const struct scn_scenario *scenario, struct load_spec *load);

#endif
