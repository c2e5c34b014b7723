/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCENARIOS_CHECK_RAMP_H
#define SCENARIOS_CHECK_RAMP_H

#include "reporter.h"

/* A fault that grows in steps: its kind has a size, and the first step is enough to be measured.
 * Its own fields were decoded without complaint. */
void scn_check_ramp(struct scn_reporter *reporter, size_t fault);

#endif
