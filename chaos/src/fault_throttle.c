/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioThrottle: a disk gives a target's control group no more than so much (throttle.h). The kernel
 * has no timeout for that, so a watchdog (watchdog.h) lifts it, which needs no more than the files
 * that it has open. A rule of somebody else is refused, so that what was before is always none.
 * Proven by a probe in the group that goes past the page cache (throttle_meter.h): faster than the
 * limit before, held to it during, faster again after; over when the kernel has no rule of ours.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "folder.h"
#include "group.h"
#include "inside.h"
#include "step.h"
#include "throttle_meter.h"
#include "undo.h"
#include "watchdog.h"

enum { poll_ms = 20 };
/* So much more than the limit a disk must give without it, or nothing would be shown; afterwards
 * again, with some allowance for what else is done on it meanwhile. */
static const double free_before = 1.5, free_after = 1.25;

struct subject { /* one target */
    struct fault *fault;
    struct fault_target target;
    struct fault_process process;
    char *group;
    struct fault_throttle throttle;
    struct fault_strain strain; /* the group's cgroup.procs; none when found in the journal */
    struct throttle_meter meters[FAULT_THROTTLE_RULES]; /* of each rule */
};

struct throttle_state {
    struct subject *subjects;
    size_t count;
    char *folder; /* NULL: found in the journal */
    char device[FAULT_DEVICE_TEXT];
    enum fault_step round;
    bool starting; /* meters: one that is done at once must not be taken for all */
    struct mono_ns began;
    struct fault_watchdog watchdog;
    struct io_timer poll;
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
static const struct fault_watchdog_ops watchdog_ops;

static struct throttle_state *state_new(struct fault *fault, size_t count)
{
    struct throttle_state *state = base_calloc(1, sizeof *state);
    state->subjects = base_calloc(count, sizeof *state->subjects);
    state->count = count;
    for (size_t i = 0; i < count; i++) {
        struct subject *subject = &state->subjects[i];
        subject->fault = fault;
        for (size_t m = 0; m < FAULT_THROTTLE_RULES; m++)
            subject->meters[m] = (struct throttle_meter){.throttle = &subject->throttle,
                                                         .rule = m,
                                                         .file = -1,
                                                         .on_done = on_measured,
                                                         .ctx = fault};
    }
    fault_watchdog_init(&state->watchdog, fault, &watchdog_ops);
    io_timer_init(&state->poll, fault_env_of(fault)->loop, on_poll, fault);
    fault_set_state(fault, state);
    return state;
}

static bool throttle_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct throttle_state *state = state_new(fault, spec->target_count);
    for (size_t i = 0; i < state->count; i++)
        if (!fault_target_resolve(topo, spec->targets[i], &state->subjects[i].target, err))
            return false;
    return fault_folder_open(fault, topo, spec->throttle.path, &state->folder, err) &&
           fault_throttle_device(state->folder, state->device, err);
}

/* --- what the kernel has --- */

static void say(struct subject *subject, const char *metric, const char *value,
                const char *expected, bool ok)
{
    const struct throttle_state *state = fault_state_of(subject->fault);
    fault_evidence(subject->fault, subject->target.name, fault_step_when(state->round), metric,
                   value, expected, ok);
}

static void say_rule(struct subject *subject, size_t rule, enum fault_throttle_found found,
                     uint64_t value, bool set, bool ok)
{
    const struct fault_throttle_rule *of = &subject->throttle.rules[rule];
    BASE_AUTO_FREE char *metric = base_str_printf(
        "%s for %s in its group", fault_io_limit_name(of->limit), subject->throttle.device);
    BASE_AUTO_FREE char *wanted = base_str_printf("%llu", (unsigned long long)of->value);
    char text[32] = "none";
    if (found == FAULT_THROTTLE_UNKNOWN)
        (void)snprintf(text, sizeof text, "cannot be read");
    else if (found != FAULT_THROTTLE_NONE)
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    say(subject, metric, text, set ? wanted : "none of ours", ok);
}

