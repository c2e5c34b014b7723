/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause: all processes of the instance stand still (freezer.h). The kernel has no timeout for that,
 * so a watchdog (guard.h) is there before anything is frozen and thaws when the lease lapses or the
 * agent is no more; should the watchdog itself die, the agent thaws at once. Proven by the kernel's
 * word that they are frozen and by the silence of the instance's port; over when the kernel says
 * that they are not, and the port answers again. An instance that does not answer although it is
 * thawed is the platform's failure: recorded as evidence that is not ok and as an error.
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
#include "guard.h"
#include "reply.h"
#include "undo.h"

enum {
    poll_ms = 10,
    retry_ms = 50,
    patience_before_ms = 3000,
    patience_during_ms = 250, /* at least; ten times as long as an answer took before */
    patience_most_ms = 2000,
    patience_after_ms = 1000,
    slow_rounds_most = 5,
    renew_deadline_s = 1, /* a watchdog that is silent for longer is none */
    gone_deadline_s = 10
};

struct sleeper { /* one target */
    struct fault *fault;
    struct fault_target target;
    struct fault_process process; /* pid 0: the topology names none */
    struct fault_freezer freezer;
    struct fault_answer *answer; /* NULL: not under way */
    struct fault_answer_result result;
    struct dur_ns usual; /* how long its answer took before */
    bool known;          /* result is of this round */
};

struct pause_state {
    struct sleeper *sleepers;
    size_t count;
    enum fault_step round;
    struct fault_guard *guard; /* NULL: none yet, or found in the journal */
    bool holding;              /* the step that waits for the watchdog's word */
    unsigned slow_rounds;      /* in which an answer took too long for the lease */
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
    for (size_t s = 0; s < topo->service_count; s++)
        for (size_t i = 0; i < topo->services[s].instance_count; i++)
            if (topo->services[s].instances[i].cgroup != NULL ||
                topo->services[s].instances[i].status_file != NULL)
                return true;
    return base_fail(err, BASE_UNAVAILABLE,
                     "pause needs instances whose control group or process is known: the platform "
                     "\"%s\" tells of none",
                     topo->name);
}

/* --- resolving --- */

static void on_poll(void *ctx);

static struct pause_state *state_new(struct fault *fault, size_t count)
{
    struct pause_state *state = base_calloc(1, sizeof *state);
    state->sleepers = base_calloc(count, sizeof *state->sleepers);
    state->count = count;
    for (size_t i = 0; i < count; i++) {
        state->sleepers[i].fault = fault;
        state->sleepers[i].freezer.fd = -1;
    }
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

static const char *when_of(enum fault_step round)
{
    return round == FAULT_STEP_PREPARE ? "before" : round == FAULT_STEP_VERIFY ? "during" : "after";
}

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
        fault_evidence(sleeper->fault, sleeper->target.name, when_of(state->round),
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

static void answer_evidence(struct sleeper *sleeper, enum fault_step round)
{
    char value[128];
    bool during = round == FAULT_STEP_VERIFY;
    BASE_AUTO_FREE char *metric =
        base_str_printf("answer of %s:%u", sleeper->target.address, (unsigned)sleeper->target.port);
    fault_answer_describe(&sleeper->result, value, sizeof value);
    fault_evidence(sleeper->fault, sleeper->target.name, when_of(round), metric, value,
                   during ? "no answer" : "an answer",
                   during ? silent(&sleeper->result) : sleeper->result.answered);
}

static void round_over(struct fault *fault);

static void on_answer(void *ctx, const struct fault_answer_result *result)
{
    struct sleeper *sleeper = ctx;
    const struct pause_state *state = fault_state_of(sleeper->fault);
    sleeper->answer = NULL;
    sleeper->result = *result;
    sleeper->known = true;
    for (size_t i = 0; i < state->count; i++)
        if (!state->sleepers[i].known)
            return;
    round_over(sleeper->fault);
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
        if (sleeper->usual.ns == 0 || sleeper->result.elapsed.ns < sleeper->usual.ns)
            sleeper->usual = sleeper->result.elapsed;
    }
    return too_slow(state) == NULL || ++state->slow_rounds >= slow_rounds_most;
}

static void cancel_answers(struct pause_state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        fault_answer_cancel(state->sleepers[i].answer);
        state->sleepers[i].answer = NULL;
        state->sleepers[i].known = false;
    }
}

