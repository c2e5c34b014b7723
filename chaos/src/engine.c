/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <stdlib.h>

#include "base/text.h"
#include "fault_inside.h"
#include "lifecycle.h"

static const struct {
    const char *name;
    int64_t deadline_s;
} steps[FAULT_STEP_COUNT] = {
    [FAULT_STEP_NONE] = {"nothing", 1},
    [FAULT_STEP_PREPARE] = {"measuring before", 10},
    [FAULT_STEP_APPLY] = {"applying", 5},
    [FAULT_STEP_VERIFY] = {"measuring the effect", 30},
    [FAULT_STEP_RENEW] = {"renewing", 2},
    [FAULT_STEP_REVERT] = {"reverting", 5},
    [FAULT_STEP_VERIFY_GONE] = {"measuring the absence", 10},
};

static void move(struct fault *fault, enum fault_state to)
{
    struct base_error err = {0};
    enum fault_state from = fault->record.state;
    if (!fault_move(&fault->record, to, base_wall_now(), &err)) {
        base_log_line(fault->env->log, BASE_ERROR, err.message, BASE_TEXT("fault", fault->spec.id));
        return;
    }
    base_log_line(fault->env->log, to == FAULT_STUCK ? BASE_ERROR : BASE_INFO, "fault moved",
                  BASE_TEXT("fault", fault->spec.id), BASE_TEXT("from", fault_state_name(from)),
                  BASE_TEXT("to", fault_state_name(to)),
                  BASE_TEXT("end", fault_end_name(fault->record.end)),
                  BASE_TEXT("error", fault->record.error));
}

static void settled(struct fault *fault)
{
    fault->env->on_settled(fault->env->ctx, fault);
}

/* --- one step --- */

static void step_begin(struct fault *fault, enum fault_step step)
{
    fault->step = step;
    fault->step_over = false;
    fault->step_error = (struct base_error){0};
    struct dur_ns deadline = {0};
    if (fault->ops->deadline != NULL)
        deadline = fault->ops->deadline(fault, step);
    if (deadline.ns <= 0)
        deadline = base_dur_s(steps[step].deadline_s);
    io_timer_start(&fault->deadline_timer, deadline);
    fault->ops->step[step](fault);
}

void fault_step_done(struct fault *fault, enum fault_outcome outcome, const struct base_error *err)
{
    if (fault->step == FAULT_STEP_NONE || fault->step_over)
        return;
    fault->step_over = true;
    fault->outcome = outcome;
    if (err != NULL)
        fault->step_error = *err;
    io_timer_stop(&fault->deadline_timer);
    io_timer_start(&fault->next_timer, (struct dur_ns){0});
}

static void on_deadline(void *ctx)
{
    struct fault *fault = ctx;
    struct base_error err = {0};
    if (fault->step_over)
        return;
    if (fault->ops->late != NULL)
        fault->ops->late(fault, fault->step);
    fault->ops->cancel(fault);
    (void)base_fail(&err, BASE_TIMEOUT, "%s took too long", steps[fault->step].name);
    bool verify = fault->step == FAULT_STEP_VERIFY;
    fault_step_done(fault, verify ? FAULT_OUTCOME_NO_EFFECT : FAULT_OUTCOME_FAILED, &err);
}

static void step_abandon(struct fault *fault)
{
    fault->ops->cancel(fault);
    io_timer_stop(&fault->deadline_timer);
    io_timer_stop(&fault->next_timer);
    fault->step = FAULT_STEP_NONE;
    fault->step_over = false;
}

/* --- the way out --- */

/* A fault that is gone is shown for an hour; what it held (namespaces, sockets, pidfds, a token's
 * path) is let go at once, so that a namespace can end and descriptors do not run out. */
static void release(struct fault *fault)
{
    if (fault->state == NULL)
        return;
    fault->ops->cancel(fault);
    fault->ops->close(fault);
}

static void begin_revert(struct fault *fault)
{
    fault_await_nothing(fault);
    io_timer_stop(&fault->lease_timer);
    fault->reverted_again = false;
    move(fault, FAULT_REVERTING);
    step_begin(fault, FAULT_STEP_REVERT);
}

/* Refused or ended before anything was applied: there is nothing to revert. */
static void end_unapplied(struct fault *fault)
{
    if (fault->record.end == FAULT_END_NONE)
        fault->record.end = FAULT_END_FAILED;
    if (fault->record.error == NULL)
        fault_note_error(fault, "ended before it was applied");
    move(fault, FAULT_FAILED);
    move(fault, FAULT_GONE);
    release(fault);
    settled(fault);
}

static void fail(struct fault *fault, enum fault_state as)
{
    fault_note_error(fault, fault->step_error.message);
    if (fault->record.end == FAULT_END_NONE)
        fault->record.end = FAULT_END_FAILED;
    if (fault->record.state != FAULT_ACTIVE)
        move(fault, as);
    begin_revert(fault);
}

