/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill: a signal to the instance's process, and SIGKILL when it lives on after `grace`; with
 * `every` again and again, each time that it has come back, until the fault ends. Proven by the
 * pidfd reporting the exit; over when the instance's statusFile shows a new process that is ready.
 * Nothing of ours stays in place: an instance that does not come back is the platform's failure,
 * recorded as evidence that is not ok and as an error, and never mended or hidden here.
 */
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine.h"
#include "undo.h"
#include "victim.h"

enum {
    poll_ms = 25, /* how finely the time to ready is known */
    settle_ms = 1000
};

struct kill_state {
    struct fault_victim *victims;
    size_t count;
    struct io_timer poll;
    bool striking;   /* a crash loop goes on */
    bool waits_exit; /* the verify step is under way */
    bool waits_back; /* the verify-gone step is under way */
};

static bool kill_host(struct base_error *err)
{
    int fd = fault_victim_pidfd(getpid());
    if (fd < 0)
        return base_fail_errno(err, "kill needs pidfd_open(2), Linux 5.3");
    base_fd_close(&fd);
    return true;
}

/* A crash loop stays in place: only one kill is over as soon as it has happened. */
static bool kill_is_instant(const struct fault_spec *spec)
{
    return spec->kill.every.ns == 0;
}

static struct kill_state *state_new(struct fault *fault, size_t count);

/* Signals that end a process; the others would not be a kill. */
static bool signal_ends(int number)
{
    static const int ending[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGABRT, SIGKILL,
                                 SIGTERM, SIGSEGV, SIGBUS,  SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        if (ending[i] == number)
            return true;
    return false;
}

static bool kill_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    if (!signal_ends(spec->kill.signal))
        return base_fail(err, BASE_INVALID,
                         "signal %d does not end a process; kill takes 15 (TERM), 9 (KILL), 2 "
                         "(INT), 3 (QUIT), 6 (ABRT) and the like",
                         spec->kill.signal);
    if (spec->kill.grace.ns >= spec->duration.ns)
        return base_fail(err, BASE_INVALID,
                         "a grace as long as the fault itself (`for`) never ends in SIGKILL");
    struct kill_state *state = state_new(fault, spec->target_count);
    for (size_t i = 0; i < state->count; i++)
        if (!fault_target_resolve(topo, spec->targets[i], &state->victims[i].target, err))
            return false;
    return true;
}

/* --- before --- */

static bool victim_prepare(struct fault *fault, struct fault_victim *victim, struct base_error *err)
{
    BASE_AUTO_FREE char *word = NULL;
    char value[128];
    if (!fault_target_process(&victim->target, &victim->process, &word, err))
        return false;
    bool alive = fault_process_alive(&victim->process);
    bool ready = base_str_eq(word, "ready");
    (void)snprintf(value, sizeof value, "pid %d %s, %s", (int)victim->process.pid,
                   alive ? "alive" : "not alive", word);
    fault_evidence(fault, victim->target.name, "before", "process", value, "alive and ready",
                   alive && ready);
    if (!alive || !ready)
        return base_fail(err, BASE_UNAVAILABLE,
                         "%s is not up (%s): killing it would show nothing; wait until it is ready",
                         victim->target.name, value);
    return fault_victim_open(victim, err);
}

