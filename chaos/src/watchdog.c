/* SPDX-License-Identifier: Apache-2.0 */
#include "watchdog.h"

#include "guard.h"
#include "step.h"

static void on_held(void *ctx)
{
    struct fault_watchdog *watchdog = ctx;
    if (!watchdog->waits || fault_is_renewing(watchdog->fault)) {
        fault_step_held(watchdog->fault, &watchdog->waits);
        return;
    }
    watchdog->waits = false;
    watchdog->ops->change(watchdog->fault);
}

static void on_lost(void *ctx)
{
    struct fault_watchdog *watchdog = ctx;
    const struct fault_watchdog_ops *ops = watchdog->ops;
    struct base_error err = {0};
    bool lapsed = fault_effect_left(watchdog->fault).ns <= 0;
    int pid = (int)fault_guard_pid(watchdog->guard);
    (void)ops->undo(fault_state_of(watchdog->fault));
    if (fault_guard_why(watchdog->guard)->code != BASE_OK)
        err = *fault_guard_why(watchdog->guard);
    else if (lapsed)
        (void)base_fail(&err, BASE_UNAVAILABLE,
                        "the lease had lapsed: its watchdog (process %d) has %s", pid, ops->undone);
    else
        (void)base_fail(&err, BASE_UNAVAILABLE,
                        "its watchdog (process %d) was killed: nothing stays %s without one", pid,
                        ops->changed);
    fault_step_lost(watchdog->fault, &watchdog->waits, lapsed, &err);
}

static void on_stopped(void *ctx)
{
    struct fault_watchdog *watchdog = ctx;
    fault_guard_free(watchdog->guard);
    watchdog->guard = NULL;
    fault_step_done(watchdog->fault, FAULT_OUTCOME_OK, NULL);
}

void fault_watchdog_init(struct fault_watchdog *watchdog, struct fault *fault,
                         const struct fault_watchdog_ops *ops)
{
    *watchdog = (struct fault_watchdog){.fault = fault, .ops = ops};
}

void fault_watchdog_fini(struct fault_watchdog *watchdog)
{
    fault_guard_free(watchdog->guard);
    watchdog->guard = NULL;
}

void fault_watchdog_cancel(struct fault_watchdog *watchdog)
{
    watchdog->waits = false;
}

void fault_watchdog_apply(struct fault_watchdog *watchdog, const int *keep, size_t count)
{
    struct fault *fault = watchdog->fault;
    struct base_error err = {0};
    struct fault_guard_spec spec = {
        .undo = watchdog->ops->undo,
        .undo_ctx = fault_state_of(fault),
        .keep = keep,
        .keep_count = count,
        .on_held = on_held,
        .on_lost = on_lost,
        .on_stopped = on_stopped,
        .ctx = watchdog,
    };
    watchdog->guard =
        fault_guard_start(fault_env_of(fault)->loop, &spec, fault_effect_left(fault), &err);
    watchdog->waits = watchdog->guard != NULL;
    if (!watchdog->waits)
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

void fault_watchdog_renew(struct fault_watchdog *watchdog)
{
    struct fault *fault = watchdog->fault;
    struct base_error err = {0};
    watchdog->waits = fault_guard_renew(watchdog->guard, fault_effect_left(fault), &err);
    if (!watchdog->waits)
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

void fault_watchdog_revert(struct fault_watchdog *watchdog)
{
    struct fault *fault = watchdog->fault;
    struct base_error err = {0};
    if (!watchdog->ops->undo(fault_state_of(fault))) { /* the watchdog will try, too */
        (void)base_fail_errno(&err, "cannot %s", watchdog->ops->undoing);
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
    } else if (watchdog->guard != NULL) {
        fault_guard_stop(watchdog->guard); /* before another fault: it could end that one */
    } else {
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
    }
}
