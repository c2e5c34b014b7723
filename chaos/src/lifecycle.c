/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle.h"

#include <stddef.h>

#define TO(state) (1U << (state))

static const struct {
    unsigned next;  /* bit set of the states that may follow */
    size_t stamp;   /* which time of the record entering this state sets */
    bool has_stamp; /* offset 0 is a member too */
} moves[FAULT_STATE_COUNT] = {
    [FAULT_REQUESTED] = {TO(FAULT_APPLYING) | TO(FAULT_FAILED),
                         offsetof(struct fault_record, requested_at), true},
    /* Stamped before the apply: nothing of the fault can be older than applied_at. */
    [FAULT_APPLYING] = {TO(FAULT_ACTIVE) | TO(FAULT_INEFFECTIVE) | TO(FAULT_FAILED) |
                            TO(FAULT_REVERTING),
                        offsetof(struct fault_record, applied_at), true},
    [FAULT_ACTIVE] = {TO(FAULT_REVERTING), offsetof(struct fault_record, verified_at), true},
    [FAULT_INEFFECTIVE] = {TO(FAULT_REVERTING), 0, false},
    /* Straight to gone: refused by the measurement before, when nothing was applied yet. */
    [FAULT_FAILED] = {TO(FAULT_REVERTING) | TO(FAULT_GONE), 0, false},
    [FAULT_REVERTING] = {TO(FAULT_GONE) | TO(FAULT_STUCK),
                         offsetof(struct fault_record, reverted_at), true},
    [FAULT_GONE] = {0, offsetof(struct fault_record, gone_at), true},
    /* A person may ask again once the cause is out of the way. */
    [FAULT_STUCK] = {TO(FAULT_REVERTING), 0, false},
};

bool fault_move_allowed(enum fault_state from, enum fault_state to)
{
    return (moves[from].next & TO(to)) != 0;
}

bool fault_move(struct fault_record *record, enum fault_state to, struct wall_ns now,
                struct base_error *err)
{
    if (!fault_move_allowed(record->state, to))
        return base_fail(err, BASE_INTERNAL, "fault %s cannot go from %s to %s",
                         record->id != NULL ? record->id : "?", fault_state_name(record->state),
                         fault_state_name(to));
    record->state = to;
    if (moves[to].has_stamp)
        *(struct wall_ns *)((char *)record + moves[to].stamp) = now;
    if (to == FAULT_ACTIVE)
        record->was_active = true;
    return true;
}
