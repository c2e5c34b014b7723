/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fault waits for before it begins: its time, an operator, a probe that holds, a probe that
 * decides. Conditions come last, so that what they say is fresh when the fault begins, however long
 * the operator took.
 *
 * Design notes. A suspended run stands still as far as faults are concerned: nothing is in force,
 * nothing begins, no condition is asked about, and all that is planned moves back by as much. The
 * load goes on. A condition that is waited for moves back its own fault and what follows it, and
 * nothing else. An answer counts when it was asked for after the fault's turn had come. What cannot
 * be decided ends the run: neither branch may be taken for what was meant.
 */
#include <stdlib.h>

#include "base/text.h"
#include "run_internal.h"

static const double rounding = 1e-9;

enum { GATES = RG_LEFT + 1 };
static const bool allowed[GATES][GATES] = {
    [RG_SHUT] = {[RG_HOLDING] = true, [RG_WAITING] = true, [RG_ASKING] = true, [RG_OPEN] = true},
    [RG_HOLDING] = {[RG_SUSPENDED] = true},
    [RG_SUSPENDED] = {[RG_WAITING] = true, [RG_ASKING] = true, [RG_OPEN] = true},
    [RG_WAITING] = {[RG_ASKING] = true, [RG_OPEN] = true, [RG_LEFT] = true},
    [RG_ASKING] = {[RG_OPEN] = true, [RG_LEFT] = true},
};

static void move_to(struct run_fault *fault, enum run_gate gate)
{
    if (allowed[fault->gate][gate])
        fault->gate = gate;
}

static const struct plan_fault *planned(const struct run *run, const struct run_fault *fault)
{
    return &run->plan->faults[fault - run->faults];
}

static bool is_paused(const struct run *run)
{
    return run->pause_began.ns != 0;
}

/* The fault that this one follows; NULL: none. */
static const struct run_fault *leader_of(const struct run *run, const struct run_fault *fault)
{
    const char *name = planned(run, fault)->after;
    for (size_t i = 0; name != NULL && i < run->plan->fault_count; i++)
        if (base_str_eq(run->plan->faults[i].spec.name, name))
            return &run->faults[i];
    return NULL;
}

/* When its turn would be, had neither it nor what it follows had to wait. */
static struct mono_ns by_plan(const struct run *run, const struct run_fault *fault)
{
    struct mono_ns at = base_mono_add(run->load_start, planned(run, fault)->at);
    return base_mono_add(at, run->paused);
}

static struct mono_ns due(const struct run *run, const struct run_fault *fault)
{
    const struct run_fault *leader = leader_of(run, fault);
    return base_mono_add(by_plan(run, fault), leader != NULL ? leader->waited : (struct dur_ns){0});
}

/* While what it follows waits, nobody knows when its own time comes. */
static bool has_a_time(const struct run *run, const struct run_fault *fault)
{
    const struct run_fault *leader = leader_of(run, fault);
    bool gated = !plan_gate_is_open(&planned(run, fault)->gate);
    return !is_paused(run) && !(gated && run_fault_must_wait(run, fault)) &&
           (leader == NULL || leader->gate == RG_OPEN || leader->gate == RG_LEFT);
}

static struct run_probe *probe_of(const struct run *run, const char *name, size_t *index)
{
    for (size_t i = 0; i < run->plan->probe_count; i++) {
        if (!base_str_eq(run->plan->probes[i].name, name))
            continue;
        *index = i;
        return &run->probe_states[i];
    }
    return NULL;
}

static const char *condition_of(const struct plan_gate *gate)
{
    return gate->only_if != NULL ? gate->only_if : gate->unless;
}

/* ---- what becomes of it ---- */

static void leave_unmet(struct run *run, struct run_fault *fault, const char *why)
{
    run_fault_leave(run, fault, "fault.unmet", why);
    char *whole = base_str_printf("fault %s: %s", run_fault_spec(run, fault)->name, why);
    run_abort(run, RUN_ABORT_FAULT, whole);
    free(whole);
}

static void open_gate(struct run *run, struct run_fault *fault, struct mono_ns at)
{
    move_to(fault, RG_OPEN);
    fault->opened = at;
    fault->waited = base_mono_sub(at, by_plan(run, fault));
}

static void skip(struct run *run, struct run_fault *fault, char *why)
{
    const struct run_fault *leader = leader_of(run, fault);
    move_to(fault, RG_LEFT);
    fault->waited = leader != NULL ? leader->waited : (struct dur_ns){0};
    run_fault_leave(run, fault, "fault.skipped", why);
    free(why);
}

/* From now on only fresh answers of the probe count, and one is wanted at once. */
static void want_answer(struct run *run, struct run_fault *fault, const char *name,
                        struct mono_ns now)
{
    size_t index;
    struct run_probe *probe = probe_of(run, name, &index);
    fault->turn = now;
    if (probe != NULL)
        probe->next = now;
}