/* set: all rules are ours; else none is. foreign: nor anybody else's. */
static bool as_wanted(struct fault *fault, bool set, bool foreign, bool record)
{
    struct throttle_state *state = fault_state_of(fault);
    bool all = true;
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        if (record && subject->throttle.count == 0)
            say(subject, "its control group", "gone", "without limits of ours", true);
        for (size_t r = 0; r < subject->throttle.count; r++) {
            uint64_t value = 0;
            enum fault_throttle_found found = fault_throttle_look(&subject->throttle, r, &value);
            bool ok =
                set ? found == FAULT_THROTTLE_OURS
                    : found == FAULT_THROTTLE_NONE || (found == FAULT_THROTTLE_OTHER && !foreign);
            if (record)
                say_rule(subject, r, found, value, set, ok);
            all = all && ok;
        }
    }
    return all;
}

/* --- measuring --- */

static void measures_cancel(struct throttle_state *state)
{
    for (size_t i = 0; i < state->count; i++)
        for (size_t r = 0; r < FAULT_THROTTLE_RULES; r++)
            throttle_meter_cancel(&state->subjects[i].meters[r]);
}

static bool measure_one(struct subject *subject, size_t rule, bool held, struct base_error *err)
{
    const struct throttle_state *state = fault_state_of(subject->fault);
    struct io_loop *loop = fault_env_of(subject->fault)->loop;
    struct dur_ns most = {fault_spec_of(subject->fault)->lease.ns / 3};
    struct throttle_meter *meter = &subject->meters[rule];
    bool first = state->round == FAULT_STEP_PREPARE;
    return (held ? throttle_meter_held_run(meter, loop, &subject->strain, most, err)
                 : throttle_meter_free_run(meter, loop, &subject->strain, first, err)) ||
           base_fail_context(err, "%s", subject->target.name);
}

static void measure(struct fault *fault, bool held)
{
    struct throttle_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    state->starting = true;
    for (size_t i = 0; ok && i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        for (size_t r = 0; ok && r < subject->throttle.count; r++)
            ok = measure_one(subject, r, held, &err);
    }
    state->starting = false;
    if (ok)
        return;
    measures_cancel(state);
    fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static bool all_shown(struct fault *fault, bool record)
{
    struct throttle_state *state = fault_state_of(fault);
    bool all = true;
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        for (size_t r = 0; r < subject->throttle.count; r++) {
            const struct throttle_meter *meter = &subject->meters[r];
            struct throttle_meter_words words;
            bool ok = state->round == FAULT_STEP_VERIFY
                          ? throttle_meter_is_held(meter, &words)
                          : throttle_meter_is_free(meter,
                                                   state->round == FAULT_STEP_PREPARE ? free_before
                                                                                      : free_after,
                                                   &words);
            if (record)
                say(subject, words.metric, words.value, words.expected, ok);
            all = all && ok;
        }
    }
    return all;
}

