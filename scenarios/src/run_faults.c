/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of each fault as the runner drives it. The agent owns the fault (lease, expiry, revert);
 * the runner asks, renews, and does not let go until it knows how the fault ended. While an apply
 * is under way nothing else is asked about that fault: a revert could overtake it on another
 * connection and be told that there is nothing to revert.
 */
#include <stdlib.h>

#include "base/text.h"
#include "run_internal.h"

static const struct dur_ns ASK_AGAIN = {500 * BASE_NS_PER_MS};
/* Beyond the lease, for an agent that is restarted and replays its journal. */
static const struct dur_ns RECOVERY = {15 * BASE_NS_PER_S};
/* The agent's own expiry timer may beat our revert by this much without that being news. */
static const struct dur_ns EXPIRY_SLACK = {BASE_NS_PER_S};

#define FAULT_STAGES 6
static const bool allowed[FAULT_STAGES][FAULT_STAGES] = {
    [RF_PLANNED] = {[RF_APPLYING] = true, [RF_ENDED] = true},
    [RF_APPLYING] =
        {[RF_ACTIVE] = true, [RF_REVERTING] = true, [RF_ENDED] = true, [RF_UNCLEAN] = true},
    [RF_ACTIVE] = {[RF_REVERTING] = true, [RF_ENDED] = true, [RF_UNCLEAN] = true},
    [RF_REVERTING] = {[RF_ENDED] = true, [RF_UNCLEAN] = true},
};

const struct fault_spec *run_fault_spec(const struct run *run, const struct run_fault *fault)
{
    return &run->plan->faults[fault - run->faults].spec;
}

bool run_fault_is_over(const struct run_fault *fault)
{
    return fault->stage == RF_ENDED || fault->stage == RF_UNCLEAN;
}

static void move_to(struct run *run, struct run_fault *fault, enum run_fault_stage stage)
{
    if (!allowed[fault->stage][stage])
        return;
    fault->stage = stage;
    if (stage == RF_UNCLEAN)
        run->outcome.unclean = true;
}

void run_fault_event(struct run *run, const struct run_fault *fault, const char *type,
                     json_t *fields)
{
    const struct fault_spec *spec = run_fault_spec(run, fault);
    json_t *whole = fields != NULL ? fields : json_object();
    json_object_set_new(whole, "id", model_json_text(spec->id));
    json_object_set_new(whole, "name", model_json_text(spec->name));
    run_event_take(run, type, whole);
}

static void announce(struct run *run, const struct run_fault *fault, const char *type,
                     const char *error)
{
    json_t *fields = json_object();
    if (error != NULL)
        json_object_set_new(fields, "error", model_json_text(error));
    if (fault->record != NULL)
        json_object_set(fields, "record", fault->record);
    run_fault_event(run, fault, type, fields);
}

void run_fault_leave(struct run *run, struct run_fault *fault, const char *type, const char *why)
{
    move_to(run, fault, RF_ENDED);
    run_fault_event(run, fault, type, json_pack("{s:o}", "why", model_json_text(why)));
}

static void abort_over(struct run *run, const struct run_fault *fault, enum run_abort by,
                       const char *what)
{
    char *why = base_str_printf("fault %s: %s", run_fault_spec(run, fault)->name, what);
    run_abort(run, by, why);
    free(why);
}

static void ask(struct run *run, struct run_fault *fault, enum run_request request)
{
    fault->asked = true;
    run->fx->fault(run->fx->ctx, (size_t)(fault - run->faults), request);
}

static void start_reverting(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    const struct fault_spec *spec = run_fault_spec(run, fault);
    struct dur_ns patience = {spec->lease.ns + RECOVERY.ns};
    if (spec->kind == FAULT_KILL)
        patience.ns += spec->kill.restart_within.ns;
    move_to(run, fault, RF_REVERTING);
    fault->give_up = base_mono_add(now, patience);
    fault->next = now;
    announce(run, fault, "fault.reverting", NULL);
}

