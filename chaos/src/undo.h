/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds put into the journal to be able to revert, and its reading. */
#ifndef CHAOS_UNDO_H
#define CHAOS_UNDO_H

#include "resolve.h"

json_t *fault_target_to_json(const struct fault_target *target);
bool fault_target_from_json(const json_t *json, struct fault_target *out, struct base_error *err);
json_t *fault_process_to_json(const struct fault_process *process);
bool fault_process_from_json(const json_t *json, struct fault_process *out, struct base_error *err);
json_t *fault_peers_to_json(const struct fault_peers *peers);
bool fault_peers_from_json(const json_t *json, struct fault_peers *out, struct base_error *err);

#endif
