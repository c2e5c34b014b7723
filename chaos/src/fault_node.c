/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node: the nodes that the targets run on take no new pods; drained, those that run there are
 * evicted (node_drain.h). spec.unschedulable stands in Kubernetes' store and has no expiry, so an
 * annotation beside it says whose it is and until when, and a watchdog (chaos/node_watch.h) is
 * there before anything is written, which takes it off when the lease lapses or the agent is no
 * more. Nobody's change is overwritten: a node that is cordoned already is refused, and what
 * somebody else does to it meanwhile is reported and left alone. Never the agent's own node: with
 * that, agent and watchdog would be gone, and the mark would stay.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "engine.h"
#include "node_drain.h"
#include "node_guard.h"
#include "node_set.h"
#include "step.h"

/* Controllers wait for 20 s for a fault to end. */
enum { prepare_s = 5, apply_s = 10, verify_s = 5, revert_s = 9, gone_s = 5 };
enum { list_s = 15, again_ms = 250, looks = 12, alive_s = 1, boot_id_max = 64 };

struct node_state {
    struct fault_node_set nodes;
    struct fault_drain *drain;      /* NULL: it only cordons, or was found in the journal */
    struct fault_node_guard *guard; /* NULL: none yet, or the fault was found in the journal */
    bool waits;                     /* a step, for the watchdog's word */
    bool ends;                      /* likewise, for its end */
    struct io_timer again;          /* to revert what could not be, to look once more */
    bool reverts;                   /* which of the two */
    int looks;                      /* how often more */
};

/* --- before anything --- */

static bool node_platform(const struct topo *topo, struct base_error *err)
{
    if (topo->kubernetes_url == NULL || topo->kubernetes_token_file == NULL)
        return base_fail(err, BASE_UNAVAILABLE,
                         "node needs Kubernetes' API server: \"kubernetes\" with url, caFile and "
                         "tokenFile in the topology of \"%s\"",
                         topo->name);
    return topo_any(topo, topo_knows_node) ||
           base_fail(err, BASE_UNAVAILABLE,
                     "node needs instances whose \"node\" is known: the platform \"%s\" tells of "
                     "none",
                     topo->name);
}

static void on_again(void *ctx);

static struct node_state *state_new(struct fault *fault)
{
    struct node_state *state = base_calloc(1, sizeof *state);
    io_timer_init(&state->again, fault_env_of(fault)->loop, on_again, fault);
    fault_set_state(fault, state);
    return state;
}

static bool node_open(struct fault *fault, const struct topo *topo, struct base_error *err)
{
    struct node_state *state = state_new(fault);
    if (!fault_node_set_open(&state->nodes, fault, topo, err))
        return false;
    if (fault_spec_of(fault)->node.action == FAULT_NODE_DRAIN)
        state->drain = fault_drain_new(&state->nodes, topo, err);
    return fault_spec_of(fault)->node.action != FAULT_NODE_DRAIN || state->drain != NULL;
}

static bool node_reopen(struct fault *fault, const json_t *undo, struct base_error *err)
{
    return fault_node_set_reopen(&state_new(fault)->nodes, fault, undo, err);
}

static json_t *node_undo(const struct fault *fault)
{
    const struct node_state *state = fault_state_of(fault);
    return fault_node_set_undo(&state->nodes);
}

/* --- before --- */

static bool may_mark(struct fault_node_one *one, const char *boot_id, struct base_error *err)
{
    const struct fault_node_mark *mark = &one->mark;
    bool ok = one->error.code == BASE_OK && mark->sight == FAULT_NODE_FREE;
    fault_node_say(one, "before", "schedulable, without a mark", ok);
    if (one->error.code != BASE_OK) {
        *err = one->error;
        return false;
    }
    if (mark->sight == FAULT_NODE_AWAY)
        return base_fail(err, BASE_NOT_FOUND, "%s: %s", one->target, mark->words);
    if (!ok)
        return base_fail(err, BASE_DENIED,
                         "node %s is %s: that is not this fault's to change; uncordon it first, or "
                         "choose another one",
                         mark->node, mark->words);
    if (mark->boot_id == NULL)
        return base_fail(err, BASE_UNAVAILABLE,
                         "node %s has no bootID in its status: whether it is the agent's own "
                         "cannot be told",
                         mark->node);
    return !base_str_eq(mark->boot_id, boot_id) ||
           base_fail(err, BASE_DENIED,
                     "node %s is the one that this agent runs on (by its boot id): if it went "
                     "down, nobody would take the mark off; let an agent on another host do it",
                     mark->node);
}