/* A fault that is over: gone, or stuck, as its record says. */
static void settle(struct run *run, struct run_fault *fault, const struct fault_record *record)
{
    if (record->state == FAULT_STUCK) {
        move_to(run, fault, RF_UNCLEAN);
        announce(run, fault, "fault.stuck", record->error);
        abort_over(run, fault, RUN_ABORT_TOOL, "its absence could not be shown");
        return;
    }
    move_to(run, fault, RF_ENDED);
    announce(run, fault, "fault.gone", record->error);
}

/* The newest record of a fault that should be active. */
static void heed_active(struct run *run, struct run_fault *fault, const struct fault_record *record,
                        struct mono_ns now)
{
    if (record->state == FAULT_ACTIVE || record->state == FAULT_APPLYING ||
        record->state == FAULT_REQUESTED)
        return;
    bool in_time = record->end == FAULT_END_EXPIRED && now.ns + EXPIRY_SLACK.ns >= fault->end.ns;
    bool over = fault_state_final(record->state);
    if (over)
        settle(run, fault, record);
    else
        start_reverting(run, fault, now);
    if (in_time)
        return;
    if (record->end == FAULT_END_HALT) {
        run_abort(run, RUN_ABORT_HALT, "halted");
        return;
    }
    char *what = base_str_printf("it ended before its time (%s)", fault_end_name(record->end));
    abort_over(run, fault, RUN_ABORT_TOOL, what);
    free(what);
}

static void lose_agent(struct run *run, struct run_fault *fault, const char *error,
                       struct mono_ns now)
{
    announce(run, fault, "agent.lost", error);
    start_reverting(run, fault, now);
    char *what = base_str_printf("the agent does not answer (%s)", error);
    abort_over(run, fault, RUN_ABORT_TOOL, what);
    free(what);
}

static void on_applied(struct run *run, struct run_fault *fault, const struct run_reply *reply,
                       struct mono_ns now)
{
    const char *error = reply->error != NULL ? reply->error : "no reason given";
    switch (reply->kind) {
    case RUN_REPLY_UNREACHABLE:
        lose_agent(run, fault, error, now);
        return;
    case RUN_REPLY_UNSENT:
        move_to(run, fault, RF_ENDED);
        announce(run, fault, "agent.lost", error);
        abort_over(run, fault, RUN_ABORT_TOOL, error);
        return;
    case RUN_REPLY_HALTED:
        move_to(run, fault, RF_ENDED);
        announce(run, fault, "fault.failed", error);
        run_abort(run, RUN_ABORT_HALT, error);
        return;
    case RUN_REPLY_REFUSED:
    case RUN_REPLY_UNKNOWN:
        move_to(run, fault, RF_ENDED);
        announce(run, fault, "fault.failed", error);
        abort_over(run, fault, RUN_ABORT_FAULT, error);
        return;
    case RUN_REPLY_RECORD:
        break;
    }
    const struct fault_record *record = reply->record;
    if (record->state == FAULT_ACTIVE) {
        move_to(run, fault, RF_ACTIVE);
        announce(run, fault, "fault.active", NULL);
    } else if (record->end == FAULT_END_FAILED || record->state == FAULT_INEFFECTIVE ||
               record->state == FAULT_FAILED) {
        const char *what = record->error != NULL ? record->error : "it could not be applied";
        announce(run, fault,
                 fault_record_ineffective(record) ? "fault.ineffective" : "fault.failed", what);
        if (fault_state_final(record->state))
            settle(run, fault, record);
        else
            start_reverting(run, fault, now);
        abort_over(run, fault, RUN_ABORT_FAULT, what);
    } else {
        heed_active(run, fault, record, now);
    }
}

static void on_reverted(struct run *run, struct run_fault *fault, const struct run_reply *reply,
                        struct mono_ns now)
{
    fault->next = base_mono_add(now, ASK_AGAIN);
    if (reply->kind == RUN_REPLY_RECORD && fault_state_final(reply->record->state)) {
        settle(run, fault, reply->record);
    } else if (reply->kind == RUN_REPLY_UNKNOWN) {
        /* It may never have begun, or the agent came back without its journal: nobody can tell. */
        move_to(run, fault, RF_UNCLEAN);
        announce(run, fault, "fault.stuck", "the agent no longer knows this fault");
        abort_over(run, fault, RUN_ABORT_TOOL, "the agent no longer knows it");
    }
}

