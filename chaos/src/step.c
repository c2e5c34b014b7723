/* SPDX-License-Identifier: Apache-2.0 */
#include "step.h"

enum { renew_deadline_s = 1 };

const char *fault_step_when(enum fault_step step)
{
    return step == FAULT_STEP_PREPARE ? "before" : step == FAULT_STEP_VERIFY ? "during" : "after";
}

void fault_step_held(struct fault *fault, bool *waits)
{
    if (!*waits)
        return;
    *waits = false;
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

void fault_step_lost(struct fault *fault, bool *waits, bool lapsed, const struct base_error *why)
{
    if (*waits) {
        *waits = false;
        fault_step_done(fault, FAULT_OUTCOME_FAILED, why);
    } else if (!lapsed) {
        fault_note_error(fault, why->message);
        fault_end(fault, FAULT_END_FAILED);
    }
}

struct dur_ns fault_step_deadline(const struct fault *fault, enum fault_step step)
{
    (void)fault;
    return base_dur_s(step == FAULT_STEP_RENEW ? renew_deadline_s : 0);
}