static void round_begin(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    struct base_error err = {0};
    cancel_answers(state);
    for (size_t i = 0; i < state->count; i++) {
        struct sleeper *sleeper = &state->sleepers[i];
        sleeper->answer =
            fault_answer_start(fault_env_of(fault)->loop, &sleeper->target,
                               patience_of(sleeper, state->round), on_answer, sleeper, &err);
        if (sleeper->answer == NULL) {
            cancel_answers(state);
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
}

static const struct sleeper *odd_one(const struct pause_state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        const struct fault_answer_result *result = &state->sleepers[i].result;
        if (state->round == FAULT_STEP_VERIFY ? !silent(result) : !result->answered)
            return &state->sleepers[i];
    }
    return NULL;
}

/* What the kernel says decides; that it does not answer although it is thawed is on record. */
static void gone_finish(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool thawed = look_at_all(fault, false, true, &err);
    for (size_t i = 0; i < state->count; i++) {
        struct sleeper *sleeper = &state->sleepers[i];
        if (!sleeper->known)
            continue;
        answer_evidence(sleeper, FAULT_STEP_VERIFY_GONE);
        if (sleeper->result.answered || !thawed)
            continue;
        BASE_AUTO_FREE char *message = base_str_printf(
            "%s is not frozen, yet does not answer; see its log", sleeper->target.name);
        fault_note_error(fault, message);
    }
    fault_step_done(fault, thawed ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

static void round_over(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    const struct sleeper *odd = odd_one(state);
    struct base_error err = {0};
    bool gone = state->round == FAULT_STEP_VERIFY_GONE;
    if (gone && odd != NULL && !fault_is_halted(fault)) {
        io_timer_start(&state->poll, base_dur_ms(retry_ms)); /* until the deadline */
        return;
    }
    if (gone) {
        gone_finish(fault);
        return;
    }
    if (state->round == FAULT_STEP_PREPARE && odd == NULL && !note_usual(state)) {
        round_begin(fault);
        return;
    }
    for (size_t i = 0; i < state->count; i++)
        answer_evidence(&state->sleepers[i], state->round);
    bool during = state->round == FAULT_STEP_VERIFY;
    const struct sleeper *slow = odd == NULL && !during ? too_slow(state) : NULL;
    if (slow != NULL) {
        (void)base_fail(&err, BASE_UNAVAILABLE,
                        "%s takes too long to answer for its silence to be told within the lease; "
                        "give a longer lease",
                        slow->target.name);
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
        return;
    }
    if (odd != NULL)
        (void)base_fail(&err, BASE_UNAVAILABLE,
                        during ? "%s is frozen, yet its port is not silent; see the evidence"
                               : "%s does not answer even before it is paused; see the evidence",
                        odd->target.name);
    fault_step_done(fault,
                    odd == NULL ? FAULT_OUTCOME_OK
                    : during    ? FAULT_OUTCOME_NO_EFFECT
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

/* --- thawing, also from the watchdog --- */

static bool thaw_all(void *ctx)
{
    const struct pause_state *state = ctx;
    bool ok = true;
    for (size_t i = 0; i < state->count; i++)
        ok = fault_freezer_set(&state->sleepers[i].freezer, false) && ok;
    return ok;
}

/* --- the watchdog --- */

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

static void on_guard_held(void *ctx)
{
    struct fault *fault = ctx;
    struct pause_state *state = fault_state_of(fault);
    if (!state->holding)
        return;
    state->holding = false;
    if (fault_is_renewing(fault))
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
    else
        freeze_all(fault);
}

static void on_guard_lost(void *ctx)
{
    struct fault *fault = ctx;
    struct pause_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool lapsed = fault_effect_left(fault).ns <= 0; /* it did what it is for */
    (void)thaw_all(state);
    (void)base_fail(&err, BASE_UNAVAILABLE,
                    lapsed ? "the lease had lapsed: its watchdog (process %d) has thawed it"
                           : "its watchdog (process %d) was killed: nothing stays frozen without "
                             "one",
                    (int)fault_guard_pid(state->guard));
    if (state->holding) {
        state->holding = false;
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
        return;
    }
    if (lapsed)
        return; /* the engine's own timer is due, and knows why it ends */
    fault_note_error(fault, err.message);
    fault_end(fault, FAULT_END_FAILED);
}

static void on_guard_stopped(void *ctx)
{
    struct fault *fault = ctx;
    struct pause_state *state = fault_state_of(fault);
    fault_guard_free(state->guard);
    state->guard = NULL;
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

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

/* The watchdog's word that it is there starts the freezing: on_guard_held. */
static void pause_apply(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    struct base_error err = {0};
    int *keep = base_calloc(state->count, sizeof *keep);
    for (size_t i = 0; i < state->count; i++)
        keep[i] = state->sleepers[i].freezer.fd;
    struct fault_guard_spec spec = {
        .undo = thaw_all,
        .undo_ctx = state,
        .keep = keep,
        .keep_count = state->count,
        .on_held = on_guard_held,
        .on_lost = on_guard_lost,
        .on_stopped = on_guard_stopped,
        .ctx = fault,
    };
    state->holding = true;
    state->guard =
        fault_guard_start(fault_env_of(fault)->loop, &spec, fault_effect_left(fault), &err);
    if (state->guard == NULL) {
        state->holding = false;
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
    }
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
    state->holding = true;
    if (still_held(fault, &err) && fault_guard_renew(state->guard, fault_effect_left(fault), &err))
        return;
    state->holding = false;
    fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void pause_revert(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    struct base_error err = {0};
    if (!thaw_all(state)) {
        (void)base_fail_errno(&err, "cannot thaw a target"); /* the watchdog will try, too */
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
    } else if (state->guard != NULL) {
        fault_guard_stop(state->guard); /* before another pause: it could end that one */
    } else {
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
    }
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
    (void)fault;
    return base_dur_s(step == FAULT_STEP_VERIFY_GONE ? gone_deadline_s
                      : step == FAULT_STEP_RENEW     ? renew_deadline_s
                                                     : 0);
}

static void pause_late(struct fault *fault, enum fault_step step)
{
    struct pause_state *state = fault_state_of(fault);
    if (step == FAULT_STEP_VERIFY_GONE)
        gone_finish(fault);
    else if (step == FAULT_STEP_VERIFY)
        (void)look_at_all(fault, true, true, NULL);
    state->holding = false;
}

static void pause_cancel(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    io_timer_stop(&state->poll);
    cancel_answers(state);
    state->holding = false;
}

static void pause_close(struct fault *fault)
{
    struct pause_state *state = fault_state_of(fault);
    fault_guard_free(state->guard);
    for (size_t i = 0; i < state->count; i++) {
        fault_freezer_close(&state->sleepers[i].freezer);
        fault_target_fini(&state->sleepers[i].target);
    }
    io_timer_fini(&state->poll);
    free(state->sleepers);
    free(state);
    fault_set_state(fault, NULL);
}

static json_t *pause_undo(const struct fault *fault)
{
    const struct pause_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++) {
        json_t *one = json_object();
        json_object_set_new(one, "target", fault_target_to_json(&state->sleepers[i].target));
        json_object_set_new(one, "process", fault_process_to_json(&state->sleepers[i].process));
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
