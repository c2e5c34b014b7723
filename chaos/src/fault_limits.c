/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits: the target can open no more than so many files, or have no more than so many processes
 * (limit.h). The kernel has no timeout for that, so a watchdog (watchdog.h) puts back what was,
 * which the journal holds too. Proven by reading back what the kernel has; where the target has as
 * many files open as it may, also by its silence: it can accept no connection. Over when the kernel
 * has again what it had before.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "confine.h"
#include "engine.h"
#include "group.h"
#include "inquiry.h"
#include "limit.h"
#include "step.h"
#include "undo.h"
#include "watchdog.h"

enum { poll_ms = 20, patience_ms = 300, fds_each = 2 };

struct subject { /* one target */
    struct fault *fault;
    struct fault_target target;
    struct fault_process process;
    struct fault_limit limit;
    double files_share; /* of which limit.files is made; 0: it is given */
    double pids_share;
    char *pids_group; /* NULL: none, or not asked for */
    size_t again;     /* how often more it is asked when it has answered */
};

struct limits_state {
    struct subject *subjects;
    size_t count;
    enum fault_step round;
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
    const struct fault_spec *spec = fault_spec_of(fault);
    state->subjects = base_calloc(count, sizeof *state->subjects);
    state->count = count;
    for (size_t i = 0; i < count; i++) {
        state->subjects[i].fault = fault;
        state->subjects[i].limit = (struct fault_limit){
            .files = spec->limits.files, .pids = spec->limits.pids, .members = -1, .pids_fd = -1};
        state->subjects[i].files_share = spec->limits.files_share;
        state->subjects[i].pids_share = spec->limits.pids_share;
    }
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

/* --- what the kernel has --- */

static bool read_pids(const struct subject *subject, char out[static FAULT_LIMIT_TEXT],
                      struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, FAULT_LIMIT_TEXT);
    if (!fault_group_read(subject->pids_group, "pids.max", &buf, err))
        return false;
    (void)snprintf(out, FAULT_LIMIT_TEXT, "%s", buf.data);
    return true;
}

static void say(struct subject *subject, const char *metric, const char *value,
                const char *expected, bool ok)
{
    const struct limits_state *state = fault_state_of(subject->fault);
    fault_evidence(subject->fault, subject->target.name, fault_step_when(state->round), metric,
                   value, expected, ok);
}

static bool pids_as_wanted(struct subject *subject, bool lowered, bool record)
{
    char now[FAULT_LIMIT_TEXT] = "gone with its group";
    char wanted[FAULT_LIMIT_TEXT];
    struct base_error err = {0};
    bool there = read_pids(subject, now, &err);
    (void)snprintf(wanted, sizeof wanted, "%lld", (long long)subject->limit.pids);
    const char *expected = lowered ? wanted : subject->limit.pids_old;
    bool ok = there ? base_str_eq(now, expected) : !lowered && err.code == BASE_NOT_FOUND;
    if (record)
        say(subject, "pids.max of its group", now, expected, ok);
    return ok;
}

static bool files_as_wanted(struct subject *subject, bool lowered, bool record)
{
    const struct fault_limit *limit = &subject->limit;
    size_t count = fault_limit_lowered(limit, subject->target.cgroup);
    uint64_t soft = 0;
    bool own = fault_process_alive(&subject->process) &&
               fault_limit_soft(subject->process.pid, &soft) && soft == (uint64_t)limit->files;
    bool ok = lowered ? own : count == 0;
    if (record) {
        char value[64];
        char expected[64];
        (void)snprintf(value, sizeof value, "%zu with a limit of %lld", count,
                       (long long)limit->files);
        (void)snprintf(expected, sizeof expected, lowered ? "%d among them" : "none",
                       (int)subject->process.pid);
        say(subject, "processes, by their limit on open files", value, expected, ok);
    }
    return ok;
}

static bool as_wanted(struct fault *fault, bool lowered, bool record)
{
    struct limits_state *state = fault_state_of(fault);
    bool ok = true;
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        if (subject->limit.files >= 0)
            ok = files_as_wanted(subject, lowered, record) && ok;
        if (subject->limit.pids >= 0)
            ok = pids_as_wanted(subject, lowered, record) && ok;
    }
    return ok;
}

/* --- whether it can still accept --- */

/* The lowest number that is free is the one that the next file would get. */
static bool has_none_to_spare(const struct subject *subject)
{
    BASE_AUTO_FREE char *place = base_str_printf("/proc/%d/fd", (int)subject->process.pid);
    DIR *dir = opendir(place);
    int64_t open_below = 0;
    if (dir == NULL || subject->limit.files < 0) {
        if (dir != NULL)
            (void)closedir(dir);
        return false;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        uint64_t number = 0;
        if (base_parse_u64(entry->d_name, &number) && number < (uint64_t)subject->limit.files)
            open_below++;
    }
    (void)closedir(dir);
    return open_below >= subject->limit.files;
}

