/* SPDX-License-Identifier: Apache-2.0 */
/* What a fault would meet, were it asked for now. Nothing is written down, measured or put in
 * place. */
#ifndef CHAOS_REHEARSE_H
#define CHAOS_REHEARSE_H

#include "agent_state.h"

/* out: the targets as this host has them (control.h); json_decref it. false: it would be refused,
 * with the words that the fault itself would be refused with. */
bool agent_rehearse(struct agent *agent, const struct fault_spec *spec, json_t **out,
                    struct base_error *err);

#endif
