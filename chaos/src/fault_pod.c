/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill, by: delete or evict: a request to Kubernetes' API about the pod that the target is, with
 * its uid as a precondition, so that never another pod of that name is hit. Proven by its
 * deletionTimestamp and by the uid's disappearance; over when as many pods of the same controller
 * are ready as before. A pod without a controller would not come back, and is refused. Nothing is
 * held: what a disruption budget holds back is a fault that failed, in the budget's own words, and
 * pods that do not come back are the platform's failure, recorded as fault_kill.c does.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "kube_api.h"
#include "pod_answer.h"
#include "undo.h"

enum { poll_ms = 200, prepare_s = 15, strike_s = 8, slack_s = 5 };

struct pod_victim {
    struct fault *fault;
    struct fault_target target;
    struct fault_kube *kube;
    char *owner_uid; /* of its controller, and what that is called */
    char *owner;
    size_t before; /* pods of its owner that were ready then */
    char *version; /* of an eviction */
    struct dur_ns grace;
    bool busy;    /* a question is under way, or several in turn */
    size_t ready; /* on the pages of a list so far */
    struct mono_ns struck;
    bool deleting; /* its deletionTimestamp was seen */
    bool gone;
    struct dur_ns gone_after;
    bool counted; /* the pods of its owner, after it was gone */
    size_t last;  /* so many were ready then */
    bool back;    /* as many as before */
    struct dur_ns back_after;
    struct base_error error; /* of the last question; code 0: it was answered */
};

struct pod_state {
    struct pod_victim *victims;
    size_t count;
    struct io_timer poll;
    bool watches;    /* the requests are out */
    bool waits_gone; /* the verify step is under way */
    bool waits_back; /* the verify-gone step is under way */
};

static struct dur_ns since(const struct pod_victim *victim)
{
    return base_mono_sub(base_mono_now(), victim->struck);
}

/* --- before anything --- */

static void on_poll(void *ctx);

static struct pod_state *state_new(struct fault *fault, size_t count)
{
    struct pod_state *state = base_calloc(1, sizeof *state);
    state->victims = base_calloc(count, sizeof *state->victims);
    state->count = count;
    for (size_t i = 0; i < count; i++)
        state->victims[i].fault = fault;
    io_timer_init(&state->poll, fault_env_of(fault)->loop, on_poll, fault);
    fault_set_state(fault, state);
    return state;
}

static bool victim_open(struct pod_victim *victim, struct base_error *err)
{
    const struct fault_target *target = &victim->target;
    if (target->pod_namespace == NULL || target->pod_name == NULL || target->pod_uid == NULL)
        return base_fail(err, BASE_INVALID,
                         "%s is no pod (namespace, name, uid) in this agent's topology",
                         target->name);
    if (target->api_url == NULL || target->api_token_file == NULL)
        return base_fail(err, BASE_UNAVAILABLE,
                         "this agent's topology has no API server: \"kubernetes\" with url, caFile "
                         "and tokenFile");
    victim->kube = fault_kube_new(fault_env_of(victim->fault), target);
    return true;
}

static bool pod_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    if (spec->kill.grace.ns >= spec->duration.ns)
        return base_fail(err, BASE_INVALID,
                         "a grace as long as the fault itself (`for`): the pod may outlive it");
    struct pod_state *state = state_new(fault, spec->target_count);
    for (size_t i = 0; i < state->count; i++)
        if (!fault_target_look_up(topo, spec->targets[i], &state->victims[i].target, err) ||
            !victim_open(&state->victims[i], err))
            return false;
    return true;
}

/* --- steps that end when the questions about all victims have been answered --- */

