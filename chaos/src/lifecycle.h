/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a fault: which state may follow which, and when each was entered. Pure. */
#ifndef CHAOS_LIFECYCLE_H
#define CHAOS_LIFECYCLE_H

#include "model/fault.h"

enum { FAULT_STATE_COUNT = FAULT_STUCK + 1 };

bool fault_move_allowed(enum fault_state from, enum fault_state to);
/* The only function that changes record->state; stamps the time that belongs to the new state. A
 * move outside the table leaves the record alone: BASE_INTERNAL. */
bool fault_move(struct fault_record *record, enum fault_state to, struct wall_ns now,
                struct base_error *err);

#endif
