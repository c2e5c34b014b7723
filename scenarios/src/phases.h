/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phases that faults cut the load into. A moment belongs to the fault that started last among
 * those in force; without one to the aftermath of the one that ended last ("after-<fault>"); before
 * all of them it is what the stage of the load is called, or "steady". A phase that would last no
 * time is not there.
 */
#ifndef SCENARIOS_PHASES_H
#define SCENARIOS_PHASES_H

#include "model/plan.h"
#include "timeline.h"

/* Of one moment, which is `quiet` before all faults; free its texts. */
struct plan_phase scn_phase_at(const struct scn_timeline *timeline, struct dur_ns now,
                               const char *quiet);
/* over: the end of the load. Free with scn_phases_free. */
size_t scn_phases_make(const struct scn_timeline *timeline, struct dur_ns over,
                       struct plan_phase **out);
void scn_phases_free(struct plan_phase *phases, size_t count);
/* Whether there is, or with what waits and branches can be, a phase of that name. */
bool scn_phases_have(const struct scn_timeline *timeline, const struct plan_phase *phases,
                     size_t count, const char *name);

/* The phases that the generator has by itself, without being told: the stages', up to the first
 * fault if that waits for nothing but its time. */
void scn_phases_of_load(const struct scn_timeline *timeline, const struct plan_phase *phases,
                        size_t count, struct load_spec *load);
/* Whether there is a stage of that name. */
bool scn_phases_of_stage(const struct scn_timeline *timeline, const char *name);

#endif
