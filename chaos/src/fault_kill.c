/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill: a signal to the instance's process through a pidfd, which never hits a recycled pid
 * (pidfd_open(2)). Proven by the pidfd reporting the exit; over when the instance's statusFile
 * shows a new process that is ready. Nothing of ours stays in place: an instance that does not come
 * back is the platform's failure, recorded as evidence that is not ok and as an error, and never
 * mended or hidden here.
 */
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "engine.h"
#include "resolve.h"
#include "undo.h"

enum { poll_ms = 25 }; /* how finely the time to ready is known */

struct victim {
    struct fault *fault;
    struct fault_target target;
    struct fault_process process;
    int pidfd;
    struct io_watch watch;
    bool exited;
    struct dur_ns exited_after;
    bool back; /* a new process is ready */
    struct fault_process next;
    struct dur_ns back_after;
};

struct kill_state {
    struct victim *victims;
    size_t count;
    struct mono_ns signalled;
    struct io_timer poll;
    bool waits_exit; /* the verify step is under way */
    bool waits_back; /* the verify-gone step is under way */
};

static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0U);
}

static bool kill_host(struct base_error *err)
{
    int fd = open_pidfd(getpid());
    if (fd < 0)
        return base_fail_errno(err, "kill needs pidfd_open(2), Linux 5.3");
    base_fd_close(&fd);
    return true;
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
    struct kill_state *state = state_new(fault, spec->target_count);
    for (size_t i = 0; i < state->count; i++)
        if (!fault_target_resolve(topo, spec->targets[i], &state->victims[i].target, err))
            return false;
    return true;
}

/* --- before --- */

static bool victim_prepare(struct victim *victim, struct base_error *err)
{
    BASE_AUTO_FREE char *word = NULL;
    char value[128];
    if (!fault_target_process(&victim->target, &victim->process, &word, err))
        return false;
    bool alive = fault_process_alive(&victim->process);
    bool ready = base_str_eq(word, "ready");
    (void)snprintf(value, sizeof value, "pid %d %s, %s", (int)victim->process.pid,
                   alive ? "alive" : "not alive", word);
    fault_evidence(victim->fault, victim->target.name, "before", "process", value,
                   "alive and ready", alive && ready);
    if (!alive || !ready)
        return base_fail(err, BASE_UNAVAILABLE,
                         "%s is not up (%s): killing it would show nothing; wait until it is ready",
                         victim->target.name, value);
    victim->pidfd = open_pidfd(victim->process.pid);
    if (victim->pidfd < 0)
        return base_fail_errno(err, "cannot open process %d of %s", (int)victim->process.pid,
                               victim->target.name);
    /* Only a process that was the right one after the pidfd was made is the one it refers to. */
    if (!fault_process_alive(&victim->process))
        return base_fail(err, BASE_UNAVAILABLE, "%s has just exited by itself",
                         victim->target.name);
    return true;
}