static void on_renewed(struct run *run, struct run_fault *fault, const struct run_reply *reply,
                       struct mono_ns now)
{
    const struct fault_spec *spec = run_fault_spec(run, fault);
    if (fault->stage != RF_ACTIVE)
        return;
    if (reply->kind == RUN_REPLY_RECORD) {
        heed_active(run, fault, reply->record, now);
    } else if (reply->kind == RUN_REPLY_REFUSED || reply->kind == RUN_REPLY_UNKNOWN) {
        ask(run, fault, RUN_STATUS); /* its record says why */
    } else if (now.ns - fault->heard.ns > spec->lease.ns) {
        lose_agent(run, fault, reply->error, now);
    } else {
        fault->next = base_mono_add(now, (struct dur_ns){spec->lease.ns / 6});
        announce(run, fault, "fault.renew-lost", reply->error);
    }
}

static void on_status(struct run *run, struct run_fault *fault, const struct run_reply *reply,
                      struct mono_ns now)
{
    if (fault->stage != RF_ACTIVE)
        return;
    if (reply->kind == RUN_REPLY_RECORD)
        heed_active(run, fault, reply->record, now);
    else if (reply->kind == RUN_REPLY_UNKNOWN)
        lose_agent(run, fault, "it no longer knows the fault", now);
}

/* Instances that came meanwhile. */
static void tell_arrivals(struct run *run, struct run_fault *fault,
                          const struct fault_record *record)
{
    for (; fault->arrivals < record->arrival_count; fault->arrivals++) {
        const struct fault_arrival *arrival = &record->arrivals[fault->arrivals];
        run_fault_event(run, fault, arrival->joined ? "fault.joined" : "fault.missed",
                        json_pack("{s:o,s:o,s:o,s:o}", "target", model_json_text(arrival->target),
                                  "what", model_json_text(arrival->what), "who",
                                  model_json_text(arrival->who), "how",
                                  model_json_text(arrival->how)));
    }
}

void run_on_fault(struct run *run, size_t index, enum run_request request,
                  const struct run_reply *reply)
{
    struct run_fault *fault = &run->faults[index];
    struct mono_ns now = run_now(run);
    if (request == RUN_RENEW)
        fault->renewing = false;
    else
        fault->asked = false;
    if (run_fault_is_over(fault))
        return;
    if (reply->kind != RUN_REPLY_UNREACHABLE && reply->kind != RUN_REPLY_UNSENT)
        fault->heard = now;
    if (reply->kind == RUN_REPLY_RECORD) {
        json_decref(fault->record);
        fault->record = fault_record_to_json(reply->record);
        tell_arrivals(run, fault, reply->record);
    }
    if (request == RUN_APPLY && fault->stage == RF_APPLYING)
        on_applied(run, fault, reply, now);
    else if (request == RUN_REVERT && fault->stage == RF_REVERTING)
        on_reverted(run, fault, reply, now);
    else if (request == RUN_RENEW)
        on_renewed(run, fault, reply, now);
    else if (request == RUN_STATUS)
        on_status(run, fault, reply, now);
    run_on_wake(run);
}

static void apply(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    const struct fault_spec *spec = run_fault_spec(run, fault);
    announce(run, fault, "fault.requested", NULL);
    if (run->stage != RUN_LOADING)
        return; /* the event itself ended the run: the disk is full */
    move_to(run, fault, RF_APPLYING);
    fault->heard = now;
    fault->end = base_mono_add(now, spec->duration);
    fault->next = base_mono_add(now, (struct dur_ns){spec->lease.ns / 3});
    ask(run, fault, RUN_APPLY);
}