void fault_end(struct fault *fault, enum fault_end why)
{
    fault->halted = fault->halted || why == FAULT_END_HALT;
    if (fault->record.state == FAULT_GONE || fault->record.state == FAULT_REVERTING ||
        fault->unknown)
        return;
    if (fault->record.end == FAULT_END_NONE)
        fault->record.end = why;
    /* A half-done apply or renewal must not land behind the revert: they end first, and soon. So
     * does an entry of what is not in place yet. */
    if (fault->step == FAULT_STEP_APPLY || fault->step == FAULT_STEP_RENEW ||
        fault->awaits == AWAITS_ENTRY || fault->awaits == AWAITS_REMOVAL)
        return;
    fault_await_nothing(fault);
    if (fault->step == FAULT_STEP_PREPARE || fault->step == FAULT_STEP_VERIFY)
        step_abandon(fault);
    if (!fault->applied) {
        end_unapplied(fault);
        return;
    }
    if (fault->record.state == FAULT_APPLYING)
        fault_note_error(fault, "ended before its effect was measured");
    begin_revert(fault);
}

/* --- the lease --- */

static void lease_watch(struct fault *fault)
{
    io_timer_start(&fault->lease_timer, fault_effect_left(fault));
}

static void on_lease(void *ctx)
{
    struct fault *fault = ctx;
    enum fault_end end = fault_lease_check(&fault->lease, base_mono_now());
    if (end == FAULT_END_NONE)
        lease_watch(fault);
    else
        fault_end(fault, end);
}

static void lease_begin(struct fault *fault)
{
    struct dur_ns lease = fault->spec.lease;
    struct dur_ns promised = base_mono_sub(fault->promised, base_mono_now());
    if (fault->promised.ns != 0 && promised.ns < lease.ns)
        lease = promised;
    if (fault->ops->instant != NULL && fault->ops->instant(&fault->spec) &&
        lease.ns < fault->spec.duration.ns)
        lease = fault->spec.duration;
    fault->lease = fault_lease_start(base_mono_now(), lease, fault->spec.duration);
    fault->record.expires_at = base_wall_add(fault->record.applied_at, fault->spec.duration);
    lease_watch(fault);
}

bool fault_renew(struct fault *fault, struct dur_ns lease, struct base_error *err)
{
    bool early = fault->record.state == FAULT_REQUESTED || fault->record.state == FAULT_APPLYING;
    if (fault->record.end != FAULT_END_NONE || (!early && fault->record.state != FAULT_ACTIVE))
        return base_fail(err, BASE_NOT_FOUND, "fault %s is %s: there is nothing to renew",
                         fault->spec.id, fault_state_name(fault->record.state));
    if (fault->record.state == FAULT_REQUESTED)
        return true; /* its lease begins when it is applied */
    if (!fault_lease_renew(&fault->lease, base_mono_now(), lease)) {
        on_lease(fault); /* a stopped process sees the request before its timer */
        return base_fail(err, BASE_NOT_FOUND, "fault %s: its lease had lapsed already",
                         fault->spec.id);
    }
    lease_watch(fault);
    if (fault->step == FAULT_STEP_NONE && fault->record.state == FAULT_ACTIVE)
        step_begin(fault, FAULT_STEP_RENEW);
    else
        fault->renewal_due = true; /* after what is under way */
    return true;
}

/* --- what follows a step --- */

static void on_requested(void *ctx, const struct base_error *err)
{
    struct fault *fault = ctx;
    fault->awaits = AWAITS_NOTHING;
    if (err == NULL) {
        step_begin(fault, FAULT_STEP_PREPARE);
        return;
    }
    fault->refused = true;
    fault->step_error = *err;
    fault_note_error(fault, err->message);
    end_unapplied(fault);
}

/* The record is to say "could not be applied", not "had no effect". */
static void not_applied(struct fault *fault)
{
    fault->record.applied_at = (struct wall_ns){0};
    fault->record.expires_at = (struct wall_ns){0};
}

static void on_unapplied_removed(void *ctx, const struct base_error *err)
{
    struct fault *fault = ctx;
    (void)err; /* why it could not be written is on record already */
    fault->awaits = AWAITS_NOTHING;
    end_unapplied(fault);
}

/* Its entry may have its name already, and be unsynced. */
static void take_back(struct fault *fault)
{
    io_timer_stop(&fault->lease_timer);
    not_applied(fault);
    fault_await_removal(fault, on_unapplied_removed);
}

static void on_entry(void *ctx, const struct base_error *err)
{
    struct fault *fault = ctx;
    fault->awaits = AWAITS_NOTHING;
    if (err != NULL)
        fault_note_error(fault, err->message);
    if (err != NULL || fault->record.end != FAULT_END_NONE) {
        take_back(fault);
        return;
    }
    fault->applied = true;
    step_begin(fault, FAULT_STEP_APPLY);
}

