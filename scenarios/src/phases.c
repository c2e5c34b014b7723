/* SPDX-License-Identifier: Apache-2.0 */
#include "phases.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static int64_t end_of(const struct scn_occurrence *fault)
{
    return fault->at.ns + fault->duration.ns;
}

/* The next moment after `now` at which a fault starts or ends; -1: none before the end. */
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
    return next < over ? next : -1;
}

struct plan_phase scn_phase_at(const struct scn_timeline *timeline, struct dur_ns now)
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
        phase.name = base_str_dup("steady");
    }
    return phase;
}

size_t scn_phases_make(const struct scn_timeline *timeline, struct dur_ns over,
                       struct plan_phase **out)
{
    struct plan_phase *phases = base_calloc(2 * timeline->count + 1, sizeof *phases);
    size_t count = 0;
    for (int64_t now = 0; now >= 0; now = next_change(timeline, now, over.ns)) {
        struct plan_phase phase = scn_phase_at(timeline, (struct dur_ns){now});
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
    bool of_a_fault = false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(phases[i].name, name) == 0)
            return true;
    }
    /* Who waits, or does not come at all, leaves room for any other. */
    for (size_t i = 0; i < timeline->count; i++) {
        gated = gated || scn_fault_is_gated(timeline->list[i].fault);
        of_a_fault = of_a_fault || is_phase_of(&timeline->list[i], name);
    }
    return gated && of_a_fault;
}