static void kill_prepare(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    struct base_error err = {0};
    for (size_t i = 0; i < state->count; i++) {
        if (!victim_prepare(&state->victims[i], &err)) {
            fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
            return;
        }
    }
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

/* --- the signal, and the exit --- */

static struct dur_ns since_signal(const struct kill_state *state)
{
    return base_mono_sub(base_mono_now(), state->signalled);
}

static void format_ms(struct dur_ns d, char out[static BASE_DUR_TEXT])
{
    base_dur_format(base_dur_ms(base_dur_to_ms(d)), out);
}

static void exit_evidence(struct fault *fault, const struct victim *victim)
{
    char took[BASE_DUR_TEXT];
    char value[128];
    format_ms(victim->exited_after, took);
    if (victim->exited)
        (void)snprintf(value, sizeof value, "pid %d exited after %s", (int)victim->process.pid,
                       took);
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

static void on_exit_seen(void *ctx, unsigned events)
{
    (void)events;
    struct victim *victim = ctx;
    struct kill_state *state = fault_state_of(victim->fault);
    victim->exited = true;
    victim->exited_after = since_signal(state);
    io_watch_set(&victim->watch, 0);
    check_exits(victim->fault);
}

static void kill_apply(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    struct base_error err = {0};
    int number = fault_spec_of(fault)->kill.signal;
    state->signalled = base_mono_now();
    io_timer_start(&state->poll, base_dur_ms(poll_ms));
    for (size_t i = 0; i < state->count; i++) {
        struct victim *victim = &state->victims[i];
        io_watch_init(&victim->watch, fault_env_of(fault)->loop, victim->pidfd, on_exit_seen,
                      victim);
        io_watch_set(&victim->watch, IO_READ);
        if (syscall(SYS_pidfd_send_signal, victim->pidfd, number, NULL, 0U) < 0) {
            (void)base_fail_errno(&err, "cannot send signal %d to process %d of %s", number,
                                  (int)victim->process.pid, victim->target.name);
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

/* --- coming back --- */

static void look_for_next(struct victim *victim, const struct kill_state *state)
{
    char *word = NULL;
    struct fault_process now = {0};
    /* The file is replaced atomically; one that cannot be read counts as not ready yet. */
    if (!fault_target_process(&victim->target, &now, &word, NULL))
        return;
    bool ready = base_str_eq(word, "ready") && fault_process_alive(&now);
    free(word);
    bool same = now.pid == victim->process.pid && now.start_ticks == victim->process.start_ticks;
    /* The old process may only count when it is to be shown that nothing is left of a kill that
     * never hit: a signal that was ignored, or an agent that died before it sent one. */
    if (!ready || (same && (victim->exited || !state->waits_back)))
        return;
    victim->back = true;
    victim->next = now;
    victim->back_after = since_signal(state);
}

static bool back_in_time(const struct fault *fault, const struct victim *victim)
{
    return victim->back && victim->back_after.ns <= fault_spec_of(fault)->kill.restart_within.ns;
}

static void back_evidence(struct fault *fault, const struct victim *victim)
{
    struct kill_state *state = fault_state_of(fault);
    char took[BASE_DUR_TEXT];
    char limit[BASE_DUR_TEXT];
    char value[160];
    char expected[96];
    format_ms(victim->back ? victim->back_after : since_signal(state), took);
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

static void check_back(struct fault *fault)
{
    struct kill_state *state = fault_state_of(fault);
    bool all = true;
    bool patience = since_signal(state).ns <= fault_spec_of(fault)->kill.restart_within.ns;
    for (size_t i = 0; i < state->count; i++) {
        if (!state->victims[i].back)
            look_for_next(&state->victims[i], state);
        all = all && state->victims[i].back;
    }
    bool halted = fault_is_halted(fault); /* nobody is to wait for a restart */
    if (state->waits_back && (all || !patience || halted))
        finish_gone(fault);
    else if (!all || state->waits_back)
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
    if (step == FAULT_STEP_VERIFY)
        return within.ns > 5 * BASE_NS_PER_S ? within : base_dur_s(5);
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
    for (size_t i = 0; i < state->count; i++) {
        io_watch_fini(&state->victims[i].watch);
        base_fd_close(&state->victims[i].pidfd);
        fault_target_fini(&state->victims[i].target);
    }
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
        state->victims[i].fault = fault;
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
        const struct victim *victim = &state->victims[i];
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
    state->signalled = base_mono_now(); /* the true time is lost with the agent that died */
    for (size_t i = 0; i < state->count; i++) {
        const json_t *one = json_array_get(undo, i);
        struct victim *victim = &state->victims[i];
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
             [FAULT_STEP_REVERT] = kill_nothing,
             [FAULT_STEP_VERIFY_GONE] = kill_gone},
    .deadline = kill_deadline,
    .late = kill_late,
    .cancel = kill_cancel,
    .close = kill_close,
    .instant = true,
};
