/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which phase it is. Without anything to wait for these are the plan's phases at the plan's times;
 * what waits begins later, or never, and so does its phase: no request is counted as one during a
 * fault that was not its turn. The phases of stages are the generator's own business, which has
 * them by when requests are due, until it is told of another.
 */
#include <stdlib.h>

#include "base/text.h"
#include "phases.h"
#include "run_internal.h"

/* Of the faults whose turn has come; names are borrowed, free() the list. */
static struct scn_timeline windows_of(const struct run *run)
{
    const struct plan *plan = run->plan;
    struct scn_timeline out = {.list = base_calloc(plan->fault_count, sizeof *out.list)};
    for (size_t i = 0; i < plan->fault_count; i++) {
        const struct run_fault *fault = &run->faults[i];
        bool kept_back = fault->stage == RF_PLANNED && run->pause_began.ns != 0;
        if (fault->gate != RG_OPEN || kept_back)
            continue;
        out.list[out.count++] = (struct scn_occurrence){
            .name = plan->faults[i].spec.name,
            .at = base_mono_sub(fault->opened, run->load_start),
            .duration = plan->faults[i].spec.duration,
        };
    }
    return out;
}

static bool is_over(const struct run *run, struct mono_ns at)
{
    return !base_mono_before(at, base_mono_add(run->load_start, run->plan->duration));
}

bool run_phases_advance(struct run *run, struct mono_ns now)
{
    if (is_over(run, now))
        return false;
    struct scn_timeline windows = windows_of(run);
    struct dur_ns since = base_mono_sub(now, run->load_start);
    const char *planned = load_spec_phase_at(&run->plan->load, since);
    struct plan_phase phase = scn_phase_at(&windows, since, planned);
    bool news = !base_str_eq(phase.name, run->phase);
    free(windows.list);
    free(phase.fault);
    if (!news) {
        free(phase.name);
        return false;
    }
    free(run->phase);
    run->phase = phase.name;
    run->phase_told = run->phase_told || !base_str_eq(phase.name, planned);
    if (run->phase_told)
        run->fx->load_phase(run->fx->ctx, run->phase);
    run_event_take(run, "phase.changed", json_pack("{s:o}", "phase", model_json_text(run->phase)));
    return true;
}

/* Faults begin by themselves (run_gates.c); here is when one of them ends, or a stage begins. */
struct mono_ns run_phases_next(const struct run *run)
{
    struct mono_ns now = run_now(run);
    struct mono_ns next = {INT64_MAX};
    for (size_t i = 0; i < run->plan->fault_count; i++) {
        const struct run_fault *fault = &run->faults[i];
        struct mono_ns end = base_mono_add(fault->opened, run->plan->faults[i].spec.duration);
        if (fault->gate == RG_OPEN && base_mono_before(now, end) && base_mono_before(end, next) &&
            !is_over(run, end))
            next = end;
    }
    for (size_t i = 0; i < run->plan->load.phase_count; i++) {
        struct mono_ns start = base_mono_add(run->load_start, run->plan->load.phases[i].start);
        if (base_mono_before(now, start) && base_mono_before(start, next))
            next = start;
    }
    return next;
}
