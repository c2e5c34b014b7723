/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCENARIOS_CHECK_KINDS_H
#define SCENARIOS_CHECK_KINDS_H

#include "reporter.h"

/* What only faults of its kind have; its fields were decoded without complaint. */
void scn_check_kind(struct scn_reporter *reporter, size_t fault);

#endif
