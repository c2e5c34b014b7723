/* SPDX-License-Identifier: Apache-2.0 */
#include "inside.h"

#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"
#include "group.h"

bool fault_target_inside(const struct fault_target *target, const char *group,
                         struct base_error *err)
{
    BASE_AUTO_FREE char *state = NULL;
    struct fault_process now = {0};
    bool known = target->status_file != NULL || target->find_by != NULL;
    if (!known || !fault_target_process(target, &now, &state, NULL) || now.pid <= 0)
        return true;
    if (state != NULL && !base_str_eq(state, "ready")) /* it joins its group before that */
        return true;
    struct base_error why = {0};
    if (fault_group_check(group, target->name, now.pid, &why))
        return true;
    /* Dead, and nobody has noticed yet: about to be started again. */
    if (!base_process_alive(now.pid, now.start_ticks))
        return true;
    if (err != NULL)
        *err = why;
    return false;
}