static void prepared(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    struct base_error err = {0};
    BASE_AUTO_BUF struct base_buf boot_id;
    base_buf_init(&boot_id, boot_id_max);
    bool ok = base_file_read("/proc/sys/kernel/random/boot_id", &boot_id, &err);
    while (ok && boot_id.len > 0 && boot_id.data[boot_id.len - 1] == '\n')
        boot_id.data[--boot_id.len] = '\0';
    for (size_t i = 0; i < state->nodes.count; i++)
        ok = ok && may_mark(&state->nodes.list[i], boot_id.data, &err);
    if (ok && state->drain != NULL)
        fault_drain_prepare(state->drain);
    else
        fault_step_done(fault, ok ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, &err);
}

static void node_prepare(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    fault_node_set_ask(&state->nodes, FAULT_NODE_LOOK, prepared);
}

/* --- the watchdog, then the marks --- */

static void applied(struct fault *fault)
{
    const struct node_state *state = fault_state_of(fault);
    const struct base_error *err = fault_node_set_error(&state->nodes);
    fault_step_done(fault, err == NULL ? FAULT_OUTCOME_OK : FAULT_OUTCOME_FAILED, err);
}

static void on_held(void *ctx)
{
    struct fault *fault = ctx;
    struct node_state *state = fault_state_of(fault);
    if (!state->waits || fault_is_renewing(fault)) {
        fault_step_held(fault, &state->waits);
        return;
    }
    state->waits = false;
    fault_node_set_ask(&state->nodes, FAULT_NODE_MARK, applied);
}

static void release(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    fault_node_guard_free(state->guard);
    state->guard = NULL;
}

static void node_cancel(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    state->waits = false;
    state->ends = false;
    io_timer_stop(&state->again);
    fault_node_set_cancel(&state->nodes);
    fault_drain_cancel(state->drain);
}

/* A mark that is on its way must not follow a watchdog that has ended. */
static void give_up(struct fault *fault, const struct base_error *why)
{
    node_cancel(fault);
    fault_step_done(fault, FAULT_OUTCOME_FAILED, why);
}

/* As asked; or unasked: then nothing stays marked without one. One that has taken the marks off
 * because the lease had lapsed has done what it is for, and a fault that is stuck is looked at
 * again: its watchdog ends when the API server has said that nothing of ours is there. */
static void on_end(void *ctx)
{
    struct fault *fault = ctx;
    struct node_state *state = fault_state_of(fault);
    enum fault_state now = fault_record_of(fault)->state;
    bool asked = state->ends;
    bool lapsed = fault_effect_left(fault).ns <= 0;
    struct base_error err = *fault_node_guard_why(state->guard);
    if (err.code == BASE_OK)
        (void)base_fail(&err, BASE_UNAVAILABLE,
                        "its watchdog (process %d) has ended, or could not ask the API server: no "
                        "node stays cordoned without one",
                        (int)fault_node_guard_pid(state->guard));
    state->ends = false;
    release(fault);
    if (asked)
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
    else if (now == FAULT_STUCK)
        fault_end(fault, FAULT_END_FAILED);
    else if (now == FAULT_APPLYING)
        give_up(fault, &err);
    else if (now != FAULT_REVERTING)
        fault_step_lost(fault, &state->waits, lapsed, &err);
}

static bool start_guard(struct fault *fault, struct dur_ns left, struct base_error *err)
{
    struct node_state *state = fault_state_of(fault);
    json_t *marks = fault_node_set_watched(&state->nodes);
    const struct fault_node_guard_spec spec = {
        .marks = marks, .on_held = on_held, .on_end = on_end, .ctx = fault};
    state->guard = fault_node_guard_start(fault_env_of(fault)->loop, &spec, left, err);
    json_decref(marks);
    return state->guard != NULL;
}

