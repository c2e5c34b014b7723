/* SPDX-License-Identifier: Apache-2.0 */
/* What a fault that grows in steps has in each of them: a share of what was asked for. */
#ifndef SCENARIOS_INTENSITY_H
#define SCENARIOS_INTENSITY_H

#include "model/fault.h"

/* Why a fault of this kind does not grow; NULL: it has a size. */
const char *scn_growth_refused(enum fault_kind kind);
/* Leaves `share` (above 0, up to 1) of the fault's size; nothing where there is none. */
void scn_scale(struct fault_spec *spec, double share);

#endif
