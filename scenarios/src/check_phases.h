/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCENARIOS_CHECK_PHASES_H
#define SCENARIOS_CHECK_PHASES_H

#include "reporter.h"

/* Phases are named after faults and stages of the load; a name must not mean two of them. */
void scn_check_stage_names(struct scn_reporter *reporter);
void scn_check_fault_names(struct scn_reporter *reporter);
/* Thresholds name phases that there are, or can be; after the stages' names. */
void scn_check_threshold_phases(struct scn_reporter *reporter);

#endif
