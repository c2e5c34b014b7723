/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause: all processes of the instance stand still (freezer.h). The kernel has no timeout for that,
 * so a watchdog (watchdog.h) is there before anything is frozen and thaws when the lease lapses or
 * the agent is no more; should the watchdog itself die, the agent thaws at once. Proven by the
 * kernel's word that they are frozen and by the silence of the instance's port; over when the
 * kernel says that they are not, and the port answers again. An instance that does not answer
 * although it is thawed is the platform's failure: recorded as evidence that is not ok and as an
 * error.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine.h"
#include "freezer.h"
#include "inquiry.h"
#include "step.h"
#include "undo.h"
#include "watchdog.h"

enum {
    poll_ms = 10,
    retry_ms = 50,
    patience_before_ms = 3000,
    patience_during_ms = 250, /* at least; ten times as long as an answer took before */
    patience_most_ms = 2000,
    patience_after_ms = 1000,
    slow_rounds_most = 5,
    gone_deadline_s = 10
};

struct sleeper { /* one target */
    struct fault *fault;
    struct fault_target target;
    struct fault_process process; /* pid 0: the topology names none */
    struct fault_freezer freezer;
    struct dur_ns usual; /* how long its answer took before */
};

struct pause_state {
    struct sleeper *sleepers;
    size_t count;
    enum fault_step round;
    struct fault_watchdog watchdog;
    struct fault_inquiry *inquiry; /* what the instances say */
    unsigned slow_rounds;          /* in which an answer took too long for the lease */
    struct io_timer poll;
};

static bool pause_host(struct base_error *err)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0U);
    if (fd < 0)
        return base_fail_errno(err, "pause needs pidfd_open(2), Linux 5.3");
    base_fd_close(&fd);
    return true;
}

static bool pause_platform(const struct topo *topo, struct base_error *err)
{
    return topo_any(topo, topo_knows_group_or_process) ||
           base_fail(err, BASE_UNAVAILABLE,
                     "pause needs instances whose control group or process is known: the platform "
                     "\"%s\" tells of none",
                     topo->name);
}

/* --- resolving --- */

static void on_poll(void *ctx);
static void round_over(void *ctx);
static const struct fault_watchdog_ops watchdog_ops;

static struct pause_state *state_new(struct fault *fault, size_t count)
{
    struct pause_state *state = base_calloc(1, sizeof *state);
    state->sleepers = base_calloc(count, sizeof *state->sleepers);
    state->count = count;
    for (size_t i = 0; i < count; i++) {
        state->sleepers[i].fault = fault;
        state->sleepers[i].freezer.fd = -1;
    }
    fault_watchdog_init(&state->watchdog, fault, &watchdog_ops);
    state->inquiry = fault_inquiry_new(fault_env_of(fault)->loop, count, round_over, fault);
    io_timer_init(&state->poll, fault_env_of(fault)->loop, on_poll, fault);
    fault_set_state(fault, state);
    return state;
}

static bool pause_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct pause_state *state = state_new(fault, spec->target_count);
    for (size_t i = 0; i < state->count; i++) {
        const struct fault_target *target = &state->sleepers[i].target;
        if (!fault_target_resolve(topo, spec->targets[i], &state->sleepers[i].target, err))
            return false;
        for (size_t j = 0; j < i && target->cgroup != NULL; j++)
            if (base_str_eq(target->cgroup, state->sleepers[j].target.cgroup))
                return base_fail(err, BASE_INVALID,
                                 "%s and %s share one control group: name one of them",
                                 state->sleepers[j].target.name, target->name);
    }
    return true;
}

/* --- what the kernel says --- */

/* false with err when that is not how it is, or when nobody can tell. */
static bool look(struct sleeper *sleeper, bool frozen, bool record, struct base_error *err)
{
    enum fault_freezer_state now = FAULT_FREEZER_GONE;
    char text[256];
    if (!fault_freezer_look(&sleeper->freezer, &now, text, sizeof text, err))
        return base_fail_context(err, "%s", sleeper->target.name);
    bool ok = frozen ? now == FAULT_FREEZER_FROZEN
                     : now == FAULT_FREEZER_THAWED || now == FAULT_FREEZER_GONE;
    const struct pause_state *state = fault_state_of(sleeper->fault);
    if (record)
        fault_evidence(sleeper->fault, sleeper->target.name, fault_step_when(state->round),
                       fault_freezer_metric(&sleeper->freezer), text,
                       frozen ? "frozen" : "not frozen", ok);
    return ok || base_fail(err, BASE_UNAVAILABLE, "%s is %s: %s", sleeper->target.name,
                           frozen ? "not frozen" : "frozen, or partly so", text);
}

