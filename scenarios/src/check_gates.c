/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for what faults wait for and depend on. */
#include "check_gates.h"

#include <stdlib.h>

#include "base/text.h"
#include "timeline.h"

static const struct scn_probe *find_probe(const struct scn_scenario *scenario, const char *name)
{
    for (size_t i = 0; i < scenario->probe_count; i++)
        if (base_str_eq(scenario->probes[i].name, name))
            return &scenario->probes[i];
    return NULL;
}

static void say_unknown(struct scn_reporter *reporter, const char *name)
{
    const struct scn_scenario *scenario = reporter->scenario;
    const char **names = base_calloc(scenario->probe_count, sizeof *names);
    for (size_t i = 0; i < scenario->probe_count; i++)
        names[i] = scenario->probes[i].name;
    scn_say_unknown(reporter, "probe", name, names, scenario->probe_count);
    free(names);
}

/* At the reporter's place. during: whether what was seen during an earlier fault will do. */
static void check_use(struct scn_reporter *reporter, const struct scn_fault *fault,
                      const char *name, bool during)
{
    if (name == NULL || scn_problems_under(reporter->problems, "spec.probes"))
        return;
    const struct scn_probe *probe = find_probe(reporter->scenario, name);
    bool asked_now =
        probe != NULL && (probe->mode == PLAN_PROBE_GATE || probe->mode == PLAN_PROBE_CONTINUOUS);
    bool asked_then = during && probe != NULL && probe->mode == PLAN_PROBE_DURING;
    if (probe == NULL)
        say_unknown(reporter, name);
    else if (asked_then && base_str_eq(probe->fault, fault->name) && fault->repeat.times < 2 &&
             fault->ramp.steps < 2)
        scn_say(reporter, "\"%s\" asks during this very fault, expected another probe", name);
    else if (!asked_now && !asked_then)
        scn_say(reporter, "\"%s\" is of mode %s, expected one of mode gate%s", name,
                plan_probe_mode_name(probe->mode),
                during ? ", continuous or during" : " or continuous");
}

void scn_check_gate(struct scn_reporter *reporter, size_t i)
{
    const struct scn_fault *fault = &reporter->scenario->faults[i];
    scn_at(reporter, "spec.faults[%zu].waitFor.probe", i);
    check_use(reporter, fault, fault->wait.probe, false);
    scn_at(reporter, "spec.faults[%zu].if", i);
    check_use(reporter, fault, fault->only_if, true);
    scn_at(reporter, "spec.faults[%zu].unless", i);
    check_use(reporter, fault, fault->unless, true);
    if (fault->only_if != NULL && fault->unless != NULL)
        scn_say(reporter, "beside \"if\", expected one of them");
    scn_at(reporter, "spec.faults[%zu].at", i);
    if (scn_fault_is_gated(fault) && fault->after == NULL && fault->at.ns == 0)
        scn_say(reporter, "what waits or depends on a probe needs a load that runs, expected more "
                          "than 0s");
}

void scn_check_gate_probe(struct scn_reporter *reporter, size_t i)
{
    const struct scn_scenario *scenario = reporter->scenario;
    const struct scn_probe *probe = &scenario->probes[i];
    bool used = probe->mode != PLAN_PROBE_GATE;
    for (size_t k = 0; k < scenario->fault_count && !used; k++) {
        const struct scn_fault *fault = &scenario->faults[k];
        used = base_str_eq(probe->name, fault->wait.probe) ||
               base_str_eq(probe->name, fault->only_if) || base_str_eq(probe->name, fault->unless);
    }
    scn_at(reporter, "spec.probes[%zu].mode", i);
    if (!used)
        scn_say(reporter, "no fault waits for it or depends on it (waitFor, if, unless): it would "
                          "never be asked");
}
