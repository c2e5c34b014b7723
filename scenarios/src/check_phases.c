/* SPDX-License-Identifier: Apache-2.0 */
#include "check_phases.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "phases.h"

static bool means_two_phases(const char *name, const char *other)
{
    return base_str_starts(name, "after-") && base_str_eq(name + strlen("after-"), other);
}

void scn_check_fault_names(struct scn_reporter *reporter)
{
    if (scn_problems_under(reporter->problems, "spec.faults"))
        return;
    struct scn_timeline timeline;
    scn_timeline_make(reporter->scenario, NULL, &timeline);
    for (size_t i = 0; i < timeline.count; i++) {
        const char *name = timeline.list[i].name;
        scn_at(reporter, "spec.faults[%zu].name", timeline.list[i].index);
        if (base_str_eq(name, SCN_STEADY))
            scn_say(reporter,
                    "\"" SCN_STEADY "\" is the phase before all faults, expected another name");
        for (size_t k = 0; k < timeline.count; k++) {
            if (means_two_phases(name, timeline.list[k].name))
                scn_say(reporter, "\"%s\" is the phase after \"%s\", expected another name", name,
                        timeline.list[k].name);
            if (k < i && base_str_eq(name, timeline.list[k].name))
                scn_say(reporter,
                        "\"%s\" is taken by a time that \"%s\" happens, expected another "
                        "name",
                        name, timeline.list[k].fault->name);
        }
    }
    scn_timeline_fini(&timeline);
}

/* Where the reporter is. */
static void check_stage(struct scn_reporter *reporter, const struct scn_timeline *timeline,
                        const char *name)
{
    if (name == NULL || scn_spoiled(reporter))
        return;
    if (base_str_eq(name, SCN_STEADY))
        scn_say(reporter, "\"" SCN_STEADY "\" is the phase of stages without a name, expected "
                          "another name or none");
    for (size_t k = 0; k < timeline->count; k++) {
        const char *fault = timeline->list[k].name;
        if (base_str_eq(name, fault) || means_two_phases(name, fault))
            scn_say(reporter, "\"%s\" is the phase %s the fault \"%s\", expected another name",
                    name, base_str_eq(name, fault) ? "of" : "after", fault);
    }
}

void scn_check_stage_names(struct scn_reporter *reporter)
{
    const struct scn_load *load = &reporter->scenario->load;
    struct scn_timeline timeline;
    if (scn_problems_under(reporter->problems, "spec.faults"))
        return;
    scn_timeline_make(reporter->scenario, NULL, &timeline);
    for (size_t i = 0; i < load->stage_count; i++) {
        scn_at(reporter, "spec.load.stages[%zu].name", i);
        check_stage(reporter, &timeline, load->stages[i].name);
    }
    for (size_t i = 0; i < load->users.stage_count; i++) {
        scn_at(reporter, "spec.load.users.stages[%zu].name", i);
        check_stage(reporter, &timeline, load->users.stages[i].name);
    }
    scn_timeline_fini(&timeline);
}

static void say_unknown(struct scn_reporter *reporter, const char *phase,
                        const struct plan_phase *phases, size_t phase_count)
{
    BASE_AUTO_FREE const char **names = base_calloc(phase_count, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < phase_count; i++) {
        size_t k = 0;
        while (k < count && !base_str_eq(names[k], phases[i].name))
            k++;
        if (k == count)
            names[count++] = phases[i].name;
    }
    scn_say_unknown(reporter, "phase", phase, names, count);
}

void scn_check_threshold_phases(struct scn_reporter *reporter)
{
    const struct scn_scenario *scenario = reporter->scenario;
    if (scn_problems_under(reporter->problems, "spec.faults") ||
        scn_problems_under(reporter->problems, "spec.load.stages") ||
        scn_problems_under(reporter->problems, "spec.load.users") ||
        scn_problems_under(reporter->problems, "spec.duration"))
        return;
    struct scn_timeline timeline;
    struct plan_phase *phases = NULL;
    scn_timeline_make(scenario, NULL, &timeline);
    size_t count = scn_phases_make(&timeline, scenario->duration, &phases);
    for (size_t i = 0; i < scenario->threshold_count; i++) {
        const char *phase = scenario->thresholds[i].phase;
        scn_at(reporter, "spec.thresholds[%zu].phase", i);
        if (phase == NULL || scn_spoiled(reporter) ||
            scn_phases_have(&timeline, phases, count, phase))
            continue;
        if (scn_phases_of_stage(&timeline, phase))
            scn_say(reporter,
                    "the stage \"%s\" begins after a fault, whose phases stand in for it, expected "
                    "another phase or a later fault",
                    phase);
        else
            say_unknown(reporter, phase, phases, count);
    }
    scn_timeline_fini(&timeline);
    scn_phases_free(phases, count);
}
