/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCENARIOS_CHECK_GATES_H
#define SCENARIOS_CHECK_GATES_H

#include "reporter.h"

/* What a fault waits for; its own fields were decoded without complaint. */
void scn_check_gate(struct scn_reporter *reporter, size_t fault);
/* A probe that is there for faults alone is of use to one. */
void scn_check_gate_probe(struct scn_reporter *reporter, size_t probe);

#endif
