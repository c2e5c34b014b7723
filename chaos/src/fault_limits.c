/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits: the target can open no more than so many files, or have no more than so many processes
 * (limit.h). The kernel has no timeout for that, so a watchdog (watchdog.h) puts back what was,
 * which the journal holds too. Proven by reading back what the kernel has; where the target has as
 * many files open as it may, also by its silence: it can accept no connection. Over when the kernel
 * has again what it had before.
 */
#include <linux/capability.h>
#include <stdlib.h>

#include "base/text.h"
#include "confine.h"
#include "engine.h"
#include "inquiry.h"
#include "limited.h"
#include "step.h"
#include "watchdog.h"

enum { poll_ms = 20, patience_ms = 300, fds_each = 2 };

struct limits_state {
    struct fault_limited *subjects;
    size_t count;
    struct fault_watchdog watchdog;
    struct fault_inquiry *inquiry; /* whether they answer */
    struct io_timer poll;
};

static bool limits_platform(const struct topo *topo, struct base_error *err)
{
    return topo_any(topo, topo_knows_process) ||
           base_fail(err, BASE_UNAVAILABLE,
                     "limits needs instances whose process is known: the platform \"%s\" tells of "
                     "none",
                     topo->name);
}

static const char *limits_means(void)
{
    return fault_has_capability(CAP_SYS_RESOURCE)
               ? NULL
               : "files: of its own user's processes alone, CAP_SYS_RESOURCE is missing";
}

/* --- resolving --- */

static void on_poll(void *ctx);
static void verify_finish(void *ctx);
static const struct fault_watchdog_ops watchdog_ops;

static struct limits_state *state_new(struct fault *fault, size_t count)
{
    struct limits_state *state = base_calloc(1, sizeof *state);
    state->subjects = base_calloc(count, sizeof *state->subjects);
    state->count = count;
    for (size_t i = 0; i < count; i++)
        fault_limited_init(&state->subjects[i], fault);
    fault_watchdog_init(&state->watchdog, fault, &watchdog_ops);
    state->inquiry = fault_inquiry_new(fault_env_of(fault)->loop, count, verify_finish, fault);
    io_timer_init(&state->poll, fault_env_of(fault)->loop, on_poll, fault);
    fault_set_state(fault, state);
    return state;
}

static bool limits_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct limits_state *state = state_new(fault, spec->target_count);
    if (spec->limits.files < 0 && spec->limits.pids < 0 && spec->limits.files_share <= 0.0 &&
        spec->limits.pids_share <= 0.0)
        return base_fail(err, BASE_INVALID,
                         "limits needs a number of files or of pids, or a share of what they are "
                         "limited to");
    for (size_t i = 0; i < state->count; i++)
        if (!fault_target_resolve(topo, spec->targets[i], &state->subjects[i].target, err))
            return false;
    return true;
}

/* All of them; when: of the evidence, NULL: none. */
static bool as_wanted(const struct fault *fault, bool lowered, const char *when)
{
    const struct limits_state *state = fault_state_of(fault);
    bool ok = true;
    for (size_t i = 0; i < state->count; i++)
        ok = fault_limited_as_wanted(&state->subjects[i], lowered, when) && ok;
    return ok;
}

/* --- whether it can still accept --- */

/* accept(2) takes the descriptor's number before it waits: each thread that was in it when the
 * limit was lowered answers once more. */
static bool ask_again(struct fault *fault, bool *asked, struct base_error *err)
{
    struct limits_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++) {
        struct fault_limited *subject = &state->subjects[i];
        if (!fault_inquiry_result(state->inquiry, i)->answered || subject->again == 0 ||
            !fault_limited_exhausted(subject))
            continue;
        subject->again--;
        *asked = true;
        if (!fault_inquiry_ask(state->inquiry, i, &subject->target, base_dur_ms(patience_ms), err))
            return false;
    }
    return true;
}

static void verify_finish(void *ctx)
{
    struct fault *fault = ctx;
    struct limits_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool asked = false;
    if (!ask_again(fault, &asked, &err)) {
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
        return;
    }
    if (asked)
        return;
    bool ok = as_wanted(fault, true, "during");
    for (size_t i = 0; i < state->count; i++) {
        struct fault_limited *subject = &state->subjects[i];
        bool answered = fault_inquiry_result(state->inquiry, i)->answered;
        if (!fault_limited_exhausted(subject))
            continue;
        fault_evidence(fault, subject->target.name, "during",
                       "connection when no more files can be opened",
                       answered ? "answered" : "not answered", "not answered", !answered);
        ok = ok && !answered;
    }
    if (!ok)
        (void)base_fail(&err, BASE_UNAVAILABLE,
                        "the measured effect is not what was asked for; see the evidence");
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_NO_EFFECT, &err);
}