static void begin_waiting(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    const struct plan_gate *gate = &planned(run, fault)->gate;
    char within[BASE_DUR_TEXT];
    base_dur_format(gate->within, within);
    move_to(fault, RG_WAITING);
    fault->deadline = base_mono_add(now, gate->within);
    want_answer(run, fault, gate->wait_for, now);
    run_fault_event(
        run, fault, "fault.waiting",
        json_pack("{s:o,s:s}", "probe", model_json_text(gate->wait_for), "within", within));
}

/* Whatever comes behind the gate that was passed last. */
static void go_on(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    const struct plan_gate *gate = &planned(run, fault)->gate;
    if (fault->gate < RG_HOLDING && gate->suspend.ns > 0) {
        move_to(fault, RG_HOLDING);
        run->pause_began = now;
    } else if (fault->gate < RG_WAITING && gate->wait_for != NULL) {
        begin_waiting(run, fault, now);
    } else if (fault->gate < RG_ASKING && condition_of(gate) != NULL) {
        move_to(fault, RG_ASKING);
        want_answer(run, fault, condition_of(gate), now);
    } else {
        open_gate(run, fault, now);
    }
}

/* ---- the gates ---- */

static bool advance_shut(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    if (!has_a_time(run, fault) || base_mono_before(now, due(run, fault)))
        return false;
    if (plan_gate_is_open(&planned(run, fault)->gate))
        open_gate(run, fault, due(run, fault));
    else
        go_on(run, fault, now);
    return true;
}

static bool anything_is_in_force(const struct run *run)
{
    for (size_t i = 0; i < run->plan->fault_count; i++)
        if (run->faults[i].stage != RF_PLANNED && !run_fault_is_over(&run->faults[i]))
            return true;
    return false;
}

static bool advance_holding(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    const struct plan_gate *gate = &planned(run, fault)->gate;
    char within[BASE_DUR_TEXT];
    if (anything_is_in_force(run))
        return false;
    base_dur_format(gate->suspend, within);
    move_to(fault, RG_SUSPENDED);
    fault->deadline = base_mono_add(now, gate->suspend);
    run->fx->suspended(run->fx->ctx, true);
    run_event_take(run, "run.suspended",
                   json_pack("{s:o,s:o,s:s}", "before",
                             model_json_text(run_fault_spec(run, fault)->name), "message",
                             model_json_text(gate->message), "within", within));
    return true;
}

static bool advance_suspended(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    char within[BASE_DUR_TEXT];
    if (base_mono_before(now, fault->deadline))
        return false;
    base_dur_format(planned(run, fault)->gate.suspend, within);
    char *why = base_str_printf("suspended before fault %s, and nobody continued it within %s",
                                run_fault_spec(run, fault)->name, within);
    run_abort(run, RUN_ABORT_OPERATOR, why);
    free(why);
    return true;
}

static bool is_fresh(const struct run_probe *probe, const struct run_fault *fault)
{
    return probe->answered && !base_mono_before(probe->known_at, fault->turn);
}

static bool advance_waiting(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    const struct plan_gate *gate = &planned(run, fault)->gate;
    size_t index;
    const struct run_probe *probe = probe_of(run, gate->wait_for, &index);
    bool fresh = probe != NULL && is_fresh(probe, fault);
    if (is_paused(run))
        return false;
    if (fresh && probe->held) {
        run_fault_event(run, fault, "fault.met",
                        json_pack("{s:o}", "probe", model_json_text(gate->wait_for)));
        go_on(run, fault, now);
        return true;
    }
    if (base_mono_before(now, fault->deadline))
        return false;
    char within[BASE_DUR_TEXT];
    base_dur_format(gate->within, within);
    char *why = base_str_printf("waited for the probe %s, which did not hold within %s: %s",
                                gate->wait_for, within,
                                !fresh                  ? "it has not answered"
                                : probe->detail != NULL ? probe->detail
                                                        : "no reason given");
    leave_unmet(run, fault, why);
    free(why);
    return true;
}

/* By what it answered all through the faults during which it asks, as its verdict is found. */
static bool held_then(const struct plan_probe *probe, const struct run_probe *state)
{
    double share = (double)state->times_held / (double)state->times;
    return share >= probe->at_least - rounding;
}

static void decide(struct run *run, struct run_fault *fault, bool held, const char *detail,
                   struct mono_ns now)
{
    const struct plan_gate *gate = &planned(run, fault)->gate;
    const char *name = condition_of(gate);
    bool wanted = gate->only_if != NULL;
    if (held == wanted) {
        char *why = base_str_printf("%s %s: it %s", wanted ? "if" : "unless", name,
                                    held ? "held" : "did not hold");
        run_fault_event(run, fault, "fault.chosen",
                        json_pack("{s:o}", "why", model_json_text(why)));
        free(why);
        open_gate(run, fault, now);
    } else if (held)
        skip(run, fault, base_str_printf("unless %s: it held", name));
    else
        skip(run, fault,
             base_str_printf("if %s: it did not hold%s%s", name, detail != NULL ? ": " : "",
                             detail != NULL ? detail : ""));
}