static void kill_prepare(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    struct base_error err = {0};
    for (size_t i = 0; i < state->count; i++) {
        if (!victim_prepare(fault, &state->victims[i], &err)) {
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

/* --- the signal, and the exit --- */

static void exit_evidence(struct fault *fault, const struct fault_victim *victim)
{
    char took[BASE_DUR_TEXT];
    char value[128];
    base_dur_format_brief(victim->exited_after, took);
    if (victim->exited)
        (void)snprintf(value, sizeof value, "pid %d exited after %s%s", (int)victim->process.pid,
                       took, victim->hard ? ", by SIGKILL at the end of its grace" : "");
    else
        (void)snprintf(value, sizeof value, "pid %d still runs", (int)victim->process.pid);
    fault_evidence(fault, victim->target.name, "during", "process", value, "exited",
                   victim->exited);
}

static void check_exits(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++)
        if (!state->victims[i].exited)
            return;
    if (!state->waits_exit)
        return;
    state->waits_exit = false;
    for (size_t i = 0; i < state->count; i++)
        exit_evidence(fault, &state->victims[i]);
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void on_victim_exit(void *ctx)
{
    check_exits(ctx);
}

static void kill_apply(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->striking = !kill_is_instant(fault_spec_of(fault));
    io_timer_start(&state->poll, base_dur_ms(poll_ms));
    for (size_t i = 0; i < state->count; i++) {
        if (!fault_victim_strike(&state->victims[i], fault_env_of(fault)->loop,
                                 fault_spec_of(fault)->kill.signal, &err)) {
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void kill_verify(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    state->waits_exit = true;
    check_exits(fault);
}

/* --- a crash loop --- */

/* The one that has come back is killed too, but not sooner than `every` after the last one. A
 * process that was stopped may find its lease lapsed here, before the engine's timer does. */
static void strike_again(struct fault *fault, struct fault_victim *victim)
{
    struct kill_state *state = fault_state_of(fault);
    const struct fault_spec *spec = fault_spec_of(fault);
    struct base_error err = {0};
    if (!state->striking || state->waits_exit || !victim->exited || !victim->back ||
        fault_victim_since(victim).ns < spec->kill.every.ns || fault_effect_left(fault).ns <= 0 ||
        !fault_victim_follow(victim))
        return;
    if (!fault_victim_strike(victim, fault_env_of(fault)->loop, spec->kill.signal, &err))
        fault_note_error(fault, err.message);
}

static void loop_evidence(struct fault *fault, const struct fault_victim *victim)
{
    char value[160];
    char longest[BASE_DUR_TEXT];
    base_dur_format_brief(victim->longest, longest);
    (void)snprintf(value, sizeof value, "killed %u times, back %u times, at the latest after %s",
                   victim->kills, victim->returns, longest);
    fault_evidence(fault, victim->target.name, "during", "crash loop", value,
                   "killed at least once", victim->kills > 0);
}

static void kill_revert(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    for (size_t i = 0; state->striking && i < state->count; i++)
        loop_evidence(fault, &state->victims[i]);
    state->striking = false;
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

/* --- coming back --- */

static bool back_in_time(const struct fault *fault, const struct fault_victim *victim)
{
    return victim->back && victim->back_after.ns <= fault_spec_of(fault)->kill.restart_within.ns;
}

static void back_evidence(struct fault *fault, const struct fault_victim *victim)
{
    char took[BASE_DUR_TEXT];
    char limit[BASE_DUR_TEXT];
    char value[160];
    char expected[96];
    base_dur_format_brief(victim->back ? victim->back_after : fault_victim_since(victim), took);
    base_dur_format(fault_spec_of(fault)->kill.restart_within, limit);
    if (victim->back)
        (void)snprintf(value, sizeof value, "pid %d ready after %s", (int)victim->next.pid, took);
    else
        (void)snprintf(value, sizeof value, "no new process ready after %s", took);
    (void)snprintf(expected, sizeof expected, "a new process ready within %s", limit);
    bool ok = back_in_time(fault, victim);
    fault_evidence(fault, victim->target.name, "after", "process", value, expected, ok);
    if (ok)
        return;
    BASE_AUTO_FREE char *message =
        base_str_printf("%s: %s, expected %s; see its log", victim->target.name, value, expected);
    fault_note_error(fault, message);
}

/* Our part is over either way: a signal cannot be taken back. */
static void finish_gone(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    state->waits_back = false;
    io_timer_stop(&state->poll);
    for (size_t i = 0; i < state->count; i++)
        back_evidence(fault, &state->victims[i]);
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static bool all_are_back(const struct fault *fault, bool *patience)
{
    const struct kill_state *state = fault_state_of(fault);
    bool all = true;
    *patience = false;
    for (size_t i = 0; i < state->count; i++) {
        const struct fault_victim *victim = &state->victims[i];
        all = all && victim->back;
        *patience = *patience ||
                    (!victim->back &&
                     fault_victim_since(victim).ns <= fault_spec_of(fault)->kill.restart_within.ns);
    }
    return all;
}

static void check_back(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    bool patience = false;
    for (size_t i = 0; i < state->count; i++) {
        struct fault_victim *victim = &state->victims[i];
        if (!state->waits_back)
            fault_victim_press(victim, fault_spec_of(fault)->kill.grace);
        /* One that a crash loop struck just now may be on its way out still. */
        bool settled = kill_is_instant(fault_spec_of(fault)) || victim->pidfd < 0 ||
                       fault_victim_since(victim).ns >= settle_ms * BASE_NS_PER_MS;
        fault_victim_look(victim, state->waits_back && settled);
        strike_again(fault, victim);
    }
    bool all = all_are_back(fault, &patience);
    bool halted = fault_is_halted(fault); /* nobody is to wait for a restart */
    if (state->waits_back && (all || !patience || halted))
        finish_gone(fault);
    else if (!all || state->waits_back || state->striking)
        io_timer_start(&state->poll, base_dur_ms(poll_ms));
}

static void on_poll(void *ctx)
{
    check_back(ctx);
}

static void kill_gone(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    state->waits_back = true;
    check_back(fault);
}

static void kill_nothing(struct fault *fault)
{
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

/* --- housekeeping --- */

static struct dur_ns kill_deadline(const struct fault *fault, enum fault_step step)
{
    struct dur_ns within = fault_spec_of(fault)->kill.restart_within;
    struct dur_ns grace = fault_spec_of(fault)->kill.grace;
    if (step == FAULT_STEP_VERIFY)
        return (struct dur_ns){grace.ns +
                               (within.ns > 5 * BASE_NS_PER_S ? within.ns : 5 * BASE_NS_PER_S)};
    if (step == FAULT_STEP_VERIFY_GONE)
        return (struct dur_ns){within.ns + 5 * BASE_NS_PER_S}; /* ends by itself before */
    return (struct dur_ns){0};
}

static void kill_late(struct fault *fault, enum fault_step step)
{
    const struct kill_state *state = fault_state_of(fault);
    for (size_t i = 0; step == FAULT_STEP_VERIFY && i < state->count; i++)
        exit_evidence(fault, &state->victims[i]);
}

static void kill_cancel(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    state->waits_exit = false;
    state->waits_back = false;
}

static void kill_close(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++)
        fault_victim_fini(&state->victims[i]);
    io_timer_fini(&state->poll);
    free(state->victims);
    free(state);
    fault_set_state(fault, NULL);
}

static struct kill_state *state_new(struct fault *fault, size_t count)
{
    struct kill_state *state = base_calloc(1, sizeof *state);
    state->victims = base_calloc(count, sizeof *state->victims);
    state->count = count;
    for (size_t i = 0; i < count; i++) {
        state->victims[i].on_exit = on_victim_exit;
        state->victims[i].ctx = fault;
        state->victims[i].pidfd = -1;
    }
    io_timer_init(&state->poll, fault_env_of(fault)->loop, on_poll, fault);
    fault_set_state(fault, state);
    return state;
}

static json_t *kill_undo(const struct fault *fault)
{
    const struct kill_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++) {
        const struct fault_victim *victim = &state->victims[i];
        json_t *one = json_object();
        json_object_set_new(one, "target", fault_target_to_json(&victim->target));
        json_object_set_new(one, "process", fault_process_to_json(&victim->process));
        json_array_append_new(list, one);
    }
    return list;
}

static bool kill_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct kill_state *state = state_new(fault, json_array_size(undo));
    for (size_t i = 0; i < state->count; i++) {
        const json_t *one = json_array_get(undo, i);
        struct fault_victim *victim = &state->victims[i];
        victim->struck = base_mono_now(); /* the true time is lost with the agent that died */
        if (!fault_target_from_json(json_object_get(one, "target"), &victim->target, err) ||
            !fault_process_from_json(json_object_get(one, "process"), &victim->process, err))
            return false;
    }
    return true;
}

const struct fault_ops fault_kill_ops = {
    .host = kill_host,
    .capabilities = UINT64_C(1) << CAP_KILL,
    .open = kill_open,
    .undo = kill_undo,
    .reopen = kill_reopen,
    .step = {[FAULT_STEP_PREPARE] = kill_prepare,
             [FAULT_STEP_APPLY] = kill_apply,
             [FAULT_STEP_VERIFY] = kill_verify,
             [FAULT_STEP_RENEW] = kill_nothing,
             [FAULT_STEP_REVERT] = kill_revert,
             [FAULT_STEP_VERIFY_GONE] = kill_gone},
    .deadline = kill_deadline,
    .late = kill_late,
    .cancel = kill_cancel,
    .close = kill_close,
    .instant = kill_is_instant,
};