static void answered(struct pod_victim *victim, const struct base_error *err)
{
    struct pod_state *state = fault_state_of(victim->fault);
    victim->busy = false;
    victim->error = err != NULL ? *err : (struct base_error){0};
    for (size_t i = 0; i < state->count; i++)
        if (state->victims[i].busy)
            return;
    for (size_t i = 0; i < state->count; i++) {
        struct base_error why = state->victims[i].error;
        if (why.code == BASE_OK)
            continue;
        (void)base_fail_context(&why, "%s", state->victims[i].target.name);
        fault_step_done(victim->fault, FAULT_OUTCOME_FAILED, &why);
        return;
    }
    fault_step_done(victim->fault, FAULT_OUTCOME_OK, NULL);
}

/* --- the pods of its owner, page by page --- */

static void on_page(void *ctx, const struct fault_rest_answer *answer);

static void count_from(struct pod_victim *victim, const char *page)
{
    fault_kube_list(victim->kube, page, on_page, victim);
}

static void count_begin(struct pod_victim *victim)
{
    victim->busy = true;
    victim->ready = 0;
    count_from(victim, NULL);
}

static void counted_before(struct pod_victim *victim, const struct base_error *err);
static void counted_after(struct pod_victim *victim, const struct base_error *err);

static void on_page(void *ctx, const struct fault_rest_answer *answer)
{
    struct pod_victim *victim = ctx;
    const struct pod_state *state = fault_state_of(victim->fault);
    BASE_AUTO_FREE char *next = NULL;
    struct base_error err = {0};
    bool ok = fault_pods_count(answer, victim->owner_uid, &victim->ready, &next, &err);
    if (ok && next != NULL)
        count_from(victim, next);
    else if (state->watches)
        counted_after(victim, ok ? NULL : &err);
    else
        counted_before(victim, ok ? NULL : &err);
}

/* --- before --- */

static void on_versions(void *ctx, const struct fault_rest_answer *answer)
{
    struct pod_victim *victim = ctx;
    struct base_error err = {0};
    victim->version = fault_pod_eviction_version(answer, &err);
    answered(victim, victim->version != NULL ? NULL : &err);
}

static void counted_before(struct pod_victim *victim, const struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(victim->fault);
    if (err != NULL) {
        answered(victim, err);
        return;
    }
    victim->before = victim->ready;
    BASE_AUTO_FREE char *value = base_str_printf("%zu of %s", victim->before, victim->owner);
    fault_evidence(victim->fault, victim->target.name, "before", "ready pods", value, "at least 1",
                   victim->before > 0);
    if (spec->kill.by == FAULT_KILL_EVICT)
        fault_kube_versions(victim->kube, on_versions, victim);
    else
        answered(victim, NULL);
}

static bool may_strike(struct pod_victim *victim, const struct fault_pod *pod,
                       struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(victim->fault);
    bool asked = spec->kill.force || spec->kill.grace.ns > 0;
    victim->grace = asked ? spec->kill.grace : base_dur_s(pod->grace_s);
    BASE_AUTO_FREE char *value = base_str_printf(
        "%s/%s uid %s, %s%s", victim->target.pod_namespace, victim->target.pod_name, pod->uid,
        pod->ready ? "ready" : "not ready", pod->deleting ? ", being deleted" : "");
    bool well = pod->ready && !pod->deleting;
    fault_evidence(victim->fault, victim->target.name, "before", "pod", value, "ready", well);
    if (!well)
        return base_fail(err, BASE_UNAVAILABLE,
                         "its pod is not up (%s): its end would show nothing; wait until it is "
                         "ready",
                         value);
    if (pod->owner_uid == NULL)
        return base_fail(err, BASE_INVALID,
                         "its pod has no controller in ownerReferences: nothing would put another "
                         "one in its place");
    if (victim->grace.ns >= spec->duration.ns)
        return base_fail(err, BASE_INVALID,
                         "its terminationGracePeriodSeconds of %lld is as long as the fault itself "
                         "(`for`): ask for a shorter `grace`, or a longer fault",
                         (long long)pod->grace_s);
    return true;
}

