/* SPDX-License-Identifier: Apache-2.0 */
/* What a fault that grows in steps has in each of them: a share of what was asked for. */
#ifndef SCENARIOS_INTENSITY_H
#define SCENARIOS_INTENSITY_H

#include "model/fault.h"

bool scn_can_grow(enum fault_kind kind); /* has a size at all */
/* Leaves `share` (0..1) of the fault's size; nothing where there is none. */
void scn_scale(struct fault_spec *spec, double share);

#endif
