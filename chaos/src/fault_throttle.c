/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioThrottle: a disk gives a target's control group no more than so much (throttle.h). The kernel
 * has no timeout for that, so a watchdog (watchdog.h) lifts it, which needs no more than the files
 * that it has open. A rule of somebody else is refused, so that what was before is always none.
 * Proven by a probe in the group that goes past the page cache (throttle_meter.h): faster than the
 * limit before, held to it during, faster again after; over when the kernel has no rule of ours.
 *
 * A slow disk of PostgreSQL is the same, and besides felt by a witness (throttle_witness.h).
 */
#include <stdlib.h>

#include "base/text.h"
#include "folder.h"
#include "group.h"
#include "inside.h"
#include "step.h"
#include "throttle_witness.h"
#include "watchdog.h"

enum { poll_ms = 20, again_ms = 100 };

struct throttle_state {
    struct throttle_target *targets;
    size_t count;
    char *folder; /* NULL: found in the journal */
    char device[FAULT_DEVICE_TEXT];
    enum fault_step round;
    bool starting; /* meters: one that is done at once must not be taken for all */
    struct mono_ns began;
    struct fault_watchdog watchdog;
    struct io_timer poll;
    const struct throttle_witness
        *witness;          /* of each target; NULL: none, or found in the journal */
    bool asked;            /* in this round */
    struct io_timer again; /* when they are asked once more */
};

static bool throttle_host(struct base_error *err)
{
    enum fault_throttle_means means;
    return fault_throttle_host(&means, err);
}

static const char *throttle_means(void)
{
    enum fault_throttle_means means;
    return fault_throttle_host(&means, NULL) ? fault_throttle_means_name(means) : NULL;
}

static bool throttle_platform(const struct topo *topo, struct base_error *err)
{
    for (size_t s = 0; s < topo->service_count; s++)
        for (size_t i = 0; i < topo->services[s].instance_count; i++)
            if (topo->services[s].instances[i].cgroup != NULL ||
                topo->services[s].instances[i].status_file != NULL ||
                topo->services[s].instances[i].find_by != NULL)
                return true;
    return base_fail(err, BASE_UNAVAILABLE,
                     "ioThrottle needs instances whose control group or process is known: the "
                     "platform \"%s\" tells of none",
                     topo->name);
}

/* --- resolving --- */

static void on_poll(void *ctx);
static void on_measured(void *ctx);
static void on_witnessed(void *ctx);
static void ask(void *ctx);
static const struct fault_watchdog_ops watchdog_ops;

static struct throttle_state *state_new(struct fault *fault, size_t count)
{
    struct throttle_state *state = base_calloc(1, sizeof *state);
    struct io_loop *loop = fault_env_of(fault)->loop;
    state->targets = base_calloc(count, sizeof *state->targets);
    state->count = count;
    for (size_t i = 0; i < count; i++)
        throttle_target_init(&state->targets[i], fault, on_measured);
    fault_watchdog_init(&state->watchdog, fault, &watchdog_ops);
    io_timer_init(&state->poll, loop, on_poll, fault);
    io_timer_init(&state->again, loop, ask, fault);
    fault_set_state(fault, state);
    return state;
}

static bool throttle_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct throttle_state *state = state_new(fault, spec->target_count);
    state->witness = fault_is_slow_disk(spec) ? &throttle_pg_commits : NULL;
    for (size_t i = 0; i < state->count; i++) {
        struct throttle_target *of = &state->targets[i];
        if (!fault_target_resolve(topo, spec->targets[i], &of->target, err))
            return false;
        if (state->witness != NULL &&
            (of->witness = state->witness->open(of, on_witnessed, fault, err)) == NULL)
            return false;
    }
    return fault_folder_open(fault, topo, fault_throttling_of(spec)->path, &state->folder, err) &&
           fault_throttle_device(state->folder, state->device, err);
}

/* --- what the kernel has --- */