static void on_pod_before(void *ctx, const struct fault_rest_answer *answer)
{
    struct pod_victim *victim = ctx;
    struct fault_pod pod = {0};
    struct base_error err = {0};
    if (fault_pod_see(answer, victim->target.pod_uid, &pod, &err) != FAULT_POD_HERE ||
        !may_strike(victim, &pod, &err)) {
        fault_pod_fini(&pod);
        answered(victim, &err);
        return;
    }
    victim->owner_uid = base_str_dup(pod.owner_uid);
    victim->owner = base_str_dup(pod.owner);
    fault_pod_fini(&pod);
    count_begin(victim);
}

static void pod_prepare(struct fault *fault)
{
    struct pod_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++)
        state->victims[i].busy = true;
    for (size_t i = 0; i < state->count; i++)
        fault_kube_pod(state->victims[i].kube, on_pod_before, &state->victims[i]);
}

/* --- the request --- */

static void on_struck(void *ctx, const struct fault_rest_answer *answer)
{
    struct pod_victim *victim = ctx;
    struct base_error err = {0};
    answered(victim,
             fault_pod_accepted(answer, fault_spec_of(victim->fault)->kill.by, &err) ? NULL : &err);
}

static void pod_apply(struct fault *fault)
{
    const struct fault_spec *spec = fault_spec_of(fault);
    struct pod_state *state = fault_state_of(fault);
    state->watches = true;
    for (size_t i = 0; i < state->count; i++)
        state->victims[i].busy = true;
    for (size_t i = 0; i < state->count; i++) {
        struct pod_victim *victim = &state->victims[i];
        const struct fault_target *target = &victim->target;
        victim->struck = base_mono_now();
        fault_kube_strike(victim->kube, spec->kill.by,
                          fault_pod_request(spec, target->pod_namespace, target->pod_name,
                                            target->pod_uid, victim->version),
                          on_struck, victim);
    }
}

/* --- that it goes --- */

static void gone_evidence(struct fault *fault, const struct pod_victim *victim)
{
    char took[BASE_DUR_TEXT];
    base_dur_format_brief(victim->gone ? victim->gone_after : since(victim), took);
    BASE_AUTO_FREE char *value = base_str_printf(
        "uid %s %s after %s%s%s%s", victim->target.pod_uid,
        victim->gone ? "gone" : "not shown to be gone", took,
        victim->deleting ? ", deletionTimestamp seen before" : "",
        victim->error.code != BASE_OK && !victim->gone ? "; " : "",
        victim->error.code != BASE_OK && !victim->gone ? victim->error.message : "");
    fault_evidence(fault, victim->target.name, "during", "pod", value, "being deleted, then gone",
                   victim->gone);
}

static void check_gone(struct fault *fault)
{
    struct pod_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++)
        if (!state->victims[i].gone)
            return;
    if (!state->waits_gone)
        return;
    state->waits_gone = false;
    for (size_t i = 0; i < state->count; i++)
        gone_evidence(fault, &state->victims[i]);
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void on_pod_during(void *ctx, const struct fault_rest_answer *answer)
{
    struct pod_victim *victim = ctx;
    struct fault_pod pod = {0};
    struct base_error err = {0};
    enum fault_pod_sight sight = fault_pod_see(answer, victim->target.pod_uid, &pod, &err);
    victim->busy = false;
    victim->error = sight == FAULT_POD_UNKNOWN ? err : (struct base_error){0};
    victim->deleting = victim->deleting || (sight == FAULT_POD_HERE && pod.deleting);
    fault_pod_fini(&pod);
    if (sight != FAULT_POD_GONE)
        return;
    victim->gone = true;
    victim->gone_after = since(victim);
    check_gone(victim->fault);
}

/* --- that as many are ready as before --- */

static bool in_time(const struct pod_victim *victim)
{
    return victim->back &&
           victim->back_after.ns <= fault_spec_of(victim->fault)->kill.restart_within.ns;
}

