/* SPDX-License-Identifier: Apache-2.0 */
#include "phases.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "scenarios/plan.h"

static int64_t end_of(const struct scn_occurrence *fault)
{
    return fault->at.ns + fault->duration.ns;
}

/* The next moment after `now` at which a fault starts or ends, or a stage begins; -1: none before
 * the end. */
static int64_t next_change(const struct scn_timeline *timeline, int64_t now, int64_t over)
{
    int64_t next = -1;
    for (size_t i = 0; i < timeline->count; i++) {
        const struct scn_occurrence *fault = &timeline->list[i];
        const int64_t moments[] = {fault->at.ns, end_of(fault)};
        for (size_t k = 0; k < 2; k++) {
            if (moments[k] > now && (next < 0 || moments[k] < next))
                next = moments[k];
        }
    }
    for (size_t i = 0; i < timeline->quiet_count; i++) {
        int64_t start = timeline->quiet[i].start.ns;
        if (start > now && (next < 0 || start < next))
            next = start;
    }
    return next < over ? next : -1;
}

static const char *quiet_at(const struct scn_timeline *timeline, int64_t now)
{
    const char *name = SCN_STEADY;
    for (size_t i = 0; i < timeline->quiet_count && timeline->quiet[i].start.ns <= now; i++)
        name = timeline->quiet[i].name;
    return name;
}

struct plan_phase scn_phase_at(const struct scn_timeline *timeline, struct dur_ns now,
                               const char *quiet)
{
    const struct scn_occurrence *active = NULL;
    const struct scn_occurrence *ended = NULL;
    for (size_t i = 0; i < timeline->count; i++) {
        const struct scn_occurrence *fault = &timeline->list[i];
        if (fault->at.ns > now.ns)
            continue;
        if (end_of(fault) > now.ns && (active == NULL || fault->at.ns >= active->at.ns))
            active = fault;
        if (end_of(fault) <= now.ns && (ended == NULL || end_of(fault) >= end_of(ended)))
            ended = fault;
    }
    struct plan_phase phase = {.start = now};
    if (active != NULL) {
        phase.name = base_str_dup(active->name);
        phase.fault = base_str_dup(active->name);
    } else if (ended != NULL) {
        phase.name = base_str_printf("after-%s", ended->name);
    } else {
        phase.name = base_str_dup(quiet);
    }
    return phase;
}

/* Before all faults. */
static bool is_quiet(const struct scn_timeline *timeline, const struct plan_phase *phase)
{
    for (size_t i = 0; i < timeline->count; i++)
        if (timeline->list[i].at.ns <= phase->start.ns)
            return false;
    return true;
}

size_t scn_phases_make(const struct scn_timeline *timeline, struct dur_ns over,
                       struct plan_phase **out)
{
    struct plan_phase *phases =
        base_calloc(2 * timeline->count + timeline->quiet_count + 1, sizeof *phases);
    size_t count = 0;
    for (int64_t now = 0; now >= 0; now = next_change(timeline, now, over.ns)) {
        struct plan_phase phase =
            scn_phase_at(timeline, (struct dur_ns){now}, quiet_at(timeline, now));
        if (count > 0 && strcmp(phases[count - 1].name, phase.name) == 0) {
            free(phase.name);
            free(phase.fault);
            continue;
        }
        phases[count++] = phase;
    }
    *out = phases;
    return count;
}

void scn_phases_free(struct plan_phase *phases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(phases[i].name);
        free(phases[i].fault);
    }
    free(phases);
}

static bool is_phase_of(const struct scn_occurrence *fault, const char *name)
{
    static const char after[] = "after-";
    return base_str_eq(name, fault->name) ||
           (base_str_starts(name, after) && base_str_eq(name + strlen(after), fault->name));
}

bool scn_phases_have(const struct scn_timeline *timeline, const struct plan_phase *phases,
                     size_t count, const char *name)
{
    bool gated = false;
    bool possible = scn_phases_of_stage(timeline, name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(phases[i].name, name) == 0)
            return true;
    }
    /* Who waits, or does not come at all, leaves room for any other. */
    for (size_t i = 0; i < timeline->count; i++) {
        gated = gated || scn_fault_is_gated(timeline->list[i].fault);
        possible = possible || is_phase_of(&timeline->list[i], name);
    }
    return gated && possible;
}

bool scn_phases_of_stage(const struct scn_timeline *timeline, const char *name)
{
    for (size_t i = 0; i < timeline->quiet_count; i++)
        if (base_str_eq(timeline->quiet[i].name, name))
            return true;
    return false;
}

void scn_phases_of_load(const struct scn_timeline *timeline, const struct plan_phase *phases,
                        size_t count, struct load_spec *load)
{
    bool gated = false;
    for (size_t i = 0; i < timeline->count; i++)
        gated = gated || scn_fault_is_gated(timeline->list[i].fault);
    /* Who waits may come later than planned: until then the stages go on. */
    for (size_t i = 0; i < timeline->quiet_count && gated; i++)
        load_spec_add_phase(load, timeline->quiet[i].start, timeline->quiet[i].name);
    for (size_t i = 0; i < count && !gated; i++)
        if (i == 0 || is_quiet(timeline, &phases[i]))
            load_spec_add_phase(load, phases[i].start, phases[i].name);
}

void scn_plan_alone(const struct scn_scenario *scenario, struct load_spec *load)
{
    struct scn_timeline timeline;
    scn_timeline_make(scenario, NULL, &timeline);
    for (size_t i = 0; i < load->phase_count; i++)
        free(load->phases[i].name);
    load->phase_count = 0;
    for (size_t i = 0; i < timeline.quiet_count; i++)
        load_spec_add_phase(load, timeline.quiet[i].start, timeline.quiet[i].name);
    scn_timeline_fini(&timeline);
}
