/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu and memory: workers of ours in the target's control groups take processor time or memory from
 * it (strain.h). They are satellites: they end by themselves when the lease lapses or the agent is
 * no more. Proven by what the kernel accounts to them; over when none of them is in the group. A
 * worker that was killed, by the kernel for want of memory say, ends the fault as failed, with what
 * the group counts of such kills.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "crew.h"
#include "engine.h"
#include "group.h"
#include "step.h"
#include "strain.h"
#include "undo.h"
#include "usage.h"

enum {
    poll_ms = 25,
    window_ms = 400, /* in which processor time is measured */
    smallest_margin_mib = 256
};
static const double margin_share = 0.1; /* of the host's memory: never taken */
/* A worker on a busy machine, or in a group with a quota, gets less than it tries to: then it
 * waits, which takes from the others as well. More than asked is wrong anywhere. */
static const double cpu_least = 0.5, cpu_most = 1.2;
static const double memory_least = 0.95, memory_most = 1.05;
static const double own_pages = 4 * 1048576; /* of the worker: its stack, what it writes to */

struct subject { /* one target */
    struct fault *fault;
    struct fault_target target;
    struct fault_process process;
    struct fault_strain strain;
    struct fault_crew *crew;
    uint64_t kills_before; /* by the OOM killer, in its groups */
    int64_t time_before;   /* of the processor, at the start of the window */
    int64_t delay_before;
    uint64_t inherited; /* pages that a worker has from its parent, charged to that one */
};

struct stress_state {
    struct subject *subjects;
    size_t count;
    enum fault_step round;
    bool waits; /* a step, for the workers' word */
    struct mono_ns began;
    struct mono_ns window;
    struct io_timer poll;
};

static bool is_memory(const struct fault *fault)
{
    return fault_spec_of(fault)->kind == FAULT_MEMORY;
}

static bool stress_platform(const struct topo *topo, struct base_error *err)
{
    for (size_t s = 0; s < topo->service_count; s++)
        for (size_t i = 0; i < topo->services[s].instance_count; i++)
            if (topo->services[s].instances[i].cgroup != NULL ||
                topo->services[s].instances[i].find_by != NULL)
                return true;
    return base_fail(err, BASE_UNAVAILABLE,
                     "cpu and memory need instances with a control group of their own, so that "
                     "nobody else is hit: the platform \"%s\" has none",
                     topo->name);
}

/* --- resolving --- */

static void on_poll(void *ctx);

static struct stress_state *state_new(struct fault *fault, size_t count)
{
    struct stress_state *state = base_calloc(1, sizeof *state);
    state->subjects = base_calloc(count, sizeof *state->subjects);
    state->count = count;
    for (size_t i = 0; i < count; i++)
        state->subjects[i].fault = fault;
    io_timer_init(&state->poll, fault_env_of(fault)->loop, on_poll, fault);
    fault_set_state(fault, state);
    return state;
}

static bool stress_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct stress_state *state = state_new(fault, spec->target_count);
    if (is_memory(fault) && (spec->memory.bytes > 0) == (spec->memory.percent > 0))
        return base_fail(err, BASE_INVALID, "memory takes either bytes or a percentage");
    for (size_t i = 0; i < state->count; i++) {
        const struct fault_target *target = &state->subjects[i].target;
        if (!fault_target_resolve(topo, spec->targets[i], &state->subjects[i].target, err))
            return false;
        if (target->cgroup == NULL)
            return base_fail(err, BASE_UNAVAILABLE,
                             "%s has no control group of its own%s%s: others on this host would be "
                             "hit",
                             target->name, target->shared != NULL ? ", " : "",
                             target->shared != NULL ? target->shared : "");
    }
    return true;
}

/* --- how much they take --- */

static bool plan_memory(struct subject *subject, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(subject->fault);
    struct fault_strain *strain = &subject->strain;
    uint64_t total = fault_meminfo("MemTotal");
    uint64_t available = fault_meminfo("MemAvailable");
    if (total == 0 || available == 0)
        return base_fail_errno(err, "cannot read /proc/meminfo");
    strain->margin = (uint64_t)((double)total * margin_share);
    if (strain->margin < UINT64_C(1048576) * smallest_margin_mib)
        strain->margin = UINT64_C(1048576) * smallest_margin_mib;
    strain->bytes =
        spec->memory.bytes > 0
            ? (uint64_t)spec->memory.bytes
            : (uint64_t)((double)fault_usage_limit(subject->target.cgroup, subject->process.pid) *
                         spec->memory.percent);
    strain->rate = (uint64_t)spec->memory.rate;
    if (strain->bytes > available || available - strain->bytes < strain->margin)
        return base_fail(err, BASE_LIMIT,
                         "%llu MiB would leave this host, which has %llu MiB available, less than "
                         "the %llu MiB that are never taken; ask for less",
                         (unsigned long long)(strain->bytes >> 20),
                         (unsigned long long)(available >> 20),
                         (unsigned long long)(strain->margin >> 20));
    double need_s = (double)strain->bytes / (double)strain->rate;
    return need_s <= base_dur_to_s(spec->lease) * 0.6 ||
           base_fail(err, BASE_INVALID,
                     "at this rate the memory is filled after %.1f s, too late for a lease of "
                     "%.1f s: raise the rate or the lease",
                     need_s, base_dur_to_s(spec->lease));
}