static void back_evidence(struct fault *fault, const struct pod_victim *victim)
{
    char took[BASE_DUR_TEXT];
    char limit[BASE_DUR_TEXT];
    base_dur_format_brief(victim->back ? victim->back_after : since(victim), took);
    base_dur_format(fault_spec_of(fault)->kill.restart_within, limit);
    BASE_AUTO_FREE char *value =
        victim->counted
            ? base_str_printf("%zu of %s after %s", victim->last, victim->owner, took)
            : base_str_printf("not known after %s: %s", took,
                              victim->error.code != BASE_OK ? victim->error.message : "no answer");
    BASE_AUTO_FREE char *expected = base_str_printf("%zu within %s", victim->before, limit);
    bool ok = in_time(victim);
    fault_evidence(fault, victim->target.name, "after", "ready pods", value, expected, ok);
    if (ok)
        return;
    BASE_AUTO_FREE char *message =
        base_str_printf("%s: ready pods: %s, expected %s; see the events of %s",
                        victim->target.name, value, expected, victim->owner);
    fault_note_error(fault, message);
}

static void finish_back(struct fault *fault)
{
    struct pod_state *state = fault_state_of(fault);
    state->waits_back = false;
    io_timer_stop(&state->poll);
    for (size_t i = 0; i < state->count; i++)
        back_evidence(fault, &state->victims[i]);
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

/* All are back, or nobody has to wait any longer. */
static bool is_over(const struct fault *fault)
{
    const struct pod_state *state = fault_state_of(fault);
    bool over = true;
    for (size_t i = 0; i < state->count; i++) {
        const struct pod_victim *victim = &state->victims[i];
        over = over &&
               (victim->back || since(victim).ns > fault_spec_of(fault)->kill.restart_within.ns);
    }
    return over;
}

static void counted_after(struct pod_victim *victim, const struct base_error *err)
{
    const struct pod_state *state = fault_state_of(victim->fault);
    victim->busy = false;
    victim->error = err != NULL ? *err : (struct base_error){0};
    if (err != NULL)
        return; /* asked again, or not known in the end */
    victim->counted = true;
    victim->last = victim->ready;
    if (victim->back || victim->ready < victim->before)
        return;
    victim->back = true;
    victim->back_after = since(victim);
    if (state->waits_back && is_over(victim->fault))
        finish_back(victim->fault);
}

/* --- looking again and again --- */

static void look(struct fault *fault)
{
    struct pod_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++) {
        struct pod_victim *victim = &state->victims[i];
        if (victim->busy || victim->back)
            continue;
        if (victim->gone || state->waits_back) {
            count_begin(victim);
        } else {
            victim->busy = true;
            fault_kube_pod(victim->kube, on_pod_during, victim);
        }
    }
    io_timer_start(&state->poll, base_dur_ms(poll_ms));
}

/* While it is active nobody waits, but how soon they were back is to be known. */
static void on_poll(void *ctx)
{
    struct fault *fault = ctx;
    const struct pod_state *state = fault_state_of(fault);
    bool over = is_over(fault);
    if (state->waits_back && (over || fault_is_halted(fault)))
        finish_back(fault);
    else if (state->waits_gone || state->waits_back || !over)
        look(fault);
}

static void pod_verify(struct fault *fault)
{
    struct pod_state *state = fault_state_of(fault);
    state->waits_gone = true;
    look(fault);
}

