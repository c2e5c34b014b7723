/* SPDX-License-Identifier: Apache-2.0 */
/* What a run promises whatever happens, and how its plan is bent for it. */
#ifndef SIM_PROMISE_H
#define SIM_PROMISE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "world.h"

static const int64_t START = 1000 * BASE_NS_PER_S;
static const int64_t SECOND = BASE_NS_PER_S;

/* The promise of scenarios/run.h, whatever happened: NULL, or how it was broken. */
static inline const char *broken_promise(const struct world *world)
{
    const struct run_outcome *outcome = run_get_outcome(world->run);
    if (!run_finished(world->run) || world->finished_at == 0)
        return "the run does not end";
    if (world->load_running)
        return "the load outlives the run";
    if (world->renewals_after_revert > 0)
        return "a fault is renewed that was asked to go";
    for (size_t i = 0; i < WORLD_FAULTS; i++) {
        const struct world_fault *fault = &world->faults[i];
        /* A clean end means measured gone, not merely expired with nobody looking. */
        if (!outcome->unclean && fault->applied && fault->record.state != FAULT_GONE)
            return "a fault is not known to be gone, and the run calls itself clean";
    }
    /* However it ended: by the lease and two seconds after the last sign of life, nothing. */
    if (world_any_in_force(world, world->finished_at + 5 * SECOND))
        return "a fault outlives its lease";
    return NULL;
}

static inline void assert_promise(const struct world *world)
{
    const char *broken = broken_promise(world);
    if (broken != NULL)
        fail_msg("%s", broken);
}

/* Puts a fault on this instance and behind that other fault; NULL: neither. */
static inline void bind_fault(struct world *world, size_t fault, const char *target,
                              const char *after)
{
    struct plan_fault *planned = &world->plan.faults[fault];
    if (target != NULL) {
        planned->spec.targets = base_calloc(1, sizeof *planned->spec.targets);
        planned->spec.targets[0] = base_str_dup(target);
        planned->spec.target_count = 1;
    }
    planned->after = base_str_dup(after);
}

enum { BEFORE, DURING, CONTINUOUS, AFTER };

/* One probe of each mode, asked each second; `during` the fault b, from 15 s to 23 s. */
static inline void add_probes(struct plan *plan)
{
    static const enum plan_probe_mode modes[WORLD_PROBES] = {[BEFORE] = PLAN_PROBE_BEFORE,
                                                             [DURING] = PLAN_PROBE_DURING,
                                                             [CONTINUOUS] = PLAN_PROBE_CONTINUOUS,
                                                             [AFTER] = PLAN_PROBE_AFTER};
    plan->probes = base_calloc(WORLD_PROBES, sizeof *plan->probes);
    plan->probe_count = WORLD_PROBES;
    for (size_t i = 0; i < WORLD_PROBES; i++)
        plan->probes[i] = (struct plan_probe){.name = base_str_dup(plan_probe_mode_name(modes[i])),
                                              .mode = modes[i],
                                              .kind = PLAN_PROBE_EXEC,
                                              .every = base_dur_s(1),
                                              .timeout = base_dur_s(1),
                                              .within = base_dur_s(12)};
    plan->probes[DURING].faults = base_calloc(1, sizeof(char *));
    plan->probes[DURING].faults[0] = base_str_dup("b");
    plan->probes[DURING].fault_count = 1;
}

#endif