static bool advance_asking(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    const char *name = condition_of(&planned(run, fault)->gate);
    size_t index = 0;
    const struct run_probe *probe = probe_of(run, name, &index);
    const struct plan_probe *plan = &run->plan->probes[index];
    bool during = probe != NULL && plan->mode == PLAN_PROBE_DURING;
    if (is_paused(run))
        return false;
    if (probe == NULL || (during && probe->times == 0)) {
        char *why = base_str_printf("depends on the probe %s, which was never asked", name);
        leave_unmet(run, fault, why);
        free(why);
        return true;
    }
    if (!during && !is_fresh(probe, fault))
        return false; /* a probe always answers in the end */
    decide(run, fault, during ? held_then(plan, probe) : probe->held, probe->detail, now);
    return true;
}

static bool advance_nothing(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    (void)run;
    (void)fault;
    (void)now;
    return false;
}

bool run_gate_advance(struct run *run, struct run_fault *fault, struct mono_ns now)
{
    static bool (*const advance[GATES])(struct run *, struct run_fault *, struct mono_ns) = {
        [RG_SHUT] = advance_shut,           [RG_HOLDING] = advance_holding,
        [RG_SUSPENDED] = advance_suspended, [RG_WAITING] = advance_waiting,
        [RG_ASKING] = advance_asking,       [RG_OPEN] = advance_nothing,
        [RG_LEFT] = advance_nothing,
    };
    if (fault->gate == RG_SHUT || run->load_running)
        return advance[fault->gate](run, fault, now);
    leave_unmet(run, fault, "the load ended before what it waits for had come about");
    return true;
}

struct mono_ns run_gate_next(const struct run *run, const struct run_fault *fault)
{
    const struct mono_ns never = {INT64_MAX};
    switch (fault->gate) {
    case RG_SHUT:
        return has_a_time(run, fault) ? due(run, fault) : never;
    case RG_SUSPENDED:
        return fault->deadline;
    case RG_WAITING:
        return is_paused(run) ? never : fault->deadline;
    default:
        return never;
    }
}

bool run_gates_need(const struct run *run, size_t probe)
{
    const char *name = run->plan->probes[probe].name;
    for (size_t i = 0; i < run->plan->fault_count && !is_paused(run); i++) {
        const struct run_fault *fault = &run->faults[i];
        const struct plan_gate *gate = &run->plan->faults[i].gate;
        if (fault->stage == RF_PLANNED &&
            ((fault->gate == RG_WAITING && base_str_eq(gate->wait_for, name)) ||
             (fault->gate == RG_ASKING && base_str_eq(condition_of(gate), name))))
            return true;
    }
    return false;
}

/* ---- the operator ---- */

/* What had begun to wait goes on waiting for as long as it would have. */
static void end_pause(struct run *run, struct mono_ns now)
{
    struct dur_ns pause = base_mono_sub(now, run->pause_began);
    run->pause_began = (struct mono_ns){0};
    run->paused.ns += pause.ns;
    for (size_t i = 0; i < run->plan->fault_count; i++) {
        struct run_fault *fault = &run->faults[i];
        if (fault->stage != RF_PLANNED)
            continue;
        fault->deadline = base_mono_add(fault->deadline, pause);
        fault->opened = base_mono_add(fault->opened, pause);
        if (fault->gate == RG_WAITING)
            want_answer(run, fault, run->plan->faults[i].gate.wait_for, now);
        else if (fault->gate == RG_ASKING)
            want_answer(run, fault, condition_of(&run->plan->faults[i].gate), now);
    }
}

const char *run_on_continue(struct run *run, const char *by)
{
    struct run_fault *fault = NULL;
    for (size_t i = 0; i < run->plan->fault_count && run->stage == RUN_LOADING; i++)
        if (run->faults[i].gate == RG_SUSPENDED && run->faults[i].stage == RF_PLANNED)
            fault = &run->faults[i];
    if (fault == NULL)
        return NULL;
    const char *name = run_fault_spec(run, fault)->name;
    struct mono_ns now = run_now(run);
    end_pause(run, now);
    run->fx->suspended(run->fx->ctx, false);
    run_event_take(
        run, "run.continued",
        json_pack("{s:o,s:o}", "before", model_json_text(name), "by", model_json_text(by)));
    if (run->stage == RUN_LOADING)
        go_on(run, fault, now);
    run_on_wake(run);
    return name;
}