static bool advance_active(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    if (!base_mono_before(now, fault->end) || run->stage == RUN_REVERTING) {
        start_reverting(run, fault, now);
        return true;
    }
    if (fault->renewing || base_mono_before(now, fault->next))
        return false;
    fault->renewing = true;
    fault->next = base_mono_add(now, (struct dur_ns){run_fault_spec(run, fault)->lease.ns / 3});
    run->fx->fault(run->fx->ctx, (size_t)(fault - run->faults), RUN_RENEW);
    return true;
}

static bool advance_reverting(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    if (!base_mono_before(now, fault->give_up)) {
        move_to(run, fault, RF_UNCLEAN);
        announce(run, fault, "fault.stuck", "the agent could not be asked whether it is gone");
        abort_over(run, fault, RUN_ABORT_TOOL, "not known to be gone");
        return true;
    }
    if (fault->asked || base_mono_before(now, fault->next))
        return false;
    ask(run, fault, RUN_REVERT);
    return true;
}

static bool share_a_target(const struct fault_spec *a, const struct fault_spec *b)
{
    for (size_t i = 0; i < a->target_count; i++)
        for (size_t k = 0; k < b->target_count; k++)
            if (base_str_eq(a->targets[i], b->targets[k]))
                return true;
    return false;
}

/* Whether it must wait for another to be measured gone: one that it follows, or one that is due to
 * end as it begins and still holds a target of its. */
bool run_fault_must_wait(const struct run *run, const struct run_fault *fault)
{
    const struct fault_spec *spec = run_fault_spec(run, fault);
    const char *leader = run->plan->faults[fault - run->faults].after;
    for (size_t i = 0; i < run->plan->fault_count; i++) {
        const struct run_fault *other = &run->faults[i];
        if (other == fault || run_fault_is_over(other))
            continue;
        if ((leader != NULL && base_str_eq(run_fault_spec(run, other)->name, leader)) ||
            (other->stage != RF_PLANNED && share_a_target(run_fault_spec(run, other), spec)))
            return true;
    }
    return false;
}

/* A fault that has not begun. */
static bool advance_planned(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    if (run->stage == RUN_REVERTING) {
        move_to(run, fault, RF_ENDED);
        return true;
    }
    if (run->stage != RUN_LOADING)
        return false;
    if (fault->gate != RG_OPEN)
        return run_gate_advance(run, fault, now); /* its phase comes first, then the fault */
    if (run_fault_must_wait(run, fault) || run->pause_began.ns != 0)
        return false;
    if (run->load_running)
        apply(run, fault, now);
    else
        abort_over(run, fault, RUN_ABORT_FAULT,
                   "what it had to wait for was gone only after the load had ended");
    return true;
}

bool run_faults_advance(struct run *run, struct mono_ns now)
{
    bool changed = false;
    for (size_t i = 0; i < run->plan->fault_count; i++) {
        struct run_fault *fault = &run->faults[i];
        if (fault->stage == RF_PLANNED) {
            changed |= advance_planned(run, fault, now);
        } else if (fault->stage == RF_ACTIVE) {
            changed |= advance_active(run, fault, now);
        } else if (fault->stage == RF_REVERTING) {
            changed |= advance_reverting(run, fault, now);
        }
    }
    return changed;
}

bool run_faults_over(const struct run *run)
{
    for (size_t i = 0; i < run->plan->fault_count; i++) {
        if (!run_fault_is_over(&run->faults[i]))
            return false;
    }
    return true;
}

struct mono_ns run_faults_next(const struct run *run)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < run->plan->fault_count; i++) {
        const struct run_fault *fault = &run->faults[i];
        int64_t due = INT64_MAX;
        if (fault->stage == RF_PLANNED && run->stage == RUN_LOADING)
            due = run_gate_next(run, fault).ns;
        else if (fault->stage == RF_ACTIVE)
            due =
                fault->renewing || fault->end.ns < fault->next.ns ? fault->end.ns : fault->next.ns;
        else if (fault->stage == RF_REVERTING)
            due = fault->asked || fault->give_up.ns < fault->next.ns ? fault->give_up.ns
                                                                     : fault->next.ns;
        first = due < first ? due : first;
    }
    return (struct mono_ns){first};
}