static void pod_nothing(struct fault *fault)
{
    fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

/* The last look may be an old one: one that has not been answered by the end is not known. */
static void pod_gone(struct fault *fault)
{
    struct pod_state *state = fault_state_of(fault);
    state->watches = true;
    state->waits_back = true;
    if (is_over(fault))
        io_timer_start(&state->poll, (struct dur_ns){0});
    else
        look(fault);
}

/* --- housekeeping --- */

static struct dur_ns pod_deadline(const struct fault *fault, enum fault_step step)
{
    const struct pod_state *state = fault_state_of(fault);
    struct dur_ns within = fault_spec_of(fault)->kill.restart_within;
    struct dur_ns slack = base_dur_s(slack_s);
    struct dur_ns grace = {0};
    for (size_t i = 0; i < state->count; i++)
        if (state->victims[i].grace.ns > grace.ns)
            grace = state->victims[i].grace;
    switch (step) {
    case FAULT_STEP_PREPARE:
        return base_dur_s(prepare_s);
    case FAULT_STEP_APPLY:
        return base_dur_s(strike_s);
    case FAULT_STEP_VERIFY:
        return (struct dur_ns){grace.ns + (within.ns > slack.ns ? within.ns : slack.ns)};
    case FAULT_STEP_VERIFY_GONE:
        return (struct dur_ns){within.ns + slack.ns}; /* ends by itself before */
    default:
        return (struct dur_ns){0};
    }
}

static void pod_late(struct fault *fault, enum fault_step step)
{
    const struct pod_state *state = fault_state_of(fault);
    for (size_t i = 0; step == FAULT_STEP_VERIFY && i < state->count; i++)
        gone_evidence(fault, &state->victims[i]);
}

static void pod_cancel(struct fault *fault)
{
    struct pod_state *state = fault_state_of(fault);
    state->waits_gone = false;
    state->waits_back = false;
    io_timer_stop(&state->poll);
    for (size_t i = 0; i < state->count; i++) {
        state->victims[i].busy = false;
        if (state->victims[i].kube != NULL)
            fault_kube_cancel(state->victims[i].kube);
    }
}

static void pod_close(struct fault *fault)
{
    struct pod_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->count; i++) {
        struct pod_victim *victim = &state->victims[i];
        fault_kube_free(victim->kube);
        fault_target_fini(&victim->target);
        free(victim->owner_uid);
        free(victim->owner);
        free(victim->version);
    }
    io_timer_fini(&state->poll);
    free(state->victims);
    free(state);
    fault_set_state(fault, NULL);
}

static json_t *pod_undo(const struct fault *fault)
{
    const struct pod_state *state = fault_state_of(fault);
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++) {
        const struct pod_victim *victim = &state->victims[i];
        json_t *one = json_object();
        json_object_set_new(one, "target", fault_target_to_json(&victim->target));
        json_object_set_new(one, "ownerUid", model_json_text(victim->owner_uid));
        json_object_set_new(one, "owner", model_json_text(victim->owner));
        json_object_set_new(one, "before", json_integer((json_int_t)victim->before));
        json_array_append_new(list, one);
    }
    return list;
}

static bool pod_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    struct pod_state *state = state_new(fault, json_array_size(undo));
    for (size_t i = 0; i < state->count; i++) {
        const json_t *one = json_array_get(undo, i);
        struct pod_victim *victim = &state->victims[i];
        int64_t before = 0;
        victim->struck = base_mono_now(); /* the true time is lost with the agent that died */
        if (!fault_target_from_json(json_object_get(one, "target"), &victim->target, err) ||
            !model_get_text(one, "undo", "ownerUid", &victim->owner_uid, err) ||
            !model_get_text(one, "undo", "owner", &victim->owner, err) ||
            !model_get_i64(one, "undo", "before", 1, INT32_MAX, &before, err) ||
            !victim_open(victim, err))
            return false;
        victim->before = (size_t)before;
    }
    return true;
}

static bool pod_is_instant(const struct fault_spec *spec)
{
    (void)spec;
    return true;
}

const struct fault_ops fault_pod_ops = {
    .open = pod_open,
    .undo = pod_undo,
    .reopen = pod_reopen,
    .step = {[FAULT_STEP_PREPARE] = pod_prepare,
             [FAULT_STEP_APPLY] = pod_apply,
             [FAULT_STEP_VERIFY] = pod_verify,
             [FAULT_STEP_RENEW] = pod_nothing,
             [FAULT_STEP_REVERT] = pod_nothing,
             [FAULT_STEP_VERIFY_GONE] = pod_gone},
    .deadline = pod_deadline,
    .late = pod_late,
    .cancel = pod_cancel,
    .close = pod_close,
    .instant = pod_is_instant,
};
