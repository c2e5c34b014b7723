/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu, memory and io: workers of ours in the target's control groups take processor time, memory or
 * a disk's time from it (stress.h, strain.h). They are satellites: they end by themselves when the
 * lease lapses or the agent is no more. Proven by what the kernel accounts to them; over when none
 * of them is in the group. A worker that was killed, by the kernel for want of memory say, ends the
 * fault as failed, with what the group counts of such kills.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "group.h"
#include "inside.h"
#include "step.h"
#include "stress.h"
#include "undo.h"

enum { poll_ms = 25 };

struct stress_state {
    struct fault_stress_subject *subjects;
    size_t count;
    enum fault_step round;
    bool waits; /* a step, for the workers' word */
    struct mono_ns began;
    struct mono_ns window;
    struct io_timer poll;
};

static const struct fault_stress_kind *kind_of(const struct fault *fault)
{
    static const struct fault_stress_kind *const kinds[FAULT_KIND_COUNT] = {
        [FAULT_CPU] = &fault_stress_cpu,
        [FAULT_MEMORY] = &fault_stress_memory,
        [FAULT_IO] = &fault_stress_io,
    };
    return kinds[fault_spec_of(fault)->kind];
}

static bool stress_platform(const struct topo *topo, struct base_error *err)
{
    for (size_t s = 0; s < topo->service_count; s++)
        for (size_t i = 0; i < topo->services[s].instance_count; i++)
            if (topo->services[s].instances[i].cgroup != NULL ||
                topo->services[s].instances[i].find_by != NULL)
                return true;
    return base_fail(err, BASE_UNAVAILABLE,
                     "cpu, memory and io need instances with a control group of their own, so that "
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
    for (size_t i = 0; i < state->count; i++) {
        struct fault_stress_subject *subject = &state->subjects[i];
        const struct fault_target *target = &subject->target;
        if (!fault_target_resolve(topo, spec->targets[i], &subject->target, err) ||
            (kind_of(fault)->check != NULL && !kind_of(fault)->check(subject, topo, err)))
            return false;
        if (target->cgroup == NULL)
            return base_fail(err, BASE_UNAVAILABLE,
                             "%s has no control group of its own%s%s: others on this host would be "
                             "hit; run it in one (a systemd unit, a container, a pod), and name "
                             "that with \"cgroup\" in the topology, or let the agent find it",
                             target->name, target->shared != NULL ? ", " : "",
                             target->shared != NULL ? target->shared : "");
    }
    return true;
}

static bool workers_evidence(struct fault_stress_subject *subject, size_t wanted)
{
    const struct stress_state *state = fault_state_of(subject->fault);
    const struct fault_usage *now = &subject->now;
    const char *beside = kind_of(subject->fault)->beside;
    char value[96];
    char expected[32];
    bool ok = now->workers == wanted;
    if (beside != NULL)
        (void)snprintf(value, sizeof value, "%zu, %s %.1f MiB", now->workers, beside,
                       (double)now->all_bytes / 1048576);
    else
        (void)snprintf(value, sizeof value, "%zu beside %zu other processes", now->workers,
                       now->others);
    (void)snprintf(expected, sizeof expected, "%zu", wanted);
    fault_evidence(subject->fault, subject->target.name, fault_step_when(state->round),
                   "workers in its group", value, expected, ok);
    return ok;
}

/* --- the workers --- */

static void on_crew_held(void *ctx)
{
    const struct fault_stress_subject *subject = ctx;
    struct stress_state *state = fault_state_of(subject->fault);
    for (size_t i = 0; i < state->count; i++)
        if (state->subjects[i].crew == NULL || !fault_crew_holds(state->subjects[i].crew))
            return;
    fault_step_held(subject->fault, &state->waits);
}

static void on_crew_lost(void *ctx)
{
    const struct fault_stress_subject *subject = ctx;
    struct stress_state *state = fault_state_of(subject->fault);
    struct base_error err = {0};
    bool lapsed = fault_effect_left(subject->fault).ns <= 0;
    uint64_t now = fault_usage_oom_kills(subject->target.cgroup, subject->process.pid);
    uint64_t kills = now > subject->kills_before ? now - subject->kills_before : 0;
    const char *why = kind_of(subject->fault)->lost;
    err = fault_crew_why(subject->crew);
    if (err.code != BASE_OK)
        (void)base_fail_context(&err, "%s", subject->target.name);
    else
        (void)base_fail(
            &err, BASE_UNAVAILABLE, "%s: a worker %s (oom_kill of its group rose by %llu)%s%s",
            subject->target.name, kills > 0 ? "was killed for want of memory" : "has ended",
            (unsigned long long)kills, kills == 0 && why != NULL ? ": " : "",
            kills == 0 && why != NULL ? why : "");
    fault_step_lost(subject->fault, &state->waits, lapsed, &err);
}

static bool works(const struct fault_stress_subject *subject)
{
    return subject->crew != NULL && !fault_crew_stopped(subject->crew);
}

static void on_crew_stopped(void *ctx)
{
    const struct fault_stress_subject *subject = ctx;
    const struct stress_state *state = fault_state_of(subject->fault);
    for (size_t i = 0; i < state->count; i++)
        if (works(&state->subjects[i]))
            return;
    fault_step_done(subject->fault, FAULT_OUTCOME_OK, NULL);
}

static bool crew_begin(struct fault_stress_subject *subject, struct base_error *err)
{
    struct fault *fault = subject->fault;
    const struct fault_stress_kind *kind = kind_of(fault);
    struct fault_crew_spec spec = {
        .name = FAULT_WORKER,
        .run = kind->run,
        .run_ctx = &subject->strain,
        .keep = subject->strain.groups,
        .keep_count = subject->strain.group_count,
        .count = kind->workers(fault_spec_of(fault)),
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

static size_t crew_wanted(const struct fault_stress_subject *subject)
{
    return subject->crew != NULL ? fault_crew_count(subject->crew) : 0;
}

static void look(struct fault_stress_subject *subject)
{
    subject->now = fault_usage_of(subject->target.cgroup);
}

static void window_begin(struct stress_state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        look(&state->subjects[i]);
        state->subjects[i].before = state->subjects[i].now;
    }
    state->window = base_mono_now();
}

static bool all_shown(struct fault *fault, struct dur_ns window)
{
    struct stress_state *state = fault_state_of(fault);
    bool ok = true;
    for (size_t i = 0; i < state->count; i++) {
        look(&state->subjects[i]);
        ok = kind_of(fault)->shown(&state->subjects[i], window, false) && ok;
    }
    return ok;
}

static void verify_finish(struct fault *fault, struct dur_ns window)
{
    struct stress_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    for (size_t i = 0; i < state->count; i++) {
        struct fault_stress_subject *subject = &state->subjects[i];
        bool shown = workers_evidence(subject, crew_wanted(subject));
        shown = kind_of(fault)->shown(subject, window, true) && shown;
        if (!shown && ok)
            ok = base_fail(&err, BASE_UNAVAILABLE,
                           "%s: the measured effect is not what was asked for; see the evidence",
                           subject->target.name);
    }
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_NO_EFFECT, &err);
}

/* One window after the other, until one shows it or patience is over. */
static void verify_poll(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    const struct fault_spec *spec = fault_spec_of(fault);
    struct mono_ns now = base_mono_now();
    struct dur_ns window = base_mono_sub(now, state->window);
    if (window.ns >= kind_of(fault)->window(spec).ns) {
        bool late = base_mono_sub(now, state->began).ns >= kind_of(fault)->patience(spec).ns;
        if (all_shown(fault, window) || late) {
            verify_finish(fault, window);
            return;
        }
        window_begin(state);
    }
    io_timer_start(&state->poll, base_dur_ms(poll_ms));
}

/* --- measuring the absence --- */

static bool none_is_left(struct fault *fault, bool record)
{
    struct stress_state *state = fault_state_of(fault);
    bool ok = true;
    for (size_t i = 0; i < state->count; i++) {
        struct fault_stress_subject *subject = &state->subjects[i];
        look(subject);
        ok = ok && subject->now.workers == 0;
        if (record)
            (void)workers_evidence(subject, 0);
    }
    return ok;
}

static void on_poll(void *ctx)
{
    struct fault *fault = ctx;
    struct stress_state *state = fault_state_of(fault);
    if (state->round == FAULT_STEP_VERIFY) {
        verify_poll(fault);
    } else if (none_is_left(fault, false)) {
        (void)none_is_left(fault, true);
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
    } else {
        io_timer_start(&state->poll, base_dur_ms(poll_ms)); /* until the deadline */
    }
}

/* --- the steps --- */

/* On a host with v1 controllers the workers join those of the process, too (strain.h). */
static bool is_alone(const struct fault_stress_subject *subject, struct base_error *err)
{
    for (size_t i = 0; i < FAULT_STRAIN_CONTROLLERS; i++) {
        BASE_AUTO_FREE char *group =
            fault_group_v1(subject->process.pid, fault_strain_controllers[i]);
        if (group != NULL && !fault_target_alone(&subject->target, group, err))
            return false;
    }
    return true;
}

static bool subject_prepare(struct fault_stress_subject *subject, struct base_error *err)
{
    const struct fault_target *target = &subject->target;
    if (target->status_file != NULL && !fault_target_process(target, &subject->process, NULL, err))
        return false;
    if (!is_alone(subject, err) ||
        !fault_group_check(target->cgroup, target->name, subject->process.pid, err) ||
        !fault_strain_open(&subject->strain, target->cgroup, subject->process.pid, err))
        return false;
    look(subject);
    if (!workers_evidence(subject, 0))
        return base_fail(err, BASE_UNAVAILABLE, "%s has workers of another fault in its group",
                         target->name);
    subject->kills_before = fault_usage_oom_kills(target->cgroup, subject->process.pid);
    return kind_of(subject->fault)->plan(subject, err);
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
    state->began = base_mono_now();
    window_begin(state);
    on_poll(fault);
}

static void stress_renew(struct fault *fault)
{
    struct stress_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->waits = true;
    for (size_t i = 0; i < state->count; i++) {
        const struct fault_target *target = &state->subjects[i].target;
        struct fault_crew *crew = state->subjects[i].crew;
        if (fault_target_inside(target, target->cgroup, &err) &&
            fault_crew_renew(crew, fault_effect_left(fault), &err))
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
        struct fault_stress_subject *subject = &state->subjects[i];
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
    if (step == FAULT_STEP_VERIFY_GONE)
        (void)none_is_left(fault, true);
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
        struct fault_stress_subject *subject = &state->subjects[i];
        fault_crew_free(subject->crew);
        fault_strain_close(&subject->strain);
        free(subject->folder);
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
const struct fault_ops fault_io_ops = STRESS_OPS;