static void limits_verify(struct fault *fault)
{
    struct limits_state *state = fault_state_of(fault);
    struct base_error err = {0};
    fault_inquiry_cancel(state->inquiry);
    for (size_t i = 0; i < state->count; i++) {
        state->subjects[i].again = fault_limit_threads(&state->subjects[i].limit);
        if (!fault_inquiry_ask(state->inquiry, i, &state->subjects[i].target,
                               base_dur_ms(patience_ms), &err)) {
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
}

/* --- the watchdog --- */

static bool restore_all(void *ctx)
{
    const struct limits_state *state = ctx;
    bool ok = true;
    for (size_t i = 0; i < state->count; i++)
        ok = fault_limit_restore(&state->subjects[i].limit) && ok;
    return ok;
}

static void lower_all(struct fault *fault)
{
    struct limits_state *state = fault_state_of(fault);
    struct base_error err = {0};
    for (size_t i = 0; i < state->count; i++) {
        if (!fault_limit_lower(&state->subjects[i].limit, &err)) {
            (void)base_fail_context(&err, "%s", state->subjects[i].target.name);
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static const struct fault_watchdog_ops watchdog_ops = {
    .change = lower_all,
    .undo = restore_all,
    .undoing = "put back a limit",
    .undone = "put it back",
    .changed = "lowered",
};

/* --- the steps --- */

static void limits_prepare(struct fault *fault)
{
    struct limits_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < state->count; i++)
        ok = fault_limited_prepare(&state->subjects[i], &err);
    if (ok && !as_wanted(fault, false, "before"))
        ok = base_fail(&err, BASE_UNAVAILABLE, "it is limited so already; see the evidence");
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

static void limits_apply(struct fault *fault)
{
    struct limits_state *state = fault_state_of(fault);
    int *keep = base_calloc(state->count * fds_each, sizeof *keep);
    size_t count = 0;
    for (size_t i = 0; i < state->count; i++) {
        if (state->subjects[i].limit.members >= 0)
            keep[count++] = state->subjects[i].limit.members;
        if (state->subjects[i].limit.pids_fd >= 0)
            keep[count++] = state->subjects[i].limit.pids_fd;
    }
    fault_watchdog_apply(&state->watchdog, keep, count);
    free(keep);
}

static void limits_renew(struct fault *fault)
{
    struct limits_state *state = fault_state_of(fault);
    struct base_error err = {0};
    if (as_wanted(fault, true, NULL)) {
        fault_watchdog_renew(&state->watchdog);
        return;
    }
    (void)base_fail(&err, BASE_UNAVAILABLE,
                    "a target is no longer limited: it was restarted, or somebody has changed its "
                    "limits");
    fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void limits_revert(struct fault *fault)
{
    struct limits_state *state = fault_state_of(fault);
    fault_watchdog_revert(&state->watchdog);
}

static void on_poll(void *ctx)
{
    struct fault *fault = ctx;
    struct limits_state *state = fault_state_of(fault);
    if (!as_wanted(fault, false, NULL)) {
        /* A fork that was under way when the limits were put back has the lowered one still. */
        (void)restore_all(state);
        io_timer_start(&state->poll, base_dur_ms(poll_ms)); /* until the deadline */
        return;
    }
    (void)as_wanted(fault, false, "after");
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void limits_gone(struct fault *fault)
{
    on_poll(fault);
}

/* --- housekeeping --- */

static void limits_late(struct fault *fault, enum fault_step step)
{
    struct limits_state *state = fault_state_of(fault);
    fault_watchdog_cancel(&state->watchdog);
    if (step == FAULT_STEP_VERIFY_GONE)
        (void)as_wanted(fault, false, "after");
}

static void limits_cancel(struct fault *fault)
{
    struct limits_state *state = fault_state_of(fault);
    io_timer_stop(&state->poll);
    fault_inquiry_cancel(state->inquiry);
    fault_watchdog_cancel(&state->watchdog);
}

static void limits_close(struct fault *fault)
{
    struct limits_state *state = fault_state_of(fault);
    fault_watchdog_fini(&state->watchdog);
    fault_inquiry_free(state->inquiry);
    for (size_t i = 0; i < state->count; i++)
        fault_limited_fini(&state->subjects[i]);
    io_timer_fini(&state->poll);
    free(state->subjects);
    free(state);
    fault_set_state(fault, NULL);
}

/* --- the journal --- */

static json_t *limits_undo(const struct fault *fault)
{
    const struct limits_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++)
        json_array_append_new(list, fault_limited_to_json(&state->subjects[i]));
    return list;
}

static bool limits_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct limits_state *state = state_new(fault, json_array_size(undo));
    for (size_t i = 0; i < state->count; i++)
        if (!fault_limited_from_json(&state->subjects[i], json_array_get(undo, i), err))
            return false;
    return true;
}

const struct fault_ops fault_limits_ops = {
    .means = limits_means,
    .platform = limits_platform,
    .capabilities = UINT64_C(1) << CAP_SYS_RESOURCE, /* prlimit(2) on other users' processes */
    .open = limits_open,
    .undo = limits_undo,
    .place = FAULT_PLACE_PROCESS,
    .reopen = limits_reopen,
    .step = {[FAULT_STEP_PREPARE] = limits_prepare,
             [FAULT_STEP_APPLY] = limits_apply,
             [FAULT_STEP_VERIFY] = limits_verify,
             [FAULT_STEP_RENEW] = limits_renew,
             [FAULT_STEP_REVERT] = limits_revert,
             [FAULT_STEP_VERIFY_GONE] = limits_gone},
    .deadline = fault_step_deadline,
    .late = limits_late,
    .cancel = limits_cancel,
    .close = limits_close,
};
