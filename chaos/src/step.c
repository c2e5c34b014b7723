/* SPDX-License-Identifier: Apache-2.0 */
#include "step.h"

enum { renew_deadline_s = 1 };

const char *fault_step_when(enum fault_step step)
{
    return step == FAULT_STEP_PREPARE ? "before" : step == FAULT_STEP_VERIFY ? "during" : "after";
}

void fault_step_measured(struct fault *fault, enum fault_step step, bool odd,
                         const struct base_error *err)
{
    enum fault_outcome worse =
        step == FAULT_STEP_PREPARE ? FAULT_OUTCOME_FAILED : FAULT_OUTCOME_NO_EFFECT;
    fault_step_done(fault, odd ? worse : FAULT_OUTCOME_OK, err);
}

void fault_step_absent(struct fault *fault, bool odd, bool explained, const struct base_error *err)
{
    if (odd && explained)
        fault_note_error(fault, err->message);
    fault_step_done(fault, odd && !explained ? FAULT_OUTCOME_FAILED : FAULT_OUTCOME_OK, err);
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
