/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes: questions asked again and again while their time lasts (`continuous`: while there is
 * load; `during`: while one of their faults is active; `after`: while the run settles, until they
 * hold; `gate`: while a fault wants to know, run_gates.c). Those that come `before` are
 * steady-state checks (run.c). An answer counts for the time at which it was asked. What is judged
 * is what is written down here.
 */
#include <stdlib.h>

#include "base/text.h"
#include "run_internal.h"

void run_probes_init(struct run *run)
{
    run->probe_states = base_calloc(run->plan->probe_count, sizeof *run->probe_states);
}

void run_probes_fini(struct run *run)
{
    for (size_t i = 0; run->probe_states != NULL && i < run->plan->probe_count; i++)
        free(run->probe_states[i].detail);
    free(run->probe_states);
    run->probe_states = NULL;
}

static bool a_fault_is_active(const struct run *run, const struct plan_probe *probe)
{
    for (size_t i = 0; i < run->plan->fault_count; i++) {
        if (run->faults[i].stage != RF_ACTIVE)
            continue;
        for (size_t k = 0; k < probe->fault_count; k++)
            if (base_str_eq(run->plan->faults[i].spec.name, probe->faults[k]))
                return true;
    }
    return false;
}

static struct mono_ns give_up_at(const struct run *run, const struct plan_probe *probe)
{
    return base_mono_add(run->settling_since, probe->within);
}

static bool is_its_time(const struct run *run, size_t n, struct mono_ns now)
{
    const struct plan_probe *probe = &run->plan->probes[n];
    switch (probe->mode) {
    case PLAN_PROBE_BEFORE:
        return false;
    case PLAN_PROBE_DURING:
        return run->stage == RUN_LOADING && a_fault_is_active(run, probe);
    case PLAN_PROBE_CONTINUOUS:
        return run->stage == RUN_LOADING && run->load_running;
    case PLAN_PROBE_GATE:
        return run->stage == RUN_LOADING && run_gates_need(run, n);
    case PLAN_PROBE_AFTER:
        return run->stage == RUN_SETTLING && !run->probe_states[n].held &&
               base_mono_before(now, give_up_at(run, probe));
    }
    return false;
}

size_t run_probes_before(const struct run *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->plan->probe_count; i++)
        count += run->plan->probes[i].mode == PLAN_PROBE_BEFORE ? 1 : 0;
    return count;
}

void run_probes_ask_before(struct run *run)
{
    for (size_t i = 0; i < run->plan->probe_count; i++) {
        if (run->plan->probes[i].mode != PLAN_PROBE_BEFORE || run->probe_states[i].asked)
            continue;
        run->probe_states[i].asked = true;
        run->fx->probe(run->fx->ctx, i);
    }
}

void run_probes_advance(struct run *run, struct mono_ns now)
{
    for (size_t i = 0; i < run->plan->probe_count; i++) {
        struct run_probe *state = &run->probe_states[i];
        if (state->asked || base_mono_before(now, state->next) || !is_its_time(run, i, now))
            continue;
        state->asked = true;
        state->asked_at = now;
        state->next = base_mono_add(now, run->plan->probes[i].every);
        run->fx->probe(run->fx->ctx, i);
    }
}

struct mono_ns run_probes_next(const struct run *run)
{
    struct mono_ns now = run_now(run);
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < run->plan->probe_count; i++) {
        const struct run_probe *state = &run->probe_states[i];
        if (!is_its_time(run, i, now))
            continue;
        int64_t due = state->asked ? INT64_MAX : state->next.ns;
        int64_t end = run->plan->probes[i].mode == PLAN_PROBE_AFTER
                          ? give_up_at(run, &run->plan->probes[i]).ns
                          : INT64_MAX;
        due = due < end ? due : end;
        first = due < first ? due : first;
    }
    return (struct mono_ns){first};
}

bool run_probes_settled(const struct run *run, struct mono_ns now)
{
    for (size_t i = 0; i < run->plan->probe_count; i++)
        if (run->plan->probes[i].mode == PLAN_PROBE_AFTER &&
            (run->probe_states[i].asked || is_its_time(run, i, now)))
            return false;
    return true;
}

void run_on_probe(struct run *run, size_t probe, bool ok, const char *detail)
{
    struct run_probe *state = &run->probe_states[probe];
    const char *name = run->plan->probes[probe].name;
    if (!state->asked || run->stage == RUN_DONE)
        return;
    bool news = !state->answered || state->held != ok;
    state->asked = false;
    state->answered = true;
    state->held = ok;
    state->known_at = state->asked_at;
    state->times++;
    state->times_held += ok ? 1 : 0;
    free(state->detail);
    state->detail = base_str_dup(detail);
    if (run->plan->probes[probe].mode == PLAN_PROBE_BEFORE) {
        run_check_answered(run, name, ok, detail);
        return;
    }
    run_note_probe(run, name, ok, detail);
    if (news)
        run_event_take(run, "probe.changed",
                       json_pack("{s:o,s:b,s:o}", "probe", model_json_text(name), "ok", ok,
                                 "detail", model_json_text(ok ? NULL : detail)));
    run_on_wake(run);
}