static bool workers_evidence(struct subject *subject, size_t wanted,
                             const struct fault_usage *tally)
{
    const struct stress_state *state = fault_state_of(subject->fault);
    char value[96];
    char expected[32];
    bool ok = tally->workers == wanted;
    if (is_memory(subject->fault))
        (void)snprintf(value, sizeof value, "%zu, all in it hold %.1f MiB", tally->workers,
                       (double)tally->all_bytes / 1048576);
    else
        (void)snprintf(value, sizeof value, "%zu beside %zu other processes", tally->workers,
                       tally->others);
    (void)snprintf(expected, sizeof expected, "%zu", wanted);
    fault_evidence(subject->fault, subject->target.name, fault_step_when(state->round),
                   "workers in its group", value, expected, ok);
    return ok;
}

/* --- the workers --- */

static void on_crew_held(void *ctx)
{
    const struct subject *subject = ctx;
    struct stress_state *state = fault_state_of(subject->fault);
    for (size_t i = 0; i < state->count; i++)
        if (state->subjects[i].crew == NULL || !fault_crew_holds(state->subjects[i].crew))
            return;
    fault_step_held(subject->fault, &state->waits);
}

static void on_crew_lost(void *ctx)
{
    const struct subject *subject = ctx;
    struct stress_state *state = fault_state_of(subject->fault);
    struct base_error err = {0};
    bool lapsed = fault_effect_left(subject->fault).ns <= 0;
    uint64_t kills =
        fault_usage_oom_kills(subject->target.cgroup, subject->process.pid) - subject->kills_before;
    (void)base_fail(&err, BASE_UNAVAILABLE,
                    kills > 0 ? "%s: a worker was killed for want of memory (oom_kill of its group "
                                "rose by %llu)"
                              : "%s: a worker has ended (oom_kill of its group rose by %llu)",
                    subject->target.name, (unsigned long long)kills);
    fault_step_lost(subject->fault, &state->waits, lapsed, &err);
}

static bool works(const struct subject *subject)
{
    return subject->crew != NULL && !fault_crew_stopped(subject->crew);
}

static void on_crew_stopped(void *ctx)
{
    const struct subject *subject = ctx;
    const struct stress_state *state = fault_state_of(subject->fault);
    for (size_t i = 0; i < state->count; i++)
        if (works(&state->subjects[i]))
            return;
    fault_step_done(subject->fault, FAULT_OUTCOME_OK, NULL);
}

static bool crew_begin(struct subject *subject, struct base_error *err)
{
    struct fault *fault = subject->fault;
    bool memory = is_memory(fault);
    struct fault_crew_spec spec = {
        .name = FAULT_WORKER,
        .run = memory ? fault_strain_memory : fault_strain_cpu,
        .run_ctx = &subject->strain,
        .keep = subject->strain.groups,
        .keep_count = subject->strain.group_count,
        .count = memory ? 1 : (size_t)fault_spec_of(fault)->cpu.workers,
        .on_held = on_crew_held,
        .on_lost = on_crew_lost,
        .on_stopped = on_crew_stopped,
        .ctx = subject,
    };
    subject->inherited = fault_usage_bytes(getpid());
    subject->crew =
        fault_crew_start(fault_env_of(fault)->loop, &spec, fault_effect_left(fault), err);
    return subject->crew != NULL;
}

/* --- measuring the effect --- */

static bool cpu_shown(struct subject *subject, const struct fault_usage *tally,
                      struct dur_ns window)
{
    const struct fault_spec *spec = fault_spec_of(subject->fault);
    double asked = (double)spec->cpu.workers * spec->cpu.load * 100;
    double got = (double)(tally->time_ns - subject->time_before) / (double)window.ns * 100;
    double waited = (double)(tally->delay_ns - subject->delay_before) / (double)window.ns * 100;
    char value[96];
    char expected[96];
    bool ok = got > 0 && got + waited >= asked * cpu_least && got <= asked * cpu_most;
    (void)snprintf(value, sizeof value, "%.1f %% of a processor, waited %.1f %% for one", got,
                   waited);
    (void)snprintf(expected, sizeof expected,
                   "%.1f %%: at least %.1f %% with the waiting, at most "
                   "%.1f %% without",
                   asked, asked * cpu_least, asked * cpu_most);
    fault_evidence(subject->fault, subject->target.name, "during", "processor time of its workers",
                   value, expected, ok);
    return ok;
}