static void node_apply(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->waits = start_guard(fault, fault_effect_left(fault), &err);
    if (!state->waits)
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

/* --- during --- */

static void verified(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    for (size_t i = 0; i < state->nodes.count; i++) {
        struct fault_node_one *one = &state->nodes.list[i];
        bool there = one->error.code == BASE_OK && one->mark.sight == FAULT_NODE_OURS;
        fault_node_say(one, "during", "unschedulable, with this fault's mark", there);
        if (!there && ok)
            (void)base_fail(&err, BASE_UNAVAILABLE, "node %s: %s", one->mark.node, one->mark.words);
        ok = ok && there;
    }
    if (ok && state->drain != NULL)
        fault_drain_run(state->drain);
    else
        fault_step_measured(fault, FAULT_STEP_VERIFY, !ok, &err);
}

static void node_verify(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    fault_node_set_ask(&state->nodes, FAULT_NODE_LOOK, verified);
}

/* An answer that is missing shows nothing: a server that is slow or away takes no mark off. */
static void watched(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->nodes.count; i++) {
        struct fault_node_one *one = &state->nodes.list[i];
        if (one->error.code != BASE_OK || one->mark.sight == FAULT_NODE_OURS)
            continue;
        fault_node_say(one, "during", "unschedulable, with this fault's mark", false);
        BASE_AUTO_FREE char *message = base_str_printf(
            "somebody else has changed node %s meanwhile: %s", one->mark.node, one->mark.words);
        fault_note_error(fault, message);
        fault_end(fault, FAULT_END_FAILED);
        return;
    }
}

/* Nobody waits for what the server says: a lease is renewed by the watchdog's word. */
static void node_renew(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    struct base_error err = {0};
    state->waits = state->guard != NULL &&
                   fault_node_guard_renew(state->guard, fault_effect_left(fault), &err);
    if (!state->waits) {
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
        return;
    }
    if (!fault_node_set_busy(&state->nodes))
        fault_node_set_ask(&state->nodes, FAULT_NODE_LOOK, watched);
}

/* --- the end --- */

static void end_guard(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    state->ends = state->guard != NULL && !fault_node_guard_ended(state->guard);
    if (state->ends)
        fault_node_guard_kill(state->guard);
    else
        fault_step_done(fault, FAULT_OUTCOME_OK, NULL);
}

static void note_opened(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    for (size_t i = 0; i < state->nodes.count; i++) {
        struct fault_node_mark *mark = &state->nodes.list[i].mark;
        if (!mark->opened)
            continue;
        BASE_AUTO_FREE char *message =
            base_str_printf("somebody else has uncordoned node %s meanwhile", mark->node);
        fault_note_error(fault, message);
        mark->opened = false;
    }
}

/* Again until the deadline. As long as one of them may still be there, the watchdog goes on, too;
 * a fault of the journal gets one, which outlasts a server that is away for longer. */
static void reverted(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    const struct base_error *err = fault_node_set_error(&state->nodes);
    struct base_error ignored = {0};
    note_opened(fault);
    if (err == NULL) {
        end_guard(fault);
        return;
    }
    if (state->guard == NULL)
        (void)start_guard(fault, (struct dur_ns){-BASE_NS_PER_S}, &ignored);
    if (fault_is_halted(fault))
        fault_step_done(fault, FAULT_OUTCOME_FAILED, err);
    else
        io_timer_start(&state->again, base_dur_ms(again_ms));
}

/* The watchdog would come in between: it waits while the agent is seen to be at it. */
static void hold_guard(struct node_state *state)
{
    struct base_error ignored = {0};
    if (state->guard != NULL && !fault_node_guard_ended(state->guard))
        (void)fault_node_guard_renew(state->guard, base_dur_s(alive_s), &ignored);
}

static void node_revert(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    state->waits = false;
    state->reverts = true;
    state->looks = looks;
    if (fault_node_set_error(&state->nodes) == NULL)
        hold_guard(state);
    fault_node_set_ask(&state->nodes, FAULT_NODE_LIFT, reverted);
}

static bool is_away(const struct fault_node_one *one)
{
    enum fault_node_sight sight = one->mark.sight;
    return one->error.code == BASE_OK && sight != FAULT_NODE_UNKNOWN && sight != FAULT_NODE_OURS &&
           sight != FAULT_NODE_OPENED && sight != FAULT_NODE_FENCED;
}