static bool look_at_all(struct fault *fault, bool frozen, bool record, struct base_error *err)
{
    struct pause_state *state = fault_state_of(fault);
    bool ok = true;
    for (size_t i = 0; i < state->count; i++)
        if (!look(&state->sleepers[i], frozen, record, ok ? err : NULL))
            ok = false;
    return ok;
}

/* --- what the instances say --- */

static bool silent(const struct fault_answer_result *result)
{
    return !result->answered && result->sys == ETIMEDOUT;
}

static void answer_evidence(const struct sleeper *sleeper, enum fault_step round,
                            const struct fault_answer_result *result)
{
    char value[128];
    bool during = round == FAULT_STEP_VERIFY;
    BASE_AUTO_FREE char *metric =
        base_str_printf("answer of %s:%u", sleeper->target.address, (unsigned)sleeper->target.port);
    fault_answer_describe(result, value, sizeof value);
    fault_evidence(sleeper->fault, sleeper->target.name, fault_step_when(round), metric, value,
                   during ? "no answer" : "an answer", during ? silent(result) : result->answered);
}

static struct dur_ns patience_of(const struct sleeper *sleeper, enum fault_step round)
{
    int64_t ms = base_dur_to_ms(sleeper->usual) * 10;
    int64_t most = base_dur_to_ms(fault_spec_of(sleeper->fault)->lease) / 2;
    if (most > patience_most_ms)
        most = patience_most_ms;
    if (round == FAULT_STEP_PREPARE)
        return base_dur_ms(patience_before_ms);
    if (round == FAULT_STEP_VERIFY_GONE)
        return base_dur_ms(patience_after_ms);
    if (ms < patience_during_ms)
        ms = patience_during_ms;
    return base_dur_ms(ms < most ? ms : most);
}

/* Silence must last several times as long as an answer usually takes, and not as long as the lease:
 * nobody renews a fault that is not there yet. */
static const struct sleeper *too_slow(const struct pause_state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        const struct sleeper *sleeper = &state->sleepers[i];
        if (sleeper->usual.ns * 2 > patience_of(sleeper, FAULT_STEP_VERIFY).ns)
            return sleeper;
    }
    return NULL;
}

/* The best of a few: what a busy machine adds does not count. false: once more. */
static bool note_usual(struct pause_state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        struct sleeper *sleeper = &state->sleepers[i];
        struct dur_ns elapsed = fault_inquiry_result(state->inquiry, i)->elapsed;
        if (sleeper->usual.ns == 0 || elapsed.ns < sleeper->usual.ns)
            sleeper->usual = elapsed;
    }
    return too_slow(state) == NULL || ++state->slow_rounds >= slow_rounds_most;
}