static bool memory_shown(struct subject *subject, const struct fault_usage *tally, bool record)
{
    double asked = (double)subject->strain.bytes;
    double got =
        tally->bytes > subject->inherited ? (double)(tally->bytes - subject->inherited) : 0;
    bool ok = got >= asked * memory_least && got <= asked * memory_most + own_pages;
    if (record) {
        char value[64];
        char expected[96];
        (void)snprintf(value, sizeof value, "%.1f MiB", got / 1048576);
        (void)snprintf(expected, sizeof expected, "%.1f MiB: %.1f to %.1f MiB", asked / 1048576,
                       asked * memory_least / 1048576, (asked * memory_most + own_pages) / 1048576);
        fault_evidence(subject->fault, subject->target.name, "during", "memory of its worker",
                       value, expected, ok);
    }
    return ok;
}

static size_t crew_wanted(const struct subject *subject)
{
    return subject->crew != NULL ? fault_crew_count(subject->crew) : 0;
}

static void verify_finish(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    struct dur_ns window = base_mono_sub(base_mono_now(), state->window);
    struct base_error err = {0};
    bool ok = true;
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        struct fault_usage tally = fault_usage_of(subject->target.cgroup);
        bool shown = workers_evidence(subject, crew_wanted(subject), &tally);
        shown = (is_memory(fault) ? memory_shown(subject, &tally, true)
                                  : cpu_shown(subject, &tally, window)) &&
                shown;
        if (!shown && ok)
            ok = base_fail(&err, BASE_UNAVAILABLE,
                           "%s: the measured effect is not what was asked for; see the evidence",
                           subject->target.name);
    }
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_NO_EFFECT, &err);
}

static bool memory_is_full(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++) {
        struct fault_usage tally = fault_usage_of(state->subjects[i].target.cgroup);
        if (!memory_shown(&state->subjects[i], &tally, false))
            return false;
    }
    return true;
}

static struct dur_ns patience_of(const struct fault *fault)
{
    struct dur_ns lease = fault_spec_of(fault)->lease;
    int64_t window = window_ms * BASE_NS_PER_MS;
    if (is_memory(fault))
        return (struct dur_ns){lease.ns / 5 * 4};
    return (struct dur_ns){window < lease.ns / 3 ? window : lease.ns / 3};
}

/* --- measuring the absence --- */

static bool none_is_left(struct fault *fault, bool record, struct base_error *err)
{
    struct stress_state *state = fault_state_of(fault);
    bool ok = true;
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        struct fault_usage tally = fault_usage_of(subject->target.cgroup);
        if (tally.workers > 0)
            ok = base_fail(err, BASE_IO, "%s: %zu of our workers are still in %s",
                           subject->target.name, tally.workers, subject->target.cgroup);
        if (record)
            (void)workers_evidence(subject, 0, &tally);
    }
    return ok;
}

static void on_poll(void *ctx)
{
    struct fault *fault = ctx;
    struct stress_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool patient = base_mono_sub(base_mono_now(), state->began).ns < patience_of(fault).ns;
    if (state->round == FAULT_STEP_VERIFY) {
        if (patient && !(is_memory(fault) && memory_is_full(fault)))
            io_timer_start(&state->poll, base_dur_ms(poll_ms));
        else
            verify_finish(fault);
    } else if (none_is_left(fault, false, NULL)) {
        (void)none_is_left(fault, true, &err);
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
    } else {
        io_timer_start(&state->poll, base_dur_ms(poll_ms)); /* until the deadline */
    }
}

/* --- the steps --- */

/* On a host with v1 controllers the workers join those of the process, too (strain.h). */
static bool is_alone(const struct subject *subject, struct base_error *err)
{
    static const char *const controllers[] = {"cpu", "cpuacct", "cpuset", "memory"};
    for (size_t i = 0; i < sizeof controllers / sizeof *controllers; i++) {
        BASE_AUTO_FREE char *group = fault_group_v1(subject->process.pid, controllers[i]);
        if (group != NULL && !fault_target_alone(&subject->target, group, err))
            return false;
    }
    return true;
}