static void prepare_finish(struct fault *fault)
{
    struct base_error err = {0};
    bool ok = all_shown(fault, true) ||
              base_fail(&err, BASE_UNAVAILABLE,
                        "the disk gives hardly more than that without a limit: ask for less; see "
                        "the evidence");
    fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

/* One window after the other, until one shows it or patience is over. */
static void verify_finish(struct fault *fault)
{
    const struct throttle_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool shown = all_shown(fault, false);
    struct dur_ns waited = base_mono_sub(base_mono_now(), state->began);
    if (!shown && waited.ns < fault_spec_of(fault)->lease.ns / 2) {
        measure(fault, true);
        return;
    }
    bool set = as_wanted(fault, true, false, true);
    if (!all_shown(fault, true) || !set)
        (void)base_fail(&err, BASE_UNAVAILABLE,
                        "the measured effect is not what was asked for; see the evidence");
    fault_step_done(fault, shown && set ? FAULT_OUTCOME_OK : FAULT_OUTCOME_NO_EFFECT, &err);
}

/* Found in the journal, or halted: the kernel's word is enough. Nor can be shown that a limit of
 * somebody else's is none. */
static bool can_measure(struct fault *fault)
{
    const struct throttle_state *state = fault_state_of(fault);
    bool any = false;
    for (size_t i = 0; i < state->count; i++) {
        const struct subject *subject = &state->subjects[i];
        if (subject->strain.group_count == 0 || !fault_group_has(subject->group, "cgroup.procs"))
            return false;
        any = any || subject->meters[0].file >= 0;
    }
    return any && !fault_is_halted(fault) && as_wanted(fault, false, true, false);
}

/* Meanwhile the group may have gone, or somebody else have set a limit. */
static void gone_finish(struct fault *fault)
{
    bool shown = all_shown(fault, false);
    if (!shown && can_measure(fault)) {
        measure(fault, false); /* until the deadline */
        return;
    }
    if (shown)
        (void)all_shown(fault, true);
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void on_measured(void *ctx)
{
    struct fault *fault = ctx;
    const struct throttle_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++)
        for (size_t r = 0; r < FAULT_THROTTLE_RULES; r++)
            if (state->starting || state->subjects[i].meters[r].busy)
                return;
    if (state->round == FAULT_STEP_PREPARE)
        prepare_finish(fault);
    else if (state->round == FAULT_STEP_VERIFY)
        verify_finish(fault);
    else
        gone_finish(fault);
}

/* --- the watchdog --- */

static bool lift_all(void *ctx)
{
    const struct throttle_state *state = ctx;
    bool ok = true;
    for (size_t i = 0; i < state->count; i++)
        ok = fault_throttle_lift(&state->subjects[i].throttle) && ok;
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
        ok = fault_throttle_set(&state->subjects[i].throttle, &err) ||
             base_fail_context(&err, "%s", state->subjects[i].target.name);
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

static char *group_of(const struct subject *subject)
{
    enum fault_throttle_means means;
    const char *own = subject->target.cgroup;
    if (own != NULL && fault_throttle_means_of(own, &means))
        return base_str_dup(own);
    return subject->process.pid > 0 ? fault_group_v1(subject->process.pid, "blkio") : NULL;
}

static bool subject_prepare(struct subject *subject, struct base_error *err)
{
    const struct throttle_state *state = fault_state_of(subject->fault);
    const struct fault_target *target = &subject->target;
    if ((target->status_file != NULL || target->find_by != NULL) &&
        !fault_target_process(target, &subject->process, NULL, err))
        return false;
    subject->group = group_of(subject);
    if (subject->group == NULL)
        return base_fail(err, BASE_UNAVAILABLE,
                         "%s is in no control group of its own that could throttle disks: cgroup "
                         "v2 has io.max where the groups above hand the io controller down "
                         "(cgroup.subtree_control), v1 has a hierarchy of blkio; run it in one (a "
                         "systemd unit, a container, a pod), and name that with \"cgroup\" in the "
                         "topology, or let the agent find it",
                         target->name);
    if (!fault_target_alone(target, subject->group, err) ||
        !fault_group_check(subject->group, target->name, subject->process.pid, err) ||
        !fault_throttle_open(&subject->throttle, subject->group, state->device,
                             fault_spec_of(subject->fault)->throttle.limits, err))
        return base_fail_context(err, "%s", target->name);
    int procs = fault_group_open(subject->group, "cgroup.procs", err);
    if (procs < 0)
        return base_fail_context(err, "%s", target->name);
    subject->strain.groups[subject->strain.group_count++] = procs;
    for (size_t r = 0; r < subject->throttle.count; r++) {
        subject->meters[r].group = subject->group;
        if (!throttle_meter_open(&subject->meters[r], state->folder, err))
            return base_fail_context(err, "%s", target->name);
    }
    return true;
}

static void throttle_prepare(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    state->round = FAULT_STEP_PREPARE;
    for (size_t i = 0; ok && i < state->count; i++)
        ok = subject_prepare(&state->subjects[i], &err);
    if (ok && !as_wanted(fault, false, true, true))
        ok = base_fail(&err, BASE_UNAVAILABLE,
                       "that device is limited already, by somebody else; see the evidence");
    if (ok)
        measure(fault, false);
    else
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void throttle_apply(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    int *keep = base_calloc(state->count * FAULT_THROTTLE_RULES, sizeof *keep);
    size_t count = 0;
    for (size_t i = 0; i < state->count; i++)
        for (size_t r = 0; r < state->subjects[i].throttle.count; r++)
            keep[count++] = state->subjects[i].throttle.rules[r].fd;
    fault_watchdog_apply(&state->watchdog, keep, count);
    free(keep);
}

static void throttle_verify(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    state->round = FAULT_STEP_VERIFY;
    state->began = base_mono_now();
    measure(fault, true);
}

static bool all_inside(const struct throttle_state *state, struct base_error *err)
{
    for (size_t i = 0; i < state->count; i++)
        if (!fault_target_inside(&state->subjects[i].target, state->subjects[i].group, err))
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
        measure(fault, false);
}

static void throttle_gone(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    state->round = FAULT_STEP_VERIFY_GONE;
    on_poll(fault);
}

/* --- housekeeping --- */

static void throttle_late(struct fault *fault, enum fault_step step)
{
    struct throttle_state *state = fault_state_of(fault);
    fault_watchdog_cancel(&state->watchdog);
    if (step != FAULT_STEP_VERIFY_GONE)
        return;
    (void)as_wanted(fault, false, false, true);
    (void)all_shown(fault, true);
}

static void throttle_cancel(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    io_timer_stop(&state->poll);
    measures_cancel(state);
    fault_watchdog_cancel(&state->watchdog);
}

static void throttle_close(struct fault *fault)
{
    struct throttle_state *state = fault_state_of(fault);
    fault_watchdog_fini(&state->watchdog);
    for (size_t i = 0; i < state->count; i++) {
        struct subject *subject = &state->subjects[i];
        for (size_t r = 0; r < FAULT_THROTTLE_RULES; r++)
            throttle_meter_close(&subject->meters[r]);
        fault_strain_close(&subject->strain);
        fault_throttle_close(&subject->throttle);
        free(subject->group);
        fault_target_fini(&subject->target);
    }
    io_timer_fini(&state->poll);
    free(state->folder);
    free(state->subjects);
    free(state);
    fault_set_state(fault, NULL);
}

/* --- the journal --- */

static json_t *throttle_undo(const struct fault *fault)
{
    const struct throttle_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++) {
        const struct subject *subject = &state->subjects[i];
        json_t *one = json_object();
        json_object_set_new(one, "target", fault_target_to_json(&subject->target));
        json_object_set_new(one, "group", model_json_text(subject->group));
        json_object_set_new(one, "device", model_json_text(state->device));
        json_array_append_new(list, one);
    }
    return list;
}

static bool subject_reopen(struct subject *subject, const json_t *one, struct base_error *err)
{
    BASE_AUTO_FREE char *device = NULL;
    struct base_error why = {0};
    if (!fault_target_from_json(json_object_get(one, "target"), &subject->target, err) ||
        !model_get_text(one, "undo", "group", &subject->group, err) ||
        !model_get_text(one, "undo", "device", &device, err))
        return false;
    /* A group that is gone has no limits. */
    return fault_throttle_open(&subject->throttle, subject->group, device,
                               fault_spec_of(subject->fault)->throttle.limits, &why) ||
           why.code == BASE_NOT_FOUND || base_fail(err, why.code, "%s", why.message);
}

static bool throttle_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct throttle_state *state = state_new(fault, json_array_size(undo));
    for (size_t i = 0; i < state->count; i++)
        if (!subject_reopen(&state->subjects[i], json_array_get(undo, i), err))
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
