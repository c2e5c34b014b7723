/* SPDX-License-Identifier: Apache-2.0 */
/* A tree to a scenario, by the table in fields.c. */
#ifndef SCENARIOS_DECODE_H
#define SCENARIOS_DECODE_H

#include "node.h"
#include "scenarios/scenario.h"

/* Fills out (zeroed before) as far as the tree is right and reports everything that is not. */
void scn_decode(const char *file, const struct scn_node *root, struct scn_scenario *out,
                struct scn_problems *problems);

/* Rules between fields that need no platform; those whose fields were reported already are left
 * out (check.c). */
void scn_check(const struct scn_scenario *scenario, struct scn_problems *problems);

#endif