static bool subject_prepare(struct subject *subject, struct base_error *err)
{
    const struct fault_target *target = &subject->target;
    if (target->status_file != NULL && !fault_target_process(target, &subject->process, NULL, err))
        return false;
    if (!is_alone(subject, err) ||
        !fault_group_check(target->cgroup, target->name, subject->process.pid, err) ||
        !fault_strain_open(&subject->strain, target->cgroup, subject->process.pid, err))
        return false;
    struct fault_usage tally = fault_usage_of(subject->target.cgroup);
    if (!workers_evidence(subject, 0, &tally))
        return base_fail(err, BASE_UNAVAILABLE, "%s has workers of another fault in its group",
                         target->name);
    subject->kills_before = fault_usage_oom_kills(target->cgroup, subject->process.pid);
    if (is_memory(subject->fault))
        return plan_memory(subject, err);
    subject->strain.load = fault_spec_of(subject->fault)->cpu.load;
    return true;
}

static void stress_prepare(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    state->round = FAULT_STEP_PREPARE;
    for (size_t i = 0; ok && i < state->count; i++)
        ok = subject_prepare(&state->subjects[i], &err);
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

static void stress_apply(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->waits = true;
    for (size_t i = 0; i < state->count; i++) {
        if (crew_begin(&state->subjects[i], &err))
            continue;
        state->waits = false;
        (void)base_fail_context(&err, "%s", state->subjects[i].target.name);
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
        return;
    }
}

static void stress_verify(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    state->round = FAULT_STEP_VERIFY;
    state->began = state->window = base_mono_now();
    for (size_t i = 0; i < state->count; i++) {
        struct fault_usage usage = fault_usage_of(state->subjects[i].target.cgroup);
        state->subjects[i].time_before = usage.time_ns;
        state->subjects[i].delay_before = usage.delay_ns;
    }
    on_poll(fault);
}

static void stress_renew(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->waits = true;
    for (size_t i = 0; i < state->count; i++) {
        struct fault_crew *crew = state->subjects[i].crew;
        if (fault_crew_renew(crew, fault_effect_left(fault), &err))
            continue;
        state->waits = false;
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
        return;
    }
}

static void crew_stop_all(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++)
        if (works(&state->subjects[i]))
            fault_crew_stop(state->subjects[i].crew);
}

static void stress_revert(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    bool waits = false;
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        if (subject->crew == NULL)
            fault_usage_strike(subject->target.cgroup); /* those of an agent that died */
        waits = waits || works(subject);
    }
    if (waits)
        crew_stop_all(fault);
    else
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void stress_gone(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    state->round = FAULT_STEP_VERIFY_GONE;
    on_poll(fault);
}

/* --- housekeeping --- */

static void stress_late(struct fault *fault, enum fault_step step)
{
    struct stress_state *state = fault_state_of(fault);
    if (step == FAULT_STEP_VERIFY_GONE) {
        struct base_error err = {0};
        (void)none_is_left(fault, true, &err);
    }
    state->waits = false;
}

static void stress_cancel(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    io_timer_stop(&state->poll);
    state->waits = false;
}

static void stress_close(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        fault_crew_free(subject->crew);
        fault_strain_close(&subject->strain);
        fault_target_fini(&subject->target);
    }
    io_timer_fini(&state->poll);
    free(state->subjects);
    free(state);
    fault_set_state(fault, NULL);
}

static json_t *stress_undo(const struct fault *fault)
{
    const struct stress_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++) {
        json_t *one = json_object();
        json_object_set_new(one, "target", fault_target_to_json(&state->subjects[i].target));
        json_array_append_new(list, one);
    }
    return list;
}

static bool stress_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct stress_state *state = state_new(fault, json_array_size(undo));
    for (size_t i = 0; i < state->count; i++) {
        const json_t *one = json_array_get(undo, i);
        struct fault_target *target = &state->subjects[i].target;
        if (!fault_target_from_json(json_object_get(one, "target"), target, err))
            return false;
        if (target->cgroup == NULL)
            return base_fail(err, BASE_CORRUPT, "undo: %s has no control group", target->name);
    }
    return true;
}

#define STRESS_OPS                                                                                 \
    {                                                                                              \
        .platform = stress_platform, .open = stress_open, .undo = stress_undo,                     \
        .place = FAULT_PLACE_GROUP, .reopen = stress_reopen,                                       \
        .step = {[FAULT_STEP_PREPARE] = stress_prepare, [FAULT_STEP_APPLY] = stress_apply,         \
                 [FAULT_STEP_VERIFY] = stress_verify,   [FAULT_STEP_RENEW] = stress_renew,         \
                 [FAULT_STEP_REVERT] = stress_revert,   [FAULT_STEP_VERIFY_GONE] = stress_gone},   \
        .deadline = fault_step_deadline, .late = stress_late, .cancel = stress_cancel,             \
        .close = stress_close,                                                                     \
    }
const struct fault_ops fault_cpu_ops = STRESS_OPS;
const struct fault_ops fault_memory_ops = STRESS_OPS;
