/* SPDX-License-Identifier: Apache-2.0 */
/* What a run promises whatever happens, and how its plan is bent for it. */
#ifndef SIM_PROMISE_H
#define SIM_PROMISE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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
    if (world->broken_while_suspended)
        return "a fault is in force, or comes, while an operator is waited for";
    if (world->listening)
        return "an operator is waited for when the run is over";
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

enum { GATE = WORLD_PROBES - 1 };

/* The last probe is one for faults; it fails between these seconds after the world's start. */
static inline void add_gate_probe(struct world *world, int fails_from, int fails_until)
{
    add_probes(&world->plan);
    struct plan_probe *gate = &world->plan.probes[GATE];
    gate->mode = PLAN_PROBE_GATE;
    free(gate->name);
    gate->name = base_str_dup("gate");
    world->probe_fails_from = fails_from * SECOND;
    world->probe_fails_until = fails_until * SECOND;
}

static inline struct plan_gate *gate_of(struct world *world, size_t fault)
{
    return &world->plan.faults[fault].gate;
}

static inline void wait_for_gate(struct world *world, size_t fault, int within_s)
{
    gate_of(world, fault)->wait_for = base_str_dup("gate");
    gate_of(world, fault)->within = base_dur_s(within_s);
}

static inline void add_gates_at_random(struct world *world)
{
    struct base_rng *rng = &world->rng;
    int from = (int)base_rng_below(rng, 40);
    static const char *const names[] = {"gate", "during", "continuous"};
    if (base_rng_below(rng, 3) == 0)
        return;
    free(world->plan.probes[GATE].name);
    world->plan.probes[GATE].name = base_str_dup("gate");
    world->plan.probes[GATE].mode = PLAN_PROBE_GATE;
    world->probe_fails_from = from * SECOND;
    world->probe_fails_until = (from + (int)base_rng_below(rng, 30)) * SECOND;
    world->operator_after = (int64_t)base_rng_below(rng, 12) * SECOND - SECOND;
    for (size_t i = 0; i < WORLD_FAULTS; i++) {
        struct plan_gate *gate = gate_of(world, i);
        if (base_rng_below(rng, 3) == 0)
            wait_for_gate(world, i, 1 + (int)base_rng_below(rng, 20));
        if (base_rng_below(rng, 4) == 0)
            gate->suspend = base_dur_s(1 + (int)base_rng_below(rng, 10));
        if (base_rng_below(rng, 3) == 0)
            gate->only_if = base_str_dup(names[base_rng_below(rng, 3)]);
        else if (base_rng_below(rng, 3) == 0)
            gate->unless = base_str_dup(names[base_rng_below(rng, 3)]);
    }
}

#endif