static void round_begin(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    struct base_error err = {0};
    fault_inquiry_cancel(state->inquiry);
    for (size_t i = 0; i < state->count; i++) {
        const struct sleeper *sleeper = &state->sleepers[i];
        if (!fault_inquiry_ask(state->inquiry, i, &sleeper->target,
                               patience_of(sleeper, state->round), &err)) {
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
}

/* The first that did not behave as it should in this round; false: none. */
static bool find_odd(const struct pause_state *state, size_t *out)
{
    for (size_t i = 0; i < state->count; i++) {
        const struct fault_answer_result *result = fault_inquiry_result(state->inquiry, i);
        if (state->round == FAULT_STEP_VERIFY ? silent(result) : result->answered)
            continue;
        *out = i;
        return true;
    }
    return false;
}

/* What the kernel says decides; that it does not answer although it is thawed is on record. */
static void gone_finish(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool thawed = look_at_all(fault, false, true, &err);
    for (size_t i = 0; i < state->count; i++) {
        const struct sleeper *sleeper = &state->sleepers[i];
        const struct fault_answer_result *result = fault_inquiry_result(state->inquiry, i);
        if (result == NULL)
            continue;
        answer_evidence(sleeper, FAULT_STEP_VERIFY_GONE, result);
        if (result->answered || !thawed)
            continue;
        BASE_AUTO_FREE char *message = base_str_printf(
            "%s is not frozen, yet does not answer; see its log", sleeper->target.name);
        fault_note_error(fault, message);
    }
    fault_step_done(fault, thawed ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

static void round_over(void *ctx)
{
    struct fault *fault = ctx;
    struct pause_state *state = fault_state_of(fault);
    size_t which = 0;
    bool odd = find_odd(state, &which);
    struct base_error err = {0};
    bool gone = state->round == FAULT_STEP_VERIFY_GONE;
    if (gone && odd && !fault_is_halted(fault)) {
        io_timer_start(&state->poll, base_dur_ms(retry_ms)); /* until the deadline */
        return;
    }
    if (gone) {
        gone_finish(fault);
        return;
    }
    if (state->round == FAULT_STEP_PREPARE && !odd && !note_usual(state)) {
        round_begin(fault);
        return;
    }
    for (size_t i = 0; i < state->count; i++)
        answer_evidence(&state->sleepers[i], state->round, fault_inquiry_result(state->inquiry, i));
    bool during = state->round == FAULT_STEP_VERIFY;
    const struct sleeper *slow = !odd && !during ? too_slow(state) : NULL;
    if (slow != NULL) {
        (void)base_fail(&err, BASE_UNAVAILABLE,
                        "%s takes too long to answer for its silence to be told within the lease; "
                        "give a longer lease",
                        slow->target.name);
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
        return;
    }
    if (odd)
        (void)base_fail(&err, BASE_UNAVAILABLE,
                        during ? "%s is frozen, yet its port is not silent; see the evidence"
                               : "%s does not answer even before it is paused; see the evidence",
                        state->sleepers[which].target.name);
    fault_step_done(fault,
                    !odd     ? FAULT_OUTCOME_OK
                    : during ? FAULT_OUTCOME_NO_EFFECT
                             : FAULT_OUTCOME_FAILED,
                    &err);
}

/* Until the kernel says so: first that all are frozen, or that none is any more. */
static void on_poll(void *ctx)
{
    struct fault *fault = ctx;
    struct pause_state *state = fault_state_of(fault);
    if (look_at_all(fault, state->round == FAULT_STEP_VERIFY, false, NULL)) {
        if (state->round == FAULT_STEP_VERIFY)
            (void)look_at_all(fault, true, true, NULL);
        round_begin(fault);
    } else {
        io_timer_start(&state->poll, base_dur_ms(poll_ms));
    }
}

/* --- the watchdog --- */

static bool thaw_all(void *ctx)
{
    const struct pause_state *state = ctx;
    bool ok = true;
    for (size_t i = 0; i < state->count; i++)
        ok = fault_freezer_set(&state->sleepers[i].freezer, false) && ok;
    return ok;
}

static void freeze_all(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    struct base_error err = {0};
    for (size_t i = 0; i < state->count; i++) {
        const struct sleeper *sleeper = &state->sleepers[i];
        if (!fault_freezer_set(&sleeper->freezer, true)) {
            (void)base_fail_errno(&err, "cannot freeze %s", sleeper->target.name);
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static const struct fault_watchdog_ops watchdog_ops = {
    .change = freeze_all,
    .undo = thaw_all,
    .undoing = "thaw a target",
    .undone = "thawed it",
    .changed = "frozen",
};

/* --- the steps --- */

static bool sleeper_prepare(struct sleeper *sleeper, struct base_error *err)
{
    if (sleeper->target.status_file != NULL &&
        !fault_target_process(&sleeper->target, &sleeper->process, NULL, err))
        return false;
    return fault_freezer_open(&sleeper->target, &sleeper->process, &sleeper->freezer, err) &&
           look(sleeper, false, true, err);
}

static void pause_prepare(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->round = FAULT_STEP_PREPARE;
    for (size_t i = 0; i < state->count; i++) {
        if (!sleeper_prepare(&state->sleepers[i], &err)) {
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    round_begin(fault);
}

static void pause_apply(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    size_t count = 0;
    for (size_t i = 0; i < state->count; i++)
        count += 1 + state->sleepers[i].freezer.kin_count;
    int *keep = base_calloc(count, sizeof *keep);
    count = 0;
    for (size_t i = 0; i < state->count; i++) {
        const struct fault_freezer *freezer = &state->sleepers[i].freezer;
        keep[count++] = freezer->fd;
        for (size_t k = 0; k < freezer->kin_count; k++)
            if (freezer->kin[k].fd >= 0)
                keep[count++] = freezer->kin[k].fd;
    }
    fault_watchdog_apply(&state->watchdog, keep, count);
    free(keep);
}

static void pause_verify(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    state->round = FAULT_STEP_VERIFY;
    on_poll(fault);
}

static bool still_held(struct fault *fault, struct base_error *err)
{
    const struct pause_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++)
        if (!fault_freezer_holds_any(&state->sleepers[i].freezer))
            return base_fail(err, BASE_UNAVAILABLE,
                             "%s has ended: there is nothing left that is paused",
                             state->sleepers[i].target.name);
    return look_at_all(fault, true, false, err);
}

static void pause_renew(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    struct base_error err = {0};
    if (still_held(fault, &err))
        fault_watchdog_renew(&state->watchdog);
    else
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void pause_revert(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    fault_watchdog_revert(&state->watchdog);
}

static void pause_gone(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    state->round = FAULT_STEP_VERIFY_GONE;
    on_poll(fault);
}

/* --- housekeeping --- */

static struct dur_ns pause_deadline(const struct fault *fault, enum fault_step step)
{
    return step == FAULT_STEP_VERIFY_GONE ? base_dur_s(gone_deadline_s)
                                          : fault_step_deadline(fault, step);
}

static void pause_late(struct fault *fault, enum fault_step step)
{
    struct pause_state *state = fault_state_of(fault);
    if (step == FAULT_STEP_VERIFY_GONE)
        gone_finish(fault);
    else if (step == FAULT_STEP_VERIFY)
        (void)look_at_all(fault, true, true, NULL);
    fault_watchdog_cancel(&state->watchdog);
}

static void pause_cancel(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    io_timer_stop(&state->poll);
    fault_inquiry_cancel(state->inquiry);
    fault_watchdog_cancel(&state->watchdog);
}

static void pause_close(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    fault_watchdog_fini(&state->watchdog);
    fault_inquiry_free(state->inquiry);
    for (size_t i = 0; i < state->count; i++) {
        fault_freezer_close(&state->sleepers[i].freezer);
        fault_target_fini(&state->sleepers[i].target);
    }
    io_timer_fini(&state->poll);
    free(state->sleepers);
    free(state);
    fault_set_state(fault, NULL);
}

static json_t *kin_to_json(const struct fault_freezer *freezer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < freezer->kin_count; i++)
        json_array_append_new(list, fault_process_to_json(&freezer->kin[i].process));
    return list;
}

static bool kin_from_json(const json_t *list, struct fault_freezer *freezer, struct base_error *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct fault_process process;
        if (!fault_process_from_json(json_array_get(list, i), &process, err) ||
            !fault_freezer_add_kin(freezer, &process, err))
            return false;
    }
    return true;
}

static json_t *pause_undo(const struct fault *fault)
{
    const struct pause_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++) {
        json_t *one = json_object();
        json_object_set_new(one, "target", fault_target_to_json(&state->sleepers[i].target));
        json_object_set_new(one, "process", fault_process_to_json(&state->sleepers[i].process));
        json_object_set_new(one, "kin", kin_to_json(&state->sleepers[i].freezer));
        json_array_append_new(list, one);
    }
    return list;
}

static bool pause_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct pause_state *state = state_new(fault, json_array_size(undo));
    for (size_t i = 0; i < state->count; i++) {
        const json_t *one = json_array_get(undo, i);
        struct sleeper *sleeper = &state->sleepers[i];
        if (!fault_target_from_json(json_object_get(one, "target"), &sleeper->target, err) ||
            !fault_process_from_json(json_object_get(one, "process"), &sleeper->process, err) ||
            !kin_from_json(json_object_get(one, "kin"), &sleeper->freezer, err) ||
            !fault_freezer_reopen(&sleeper->target, &sleeper->process, &sleeper->freezer, err))
            return false;
    }
    return true;
}

const struct fault_ops fault_pause_ops = {
    .host = pause_host,
    .platform = pause_platform,
    .capabilities = UINT64_C(1) << CAP_KILL,
    .open = pause_open,
    .undo = pause_undo,
    .place = FAULT_PLACE_GROUP,
    .reopen = pause_reopen,
    .step = {[FAULT_STEP_PREPARE] = pause_prepare,
             [FAULT_STEP_APPLY] = pause_apply,
             [FAULT_STEP_VERIFY] = pause_verify,
             [FAULT_STEP_RENEW] = pause_renew,
             [FAULT_STEP_REVERT] = pause_revert,
             [FAULT_STEP_VERIFY_GONE] = pause_gone},
    .deadline = pause_deadline,
    .late = pause_late,
    .cancel = pause_cancel,
    .close = pause_close,
};
