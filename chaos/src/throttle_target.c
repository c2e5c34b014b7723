/* SPDX-License-Identifier: Apache-2.0 */
#include "throttle_target.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "group.h"
#include "step.h"
#include "undo.h"

/* So much more than the limit a disk must give without it, or nothing would be shown; afterwards
 * again, with some allowance for what else is done on it meanwhile. */
static const double free_before = 1.5, free_after = 1.25;

void throttle_target_init(struct throttle_target *of, struct fault *fault,
                          void (*on_measured)(void *ctx))
{
    of->fault = fault;
    for (size_t m = 0; m < FAULT_THROTTLE_RULES; m++)
        of->meters[m] = (struct throttle_meter){
            .throttle = &of->throttle, .rule = m, .file = -1, .on_done = on_measured, .ctx = fault};
}

void throttle_target_close(struct throttle_target *of)
{
    for (size_t r = 0; r < FAULT_THROTTLE_RULES; r++)
        throttle_meter_close(&of->meters[r]);
    fault_strain_close(&of->strain);
    fault_throttle_close(&of->throttle);
    free(of->group);
    fault_target_fini(&of->target);
}

/* --- before anything --- */

static const int64_t *limits_of(const struct throttle_target *of)
{
    return fault_throttling_of(fault_spec_of(of->fault))->limits;
}

static char *group_of(const struct throttle_target *of)
{
    enum fault_throttle_means means;
    const char *own = of->target.cgroup;
    if (own != NULL && fault_throttle_means_of(own, &means))
        return base_str_dup(own);
    return of->process.pid > 0 ? fault_group_v1(of->process.pid, "blkio") : NULL;
}

bool throttle_target_prepare(struct throttle_target *of, const char *folder, const char *device,
                             struct base_error *err)
{
    const struct fault_target *target = &of->target;
    if ((target->status_file != NULL || target->find_by != NULL) &&
        !fault_target_process(target, &of->process, NULL, err))
        return false;
    of->group = group_of(of);
    if (of->group == NULL)
        return base_fail(err, BASE_UNAVAILABLE,
                         "%s is in no control group of its own that could throttle disks: cgroup "
                         "v2 has io.max where the groups above hand the io controller down "
                         "(cgroup.subtree_control), v1 has a hierarchy of blkio; run it in one (a "
                         "systemd unit, a container, a pod), and name that with \"cgroup\" in the "
                         "topology, or let the agent find it",
                         target->name);
    if (!fault_target_alone(target, of->group, err) ||
        !fault_group_check(of->group, target->name, of->process.pid, err) ||
        !fault_throttle_open(&of->throttle, of->group, device, limits_of(of), err))
        return base_fail_context(err, "%s", target->name);
    int procs = fault_group_open(of->group, "cgroup.procs", err);
    if (procs < 0)
        return base_fail_context(err, "%s", target->name);
    of->strain.groups[of->strain.group_count++] = procs;
    for (size_t r = 0; r < of->throttle.count; r++) {
        of->meters[r].group = of->group;
        if (!throttle_meter_open(&of->meters[r], folder, err))
            return base_fail_context(err, "%s", target->name);
    }
    return true;
}

/* --- what the kernel has --- */

static void say(const struct throttle_target *of, enum fault_step step, const char *metric,
                const char *value, const char *expected, bool ok)
{
    fault_evidence(of->fault, of->target.name, fault_step_when(step), metric, value, expected, ok);
}

static void say_rule(const struct throttle_target *of, enum fault_step step, size_t rule,
                     enum fault_throttle_found found, uint64_t value, bool set, bool ok)
{
    const struct fault_throttle_rule *asked = &of->throttle.rules[rule];
    BASE_AUTO_FREE char *metric = base_str_printf(
        "%s for %s in its group", fault_io_limit_name(asked->limit), of->throttle.device);
    BASE_AUTO_FREE char *wanted = base_str_printf("%llu", (unsigned long long)asked->value);
    char text[32] = "none";
    if (found == FAULT_THROTTLE_UNKNOWN)
        (void)snprintf(text, sizeof text, "cannot be read");
    else if (found != FAULT_THROTTLE_NONE)
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    say(of, step, metric, text, set ? wanted : "none of ours", ok);
}

bool throttle_target_is_set(const struct throttle_target *of, enum fault_step step, bool set,
                            bool foreign, bool record)
{
    bool all = true;
    if (record && of->throttle.count == 0)
        say(of, step, "its control group", "gone", "without limits of ours", true);
    for (size_t r = 0; r < of->throttle.count; r++) {
        uint64_t value = 0;
        enum fault_throttle_found found = fault_throttle_look(&of->throttle, r, &value);
        bool ok = set ? found == FAULT_THROTTLE_OURS
                      : found == FAULT_THROTTLE_NONE || (found == FAULT_THROTTLE_OTHER && !foreign);
        if (record)
            say_rule(of, step, r, found, value, set, ok);
        all = all && ok;
    }
    return all;
}

/* --- measuring --- */

bool throttle_target_measure(struct throttle_target *of, size_t rule, enum fault_step step,
                             struct dur_ns most, struct base_error *err)
{
    struct io_loop *loop = fault_env_of(of->fault)->loop;
    struct throttle_meter *meter = &of->meters[rule];
    bool first = step == FAULT_STEP_PREPARE;
    return (step == FAULT_STEP_VERIFY
                ? throttle_meter_held_run(meter, loop, &of->strain, most, err)
                : throttle_meter_free_run(meter, loop, &of->strain, first, err)) ||
           base_fail_context(err, "%s", of->target.name);
}

void throttle_target_cancel(struct throttle_target *of)
{
    for (size_t r = 0; r < FAULT_THROTTLE_RULES; r++)
        throttle_meter_cancel(&of->meters[r]);
}

bool throttle_target_shown(const struct throttle_target *of, enum fault_step step, bool record)
{
    bool all = true;
    for (size_t r = 0; r < of->throttle.count; r++) {
        const struct throttle_meter *meter = &of->meters[r];
        struct throttle_meter_words words;
        double share = step == FAULT_STEP_PREPARE ? free_before : free_after;
        bool ok = step == FAULT_STEP_VERIFY ? throttle_meter_is_held(meter, &words)
                                            : throttle_meter_is_free(meter, share, &words);
        if (record)
            say(of, step, words.metric, words.value, words.expected, ok);
        all = all && ok;
    }
    return all;
}

/* --- the journal --- */

json_t *throttle_target_to_json(const struct throttle_target *of, const char *device)
{
    json_t *one = json_object();
    json_object_set_new(one, "target", fault_target_to_json(&of->target));
    json_object_set_new(one, "group", model_json_text(of->group));
    json_object_set_new(one, "device", model_json_text(device));
    return one;
}

bool throttle_target_from_json(struct throttle_target *of, const json_t *json,
                               struct base_error *err)
{
    BASE_AUTO_FREE char *device = NULL;
    struct base_error why = {0};
    if (!fault_target_from_json(json_object_get(json, "target"), &of->target, err) ||
        !model_get_text(json, "undo", "group", &of->group, err) ||
        !model_get_text(json, "undo", "device", &device, err))
        return false;
    /* A group that is gone has no limits. */
    return fault_throttle_open(&of->throttle, of->group, device, limits_of(of), &why) ||
           why.code == BASE_NOT_FOUND || base_fail(err, why.code, "%s", why.message);
}