static void begin_apply(struct fault *fault)
{
    struct base_error err = {0};
    move(fault, FAULT_APPLYING);
    lease_begin(fault);
    if (!fault_await_entry(fault, AWAITS_ENTRY, on_entry, &err)) {
        fault_note_error(fault, err.message);
        take_back(fault);
    }
}

static void after_prepare(struct fault *fault)
{
    if (fault->outcome != FAULT_OUTCOME_OK) {
        fault_note_error(fault, fault->step_error.message);
        end_unapplied(fault);
    } else if (fault->hold) {
        fault->held = true;
        settled(fault);
    } else {
        begin_apply(fault);
    }
}

static void after_apply(struct fault *fault)
{
    if (fault->outcome != FAULT_OUTCOME_OK) {
        not_applied(fault); /* some targets may have it: all are reverted */
        fail(fault, FAULT_FAILED);
    } else if (fault->record.end != FAULT_END_NONE) {
        fault_end(fault, fault->record.end);
    } else {
        step_begin(fault, FAULT_STEP_VERIFY);
    }
}

static void after_renew(struct fault *fault)
{
    if (fault->outcome != FAULT_OUTCOME_OK) {
        fail(fault, FAULT_FAILED);
        return;
    }
    if (fault->record.end != FAULT_END_NONE) {
        fault_end(fault, fault->record.end);
        return;
    }
    if (fault->renewal_due) {
        fault->renewal_due = false;
        step_begin(fault, FAULT_STEP_RENEW);
        return;
    }
    if (fault->verify_due) {
        fault->verify_due = false;
        step_begin(fault, FAULT_STEP_VERIFY);
        return;
    }
    settled(fault);
}

static void now_active(struct fault *fault)
{
    if (fault->record.end != FAULT_END_NONE)
        return; /* a renewal is under way, and ends it */
    /* The controller learns of the fault only now: its lease starts anew. */
    struct mono_ns now = base_mono_now();
    struct dur_ns left = fault_lease_left(&fault->lease, now);
    if (left.ns < fault->spec.lease.ns * 3 / 4 && fault->promised.ns == 0)
        fault->renewal_due =
            fault_lease_renew(&fault->lease, now, fault->spec.lease) || fault->renewal_due;
    if (fault->step != FAULT_STEP_NONE)
        return; /* a renewal that came meanwhile goes on */
    if (fault->renewal_due) {
        fault->renewal_due = false;
        lease_watch(fault);
        step_begin(fault, FAULT_STEP_RENEW);
        return;
    }
    settled(fault);
}

/* The entry from before the apply is on disk in any case: enough to revert by. */
static void on_update(void *ctx, const struct base_error *err)
{
    fault_updated(ctx, err);
    now_active(ctx);
}

static void after_verify(struct fault *fault)
{
    struct base_error err = {0};
    if (fault->outcome != FAULT_OUTCOME_OK) {
        fail(fault, fault->outcome == FAULT_OUTCOME_NO_EFFECT ? FAULT_INEFFECTIVE : FAULT_FAILED);
        return;
    }
    fault->verified++;
    if (fault->record.state == FAULT_ACTIVE) { /* measured again, of a lease that goes on */
        after_renew(fault);
        return;
    }
    move(fault, FAULT_ACTIVE);
    if (!fault_await_entry(fault, AWAITS_UPDATE, on_update, &err))
        on_update(fault, &err);
}

/* A call that failed once, for want of memory say, is made once more before a person is called;
 * what was found to be so is so. */
static bool once_more(struct fault *fault)
{
    if (fault->outcome == FAULT_OUTCOME_OK || fault->step_error.sys == 0 || fault->reverted_again ||
        fault->unknown)
        return false;
    fault->reverted_again = true;
    step_begin(fault, FAULT_STEP_REVERT);
    return true;
}

static void after_revert(struct fault *fault)
{
    if (once_more(fault))
        return;
    if (fault->outcome != FAULT_OUTCOME_OK)
        fault_note_error(fault, fault->step_error.message);
    step_begin(fault, FAULT_STEP_VERIFY_GONE); /* the absence counts, however it came about */
}

static void on_removed(void *ctx, const struct base_error *err)
{
    struct fault *fault = ctx;
    fault->awaits = AWAITS_NOTHING;
    move(fault, FAULT_GONE);
    if (err != NULL)
        base_log_line(fault->env->log, BASE_WARN, err->message, BASE_TEXT("fault", fault->spec.id));
    release(fault);
    settled(fault);
}