static bool as_wanted(struct fault *fault, bool set, bool foreign, bool record)
{
    const struct throttle_state *state = fault_state_of(fault);
    bool all = true;
    for (size_t i = 0; i < state->count; i++)
        all = throttle_target_is_set(&state->targets[i], state->round, set, foreign, record) && all;
    return all;
}

/* --- measuring --- */

/* Of the lease: nobody renews it before all has been shown. */
static struct dur_ns most_of(const struct fault *fault)
{
    const struct throttle_state *state = fault_state_of(fault);
    return (struct dur_ns){fault_spec_of(fault)->lease.ns / (state->witness != NULL ? 4 : 3)};
}

static bool is_patient(const struct fault *fault)
{
    const struct throttle_state *state = fault_state_of(fault);
    struct dur_ns waited = base_mono_sub(base_mono_now(), state->began);
    return waited.ns < fault_spec_of(fault)->lease.ns / 2;
}

static void measures_cancel(struct throttle_state *state)
{
    for (size_t i = 0; i < state->count; i++)
        throttle_target_cancel(&state->targets[i]);
}

static void measure(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    state->starting = true;
    for (size_t i = 0; ok && i < state->count; i++) {
        struct throttle_target *of = &state->targets[i];
        for (size_t r = 0; ok && r < of->throttle.count; r++)
            ok = throttle_target_measure(of, r, state->round, most_of(fault), &err);
    }
    state->starting = false;
    if (ok)
        return;
    measures_cancel(state);
    fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static bool all_shown(struct fault *fault, bool record)
{
    const struct throttle_state *state = fault_state_of(fault);
    bool all = true;
    for (size_t i = 0; i < state->count; i++)
        all = throttle_target_shown(&state->targets[i], state->round, record) && all;
    return all;
}

/* The disk has shown what it should. */
static void shown_by_disk(struct fault *fault)
{
    const struct throttle_state *state = fault_state_of(fault);
    if (state->witness != NULL)
        ask(fault);
    else
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void prepare_finish(struct fault *fault)
{
    struct base_error err = {0};
    if (all_shown(fault, true)) {
        shown_by_disk(fault);
        return;
    }
    (void)base_fail(&err, BASE_UNAVAILABLE,
                    "the disk gives hardly more than that without a limit: ask for less; see the "
                    "evidence");
    fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

/* One window after the other, until one shows it or patience is over. */
static void verify_finish(struct fault *fault)
{
    struct base_error err = {0};
    bool shown = all_shown(fault, false);
    if (!shown && is_patient(fault)) {
        measure(fault);
        return;
    }
    bool set = as_wanted(fault, true, false, true);
    (void)all_shown(fault, true);
    if (shown && set) {
        shown_by_disk(fault);
        return;
    }
    (void)base_fail(&err, BASE_UNAVAILABLE,
                    "the measured effect is not what was asked for; see the evidence");
    fault_step_done(fault, FAULT_OUTCOME_NO_EFFECT, &err);
}

/* Found in the journal, or halted: the kernel's word is enough. Nor can be shown that a limit of
 * somebody else's is none. */
static bool can_measure(struct fault *fault)
{
    const struct throttle_state *state = fault_state_of(fault);
    bool any = false;
    for (size_t i = 0; i < state->count; i++) {
        const struct throttle_target *of = &state->targets[i];
        if (of->strain.group_count == 0 || !fault_group_has(of->group, "cgroup.procs"))
            return false;
        any = any || of->meters[0].file >= 0;
    }
    return any && !fault_is_halted(fault) && as_wanted(fault, false, true, false);
}

/* Meanwhile the group may have gone, or somebody else have set a limit. */
static void gone_finish(struct fault *fault)
{
    bool shown = all_shown(fault, false);
    bool can = can_measure(fault);
    if (!shown && can) {
        measure(fault); /* until the deadline */
        return;
    }
    if (shown)
        (void)all_shown(fault, true);
    if (shown && can)
        shown_by_disk(fault);
    else
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void on_measured(void *ctx)
{
    struct fault *fault = ctx;
    const struct throttle_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++)
        for (size_t r = 0; r < FAULT_THROTTLE_RULES; r++)
            if (state->starting || state->targets[i].meters[r].busy)
                return;
    if (state->round == FAULT_STEP_PREPARE)
        prepare_finish(fault);
    else if (state->round == FAULT_STEP_VERIFY)
        verify_finish(fault);
    else
        gone_finish(fault);
}

/* --- who feels it --- */

static void ask(void *ctx)
{
    struct fault *fault = ctx;
    struct throttle_state *state = fault_state_of(fault);
    state->asked = true;
    for (size_t i = 0; i < state->count; i++)
        state->witness->ask(state->targets[i].witness, state->round, state->device, most_of(fault));
}

/* err: of the first who has not. */
static bool all_felt(struct fault *fault, bool record, struct base_error *err)
{
    const struct throttle_state *state = fault_state_of(fault);
    bool all = true;
    for (size_t i = 0; i < state->count; i++) {
        struct base_error why = {0};
        if (state->witness->shown(state->targets[i].witness, record, &why))
            continue;
        if (all)
            (void)base_fail(err, why.code, "%s: %s", state->targets[i].target.name, why.message);
        all = false;
    }
    return all;
}

/* Who has not seen it is asked again: while it stands until patience is over, after that until the
 * deadline. */
static void on_witnessed(void *ctx)
{
    struct fault *fault = ctx;
    struct throttle_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool gone = state->round == FAULT_STEP_VERIFY_GONE;
    for (size_t i = 0; i < state->count; i++)
        if (state->witness->busy(state->targets[i].witness))
            return;
    bool felt = all_felt(fault, false, &err);
    if (!felt && ((gone && can_measure(fault)) ||
                  (state->round == FAULT_STEP_VERIFY && is_patient(fault)))) {
        io_timer_start(&state->again, base_dur_ms(again_ms));
        return;
    }
    if (felt || !gone)
        (void)all_felt(fault, true, &err);
    if (felt || gone)
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
    else
        fault_step_measured(fault, state->round, true, &err);
}

static void witnesses_cancel(struct throttle_state *state)
{
    io_timer_stop(&state->again);
    for (size_t i = 0; state->witness != NULL && i < state->count; i++)
        if (state->targets[i].witness != NULL)
            state->witness->cancel(state->targets[i].witness);
}

/* --- the watchdog --- */

static bool lift_all(void *ctx)
{
    const struct throttle_state *state = ctx;
    bool ok = true;
    for (size_t i = 0; i < state->count; i++)
        ok = fault_throttle_lift(&state->targets[i].throttle) && ok;
    return ok;
}

static void set_all(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    struct base_error err = {0};
    /* Somebody may have been faster since it was looked at. */
    bool ok = as_wanted(fault, false, true, false) ||
              base_fail(&err, BASE_UNAVAILABLE, "somebody else has just set a limit");
    for (size_t i = 0; ok && i < state->count; i++)
        ok = fault_throttle_set(&state->targets[i].throttle, &err) ||
             base_fail_context(&err, "%s", state->targets[i].target.name);
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

static const struct fault_watchdog_ops watchdog_ops = {
    .change = set_all,
    .undo = lift_all,
    .undoing = "lift a limit",
    .undone = "lifted it",
    .changed = "throttled",
};

/* --- the steps --- */

static void begin(struct fault *fault, enum fault_step round)
{
    struct throttle_state *state = fault_state_of(fault);
    state->round = round;
    state->asked = false;
}

static void throttle_prepare(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    begin(fault, FAULT_STEP_PREPARE);
    for (size_t i = 0; ok && i < state->count; i++)
        ok = throttle_target_prepare(&state->targets[i], state->folder, state->device, &err);
    if (ok && !as_wanted(fault, false, true, true))
        ok = base_fail(&err, BASE_UNAVAILABLE,
                       "that device is limited already, by somebody else; see the evidence");
    if (ok)
        measure(fault);
    else
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void throttle_apply(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    int *keep = base_calloc(state->count * FAULT_THROTTLE_RULES, sizeof *keep);
    size_t count = 0;
    for (size_t i = 0; i < state->count; i++)
        for (size_t r = 0; r < state->targets[i].throttle.count; r++)
            keep[count++] = state->targets[i].throttle.rules[r].fd;
    fault_watchdog_apply(&state->watchdog, keep, count);
    free(keep);
}

static void throttle_verify(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    begin(fault, FAULT_STEP_VERIFY);
    state->began = base_mono_now();
    measure(fault);
}

static bool all_inside(const struct throttle_state *state, struct base_error *err)
{
    for (size_t i = 0; i < state->count; i++)
        if (!fault_target_inside(&state->targets[i].target, state->targets[i].group, err))
            return false;
    return true;
}

static void throttle_renew(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = as_wanted(fault, true, false, false) ||
              base_fail(&err, BASE_UNAVAILABLE,
                        "a target is no longer limited: its control group is gone, or somebody "
                        "has changed the limit");
    if (ok && all_inside(state, &err))
        fault_watchdog_renew(&state->watchdog);
    else
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void throttle_revert(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    fault_watchdog_revert(&state->watchdog);
}

static void on_poll(void *ctx)
{
    struct fault *fault = ctx;
    struct throttle_state *state = fault_state_of(fault);
    if (!as_wanted(fault, false, false, false)) {
        (void)lift_all(state);
        io_timer_start(&state->poll, base_dur_ms(poll_ms)); /* until the deadline */
        return;
    }
    (void)as_wanted(fault, false, false, true);
    if (!can_measure(fault))
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
    else
        measure(fault);
}

static void throttle_gone(struct fault *fault)
{
    begin(fault, FAULT_STEP_VERIFY_GONE);
    on_poll(fault);
}

/* --- housekeeping --- */

static void throttle_late(struct fault *fault, enum fault_step step)
{
    struct throttle_state *state = fault_state_of(fault);
    struct base_error ignored = {0};
    fault_watchdog_cancel(&state->watchdog);
    if (step != FAULT_STEP_VERIFY_GONE)
        return;
    (void)as_wanted(fault, false, false, true);
    (void)all_shown(fault, true);
    if (state->asked)
        (void)all_felt(fault, true, &ignored);
}

static void throttle_cancel(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    io_timer_stop(&state->poll);
    measures_cancel(state);
    witnesses_cancel(state);
    fault_watchdog_cancel(&state->watchdog);
}

static void throttle_close(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    fault_watchdog_fini(&state->watchdog);
    for (size_t i = 0; i < state->count; i++) {
        if (state->targets[i].witness != NULL)
            state->witness->close(state->targets[i].witness);
        throttle_target_close(&state->targets[i]);
    }
    io_timer_fini(&state->again);
    io_timer_fini(&state->poll);
    free(state->folder);
    free(state->targets);
    free(state);
    fault_set_state(fault, NULL);
}

/* --- the journal --- */

static json_t *throttle_undo(const struct fault *fault)
{
    const struct throttle_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++)
        json_array_append_new(list, throttle_target_to_json(&state->targets[i], state->device));
    return list;
}

static bool throttle_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct throttle_state *state = state_new(fault, json_array_size(undo));
    for (size_t i = 0; i < state->count; i++)
        if (!throttle_target_from_json(&state->targets[i], json_array_get(undo, i), err))
            return false;
    return true;
}

const struct fault_ops fault_throttle_ops = {
    .host = throttle_host,
    .means = throttle_means,
    .platform = throttle_platform,
    .open = throttle_open,
    .undo = throttle_undo,
    .reopen = throttle_reopen,
    .place = FAULT_PLACE_GROUP,
    .step = {[FAULT_STEP_PREPARE] = throttle_prepare,
             [FAULT_STEP_APPLY] = throttle_apply,
             [FAULT_STEP_VERIFY] = throttle_verify,
             [FAULT_STEP_RENEW] = throttle_renew,
             [FAULT_STEP_REVERT] = throttle_revert,
             [FAULT_STEP_VERIFY_GONE] = throttle_gone},
    .deadline = fault_step_deadline,
    .late = throttle_late,
    .cancel = throttle_cancel,
    .close = throttle_close,
};