/* accept(2) takes the descriptor's number before it waits: each thread that was in it when the
 * limit was lowered answers once more. */
static bool ask_again(struct fault *fault, bool *asked, struct base_error *err)
{
    struct limits_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        if (!fault_inquiry_result(state->inquiry, i)->answered || subject->again == 0 ||
            !has_none_to_spare(subject))
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
    bool ok = as_wanted(fault, true, true);
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        bool answered = fault_inquiry_result(state->inquiry, i)->answered;
        if (!has_none_to_spare(subject))
            continue;
        say(subject, "connection when no more files can be opened",
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
    state->round = FAULT_STEP_VERIFY;
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

/* What a share of the limit in force comes to, for the record, too. */
static bool take_share(struct subject *subject, const char *metric, const char *now, double share,
                       int64_t *out, struct base_error *err)
{
    char value[64];
    char expected[64];
    if (!fault_limit_part(now, share, out, err))
        return base_fail_context(err, "%s", metric);
    (void)snprintf(value, sizeof value, "%s, %.4g %% of which are %lld", now, share * 100,
                   (long long)*out);
    (void)snprintf(expected, sizeof expected, "more than %lld", (long long)*out);
    say(subject, metric, value, expected, true);
    return true;
}

static bool take_files_share(struct subject *subject, struct base_error *err)
{
    char now[FAULT_LIMIT_TEXT];
    uint64_t soft = 0;
    if (subject->files_share <= 0.0)
        return true;
    if (!fault_limit_soft(subject->process.pid, &soft))
        return base_fail_errno(err, "cannot read the limit on files of process %d",
                               (int)subject->process.pid);
    (void)snprintf(now, sizeof now, soft == UINT64_MAX ? "unlimited" : "%llu",
                   (unsigned long long)soft);
    return take_share(subject, "limit on open files of its process", now, subject->files_share,
                      &subject->limit.files, err);
}

static bool take_pids_share(struct subject *subject, struct base_error *err)
{
    const char *now = subject->limit.pids_old;
    return subject->pids_share <= 0.0 || take_share(subject, "pids.max of its group", now,
                                                    subject->pids_share, &subject->limit.pids, err);
}

static bool find_pids_group(struct subject *subject, struct base_error *err)
{
    const struct fault_target *target = &subject->target;
    if (subject->limit.pids < 0 && subject->pids_share <= 0.0)
        return true;
    subject->pids_group = fault_limit_pids_group(target->cgroup, subject->process.pid);
    if (subject->pids_group == NULL)
        return base_fail(err, BASE_UNAVAILABLE,
                         "%s is in no control group of its own that could limit its processes (no "
                         "pids.max)%s%s; run it in one (a systemd unit, a container, a pod), and "
                         "name that with \"cgroup\" in the topology, or let the agent find it",
                         target->name, target->shared != NULL ? ": " : "",
                         target->shared != NULL ? target->shared : "");
    return fault_target_alone(target, subject->pids_group, err) &&
           (read_pids(subject, subject->limit.pids_old, err) ||
            base_fail_context(err, "%s", target->name));
}

static bool subject_prepare(struct subject *subject, struct base_error *err)
{
    const struct fault_target *target = &subject->target;
    struct fault_limit *limit = &subject->limit;
    if (!fault_target_process(target, &subject->process, NULL, err))
        return false;
    if (target->cgroup != NULL &&
        !fault_group_check(target->cgroup, target->name, subject->process.pid, err))
        return false;
    if (!find_pids_group(subject, err))
        return false;
    return (take_files_share(subject, err) && take_pids_share(subject, err) &&
            fault_limit_note(limit, &subject->process, target->cgroup, err) &&
            fault_limit_open(limit, target->cgroup, subject->pids_group, err)) ||
           base_fail_context(err, "%s", target->name);
}

static void limits_prepare(struct fault *fault)
{
    struct limits_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    state->round = FAULT_STEP_PREPARE;
    for (size_t i = 0; ok && i < state->count; i++)
        ok = subject_prepare(&state->subjects[i], &err);
    if (ok && !as_wanted(fault, false, true))
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
    if (as_wanted(fault, true, false)) {
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
    if (!as_wanted(fault, false, false)) {
        /* A fork that was under way when the limits were put back has the lowered one still. */
        (void)restore_all(state);
        io_timer_start(&state->poll, base_dur_ms(poll_ms)); /* until the deadline */
        return;
    }
    (void)as_wanted(fault, false, true);
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void limits_gone(struct fault *fault)
{
    struct limits_state *state = fault_state_of(fault);
    state->round = FAULT_STEP_VERIFY_GONE;
    on_poll(fault);
}

/* --- housekeeping --- */

static void limits_late(struct fault *fault, enum fault_step step)
{
    struct limits_state *state = fault_state_of(fault);
    fault_watchdog_cancel(&state->watchdog);
    if (step == FAULT_STEP_VERIFY_GONE)
        (void)as_wanted(fault, false, true);
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
    for (size_t i = 0; i < state->count; i++) {
        fault_limit_close(&state->subjects[i].limit);
        free(state->subjects[i].pids_group);
        fault_target_fini(&state->subjects[i].target);
    }
    io_timer_fini(&state->poll);
    free(state->subjects);
    free(state);
    fault_set_state(fault, NULL);
}

/* --- the journal --- */

static json_t *processes_to_json(const struct fault_limit *limit)
{
    json_t *list = json_array();
    for (size_t i = 0; i < limit->count; i++) {
        json_t *one = fault_process_to_json(&limit->processes[i].process);
        /* As text: "no limit" is more than a JSON number can hold. */
        BASE_AUTO_FREE char *soft =
            base_str_printf("%llu", (unsigned long long)limit->processes[i].soft);
        json_object_set_new(one, "soft", model_json_text(soft));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *limits_undo(const struct fault *fault)
{
    const struct limits_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++) {
        const struct subject *subject = &state->subjects[i];
        json_t *one = json_object();
        json_object_set_new(one, "target", fault_target_to_json(&subject->target));
        json_object_set_new(one, "processes", processes_to_json(&subject->limit));
        json_object_set_new(one, "pidsGroup", model_json_text(subject->pids_group));
        json_object_set_new(one, "pidsMax", model_json_text(subject->limit.pids_old));
        if (subject->files_share > 0.0)
            json_object_set_new(one, "files", json_integer(subject->limit.files));
        if (subject->pids_share > 0.0)
            json_object_set_new(one, "pids", json_integer(subject->limit.pids));
        json_array_append_new(list, one);
    }
    return list;
}

static bool processes_from_json(const json_t *list, struct fault_limit *limit,
                                struct base_error *err)
{
    size_t count = json_array_size(list);
    if (count == 0 || count > FAULT_LIMIT_PROCESSES)
        return base_fail(err, BASE_CORRUPT, "undo: %zu processes cannot be right", count);
    for (; limit->count < count; limit->count++) {
        const json_t *one = json_array_get(list, limit->count);
        struct fault_limit_process *process = &limit->processes[limit->count];
        BASE_AUTO_FREE char *soft = NULL;
        if (!fault_process_from_json(one, &process->process, err) ||
            !model_get_text(one, "undo", "soft", &soft, err))
            return false;
        if (!base_parse_u64(soft, &process->soft))
            return base_fail(err, BASE_CORRUPT, "undo: \"%s\" is no limit", soft);
    }
    return true;
}

static bool subject_reopen(struct subject *subject, const json_t *one, struct base_error *err)
{
    BASE_AUTO_FREE char *old = NULL;
    struct base_error why = {0};
    if (!fault_target_from_json(json_object_get(one, "target"), &subject->target, err) ||
        !processes_from_json(json_object_get(one, "processes"), &subject->limit, err) ||
        !model_get_text_or(one, "undo", "pidsGroup", NULL, &subject->pids_group, err) ||
        !model_get_text(one, "undo", "pidsMax", &old, err) ||
        (subject->files_share > 0.0 &&
         !model_get_i64(one, "undo", "files", 1, INT32_MAX, &subject->limit.files, err)) ||
        (subject->pids_share > 0.0 &&
         !model_get_i64(one, "undo", "pids", 1, INT32_MAX, &subject->limit.pids, err)))
        return false;
    (void)snprintf(subject->limit.pids_old, sizeof subject->limit.pids_old, "%s", old);
    subject->process = subject->limit.processes[0].process;
    if (subject->limit.pids >= 0 && subject->pids_group == NULL)
        return base_fail(err, BASE_CORRUPT, "undo: no group for pids.max");
    /* A group that is gone has no limits. */
    return fault_limit_open(&subject->limit, subject->target.cgroup, subject->pids_group, &why) ||
           why.code == BASE_NOT_FOUND || base_fail(err, why.code, "%s", why.message);
}

static bool limits_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct limits_state *state = state_new(fault, json_array_size(undo));
    for (size_t i = 0; i < state->count; i++)
        if (!subject_reopen(&state->subjects[i], json_array_get(undo, i), err))
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
