/* SPDX-License-Identifier: Apache-2.0 */
/* What the faults of workers in a target's control groups (fault_stress.c) differ in. */
#ifndef CHAOS_STRESS_H
#define CHAOS_STRESS_H

#include "crew.h"
#include "engine.h"
#include "resolve.h"
#include "strain.h"
#include "usage.h"

struct fault_stress_subject { /* one target */
    struct fault *fault;
    struct fault_target target;
    struct fault_process process;
    struct fault_strain strain;
    struct fault_crew *crew;
    uint64_t kills_before;     /* by the OOM killer, in its groups */
    struct fault_usage before; /* at the start of the window */
    struct fault_usage now;
    uint64_t inherited; /* pages that a worker has from its parent, charged to that one */
    char *folder;       /* io: where it does it; NULL: not this kind */
};

struct fault_stress_kind {
    void (*run)(void *ctx, int line, struct mono_ns deadline); /* of each worker */
    size_t (*workers)(const struct fault_spec *spec);          /* for each target */
    const char *lost; /* why one may have ended, as a question; NULL: there is nothing to say */
    /* A refusal costs nothing yet; topo: where the agent is. NULL: nothing to check. */
    bool (*check)(struct fault_stress_subject *subject, const struct topo *topo,
                  struct base_error *err);
    /* Fills in its strain, or says why that much must not be taken. */
    bool (*plan)(struct fault_stress_subject *subject, struct base_error *err);
    /* From `before` to `now`; record: as evidence. */
    bool (*shown)(struct fault_stress_subject *subject, struct dur_ns window, bool record);
    const char *beside; /* NULL: the others in the group are counted; else what all in it hold */
    /* The window in which is measured, and how long one after the other is tried. */
    struct dur_ns (*window)(const struct fault_spec *spec);
    struct dur_ns (*patience)(const struct fault_spec *spec);
};
extern const struct fault_stress_kind fault_stress_cpu;
extern const struct fault_stress_kind fault_stress_memory;
extern const struct fault_stress_kind fault_stress_io;

#endif