static void after_gone(struct fault *fault)
{
    if (once_more(fault))
        return;
    if (fault->outcome != FAULT_OUTCOME_OK) {
        fault_note_error(fault, fault->step_error.message);
        move(fault, FAULT_STUCK);
        settled(fault);
        return;
    }
    fault_await_removal(fault, on_removed);
}

void fault_go_on(struct fault *fault)
{
    if (!fault->held || fault->record.state != FAULT_REQUESTED)
        return;
    fault->held = false;
    begin_apply(fault);
}

static void on_next(void *ctx)
{
    static void (*const after[FAULT_STEP_COUNT])(struct fault *) = {
        [FAULT_STEP_PREPARE] = after_prepare, [FAULT_STEP_APPLY] = after_apply,
        [FAULT_STEP_VERIFY] = after_verify,   [FAULT_STEP_RENEW] = after_renew,
        [FAULT_STEP_REVERT] = after_revert,   [FAULT_STEP_VERIFY_GONE] = after_gone,
    };
    struct fault *fault = ctx;
    enum fault_step step = fault->step;
    if (step == FAULT_STEP_NONE)
        return;
    fault->step = FAULT_STEP_NONE;
    fault->step_over = false;
    after[step](fault);
}

/* --- birth and death --- */

static struct fault *fault_alloc(struct fault_env *env, const struct fault_spec *spec)
{
    struct fault *fault = base_calloc(1, sizeof *fault);
    fault->env = env;
    fault->ops = fault_ops_for(spec);
    io_timer_init(&fault->lease_timer, env->loop, on_lease, fault);
    io_timer_init(&fault->deadline_timer, env->loop, on_deadline, fault);
    io_timer_init(&fault->next_timer, env->loop, on_next, fault);
    return fault;
}

static void record_init(struct fault_record *record, const struct fault_spec *spec)
{
    *record = (struct fault_record){
        .id = base_str_dup(spec->id),
        .run = base_str_dup(spec->run),
        .name = base_str_dup(spec->name),
        .kind = spec->kind,
        .state = FAULT_REQUESTED,
        .requested_at = base_wall_now(),
    };
    record->targets = base_calloc(spec->target_count, sizeof *record->targets);
    record->target_count = spec->target_count;
    for (size_t i = 0; i < spec->target_count; i++)
        record->targets[i] = base_str_dup(spec->targets[i]);
}

struct fault *fault_new(struct fault_env *env, const struct fault_spec *spec,
                        const struct topo *topo, struct base_error *err)
{
    struct fault *fault = fault_alloc(env, spec);
    fault_spec_copy(&fault->spec, spec);
    record_init(&fault->record, spec);
    if (!fault->ops->open(fault, topo, err)) {
        (void)base_fail_context(err, "fault %s", spec->id);
        fault_free(fault);
        return NULL;
    }
    return fault;
}

void fault_start(struct fault *fault)
{
    if (fault->spec.parent != NULL) /* of one that has waited already */
        step_begin(fault, FAULT_STEP_PREPARE);
    else
        fault_await_request(fault, on_requested);
}

struct fault *fault_recover(struct fault_env *env, struct agent_journal_entry *entry)
{
    struct fault *fault = fault_alloc(env, &entry->spec);
    fault->spec = entry->spec;
    fault->record = entry->record;
    fault->applied = true;
    fault->record.end = FAULT_END_RECOVERY;
    fault_note_error(fault, "the agent died while it was in place; found in the journal");
    struct base_error err = {0};
    bool ok = json_array_size(entry->undo) == fault->spec.target_count
                  ? fault->ops->reopen(fault, entry->undo, &err)
                  : base_fail(&err, BASE_CORRUPT, "its journal entry does not say how to revert");
    json_decref(entry->undo);
    *entry = (struct agent_journal_entry){0};
    move(fault, FAULT_REVERTING);
    if (ok) {
        step_begin(fault, FAULT_STEP_REVERT);
    } else {
        /* Through the usual way, so that whoever waits for it hears of it. */
        fault->unknown = true;
        fault->step = FAULT_STEP_VERIFY_GONE;
        fault_step_done(fault, FAULT_OUTCOME_FAILED, &err);
    }
    return fault;
}

struct fault *fault_of_past(struct fault_env *env, struct fault_spec *spec,
                            struct fault_record *record)
{
    struct fault *fault = fault_alloc(env, spec);
    fault->spec = *spec;
    fault->record = *record;
    *spec = (struct fault_spec){0};
    *record = (struct fault_record){0};
    return fault;
}

void fault_free(struct fault *fault)
{
    if (fault == NULL)
        return;
    fault_await_nothing(fault);
    release(fault);
    io_timer_fini(&fault->lease_timer);
    io_timer_fini(&fault->deadline_timer);
    io_timer_fini(&fault->next_timer);
    fault_spec_fini(&fault->spec);
    fault_record_fini(&fault->record);
    free(fault);
}
