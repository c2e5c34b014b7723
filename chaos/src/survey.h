/* SPDX-License-Identifier: Apache-2.0 */
/* One round of measurements for the fault network: every path at once, each as its plan says. */
#ifndef CHAOS_SURVEY_H
#define CHAOS_SURVEY_H

#include "effect.h"

struct fault_survey;

struct fault_survey_path {
    const char *target;              /* borrowed, as netns and peer: they outlive the survey */
    const struct fault_netns *netns; /* fd -1: the namespace is gone, nothing is measured there */
    const struct fault_peer *peer;
    struct effect_plan plan;
};

struct fault_survey *fault_survey_new(struct io_loop *loop);
void fault_survey_free(struct fault_survey *survey); /* accepts NULL */
void fault_survey_add(struct fault_survey *survey, const struct fault_survey_path *path);

/* swiftly: as the plans have it for before and after. on_done fires once, on the loop and never
 * from inside this call, unless cancelled or started anew. */
bool fault_survey_start(struct fault_survey *survey, bool swiftly, void (*on_done)(void *ctx),
                        void *ctx, struct base_error *err);
void fault_survey_cancel(struct fault_survey *survey); /* accepts NULL */

size_t fault_survey_count(const struct fault_survey *survey);
const struct fault_survey_path *fault_survey_path_at(const struct fault_survey *survey, size_t i);
/* What the last round measured there. */
const struct effect_measured *fault_survey_measured(const struct fault_survey *survey, size_t i);
/* Keeps it as what was before, to compare with. */
void fault_survey_keep(struct fault_survey *survey);
const struct effect_measured *fault_survey_before(const struct fault_survey *survey, size_t i);

#endif