/* A watchdog that has begun, too, is ended by the agent: between the two writes of a fence, if it
 * so happens, and the first of them stays. */
static bool lift_again(struct node_state *state)
{
    bool all = true;
    for (size_t i = 0; i < state->nodes.count; i++)
        all = all && is_away(&state->nodes.list[i]);
    return !all && fault_node_set_error(&state->nodes) == NULL && state->looks-- > 0;
}

static void seen_gone(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    struct base_error err = {0};
    bool ok = true;
    if (lift_again(state)) {
        io_timer_start(&state->again, base_dur_ms(again_ms));
        return;
    }
    for (size_t i = 0; i < state->nodes.count; i++) {
        struct fault_node_one *one = &state->nodes.list[i];
        enum fault_node_sight sight = one->mark.sight;
        bool away = is_away(one);
        fault_node_say(one, "after", "schedulable, without a mark",
                       away && sight == FAULT_NODE_FREE);
        if (!away && ok)
            (void)base_fail(&err, BASE_UNAVAILABLE,
                            "node %s: not shown to be uncordoned: %s; its watchdog, the agent's "
                            "next start and squall-agent --sweep try again, or by hand: kubectl "
                            "uncordon %s, kubectl annotate node %s " FAULT_NODE_ANNOTATION "-",
                            one->mark.node, one->mark.words, one->mark.node, one->mark.node);
        ok = ok && away;
        if (!away || sight == FAULT_NODE_FREE)
            continue;
        BASE_AUTO_FREE char *message = base_str_printf(
            "node %s is left as somebody else has it: %s", one->mark.node, one->mark.words);
        fault_note_error(fault, message);
    }
    if (ok)
        end_guard(fault);
    else
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
}

static void node_gone(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    state->reverts = false;
    fault_node_set_ask(&state->nodes, FAULT_NODE_LOOK, seen_gone);
}

static void on_again(void *ctx)
{
    struct node_state *state = fault_state_of(ctx);
    if (state->reverts)
        node_revert(ctx);
    else
        fault_node_set_ask(&state->nodes, FAULT_NODE_LIFT, seen_gone);
}

/* --- housekeeping --- */

static struct dur_ns node_deadline(const struct fault *fault, enum fault_step step)
{
    static const int seconds[FAULT_STEP_COUNT] = {
        [FAULT_STEP_PREPARE] = prepare_s,  [FAULT_STEP_APPLY] = apply_s,
        [FAULT_STEP_VERIFY] = verify_s,    [FAULT_STEP_REVERT] = revert_s,
        [FAULT_STEP_VERIFY_GONE] = gone_s,
    };
    const struct node_state *state = fault_state_of(fault);
    if (state->drain != NULL && step == FAULT_STEP_PREPARE)
        return base_dur_s(list_s);
    if (state->drain != NULL && step == FAULT_STEP_VERIFY) /* ends by itself before */
        return (struct dur_ns){fault_spec_of(fault)->lease.ns + verify_s * BASE_NS_PER_S};
    return seconds[step] > 0 ? base_dur_s(seconds[step]) : fault_step_deadline(fault, step);
}

static void node_close(struct fault *fault)
{
    struct node_state *state = fault_state_of(fault);
    release(fault);
    io_timer_fini(&state->again);
    fault_drain_free(state->drain);
    fault_node_set_fini(&state->nodes);
    free(state);
    fault_set_state(fault, NULL);
}

const struct fault_ops fault_node_ops = {
    .platform = node_platform,
    .open = node_open,
    .undo = node_undo,
    .reopen = node_reopen,
    .step = {[FAULT_STEP_PREPARE] = node_prepare,
             [FAULT_STEP_APPLY] = node_apply,
             [FAULT_STEP_VERIFY] = node_verify,
             [FAULT_STEP_RENEW] = node_renew,
             [FAULT_STEP_REVERT] = node_revert,
             [FAULT_STEP_VERIFY_GONE] = node_gone},
    .deadline = node_deadline,
    .cancel = node_cancel,
    .close = node_close,
};
