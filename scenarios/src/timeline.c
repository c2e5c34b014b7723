/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline.h"

#include <stdlib.h>

#include "base/text.h"

/* How often it happens. */
static size_t times_of(const struct scn_fault *fault)
{
    if (fault->repeat.times > 1)
        return (size_t)fault->repeat.times;
    return fault->ramp.steps > 1 ? (size_t)fault->ramp.steps : 1;
}

bool scn_fault_is_gated(const struct scn_fault *fault)
{
    return fault->suspend.within.ns > 0 || fault->wait.probe != NULL || fault->only_if != NULL ||
           fault->unless != NULL;
}

/* The fault that this one follows; NULL: none, or there is no such fault. */
static const struct scn_fault *leader_of(const struct scn_scenario *scenario,
                                         const struct scn_fault *fault)
{
    for (size_t i = 0; fault->after != NULL && i < scenario->fault_count; i++)
        if (base_str_eq(scenario->faults[i].name, fault->after))
            return &scenario->faults[i];
    return NULL;
}

enum scn_origin scn_timeline_origin(const struct scn_scenario *scenario, size_t index)
{
    const struct scn_fault *fault = &scenario->faults[index];
    if (fault->after == NULL)
        return SCN_ORIGIN_START;
    const struct scn_fault *leader = leader_of(scenario, fault);
    if (leader == NULL)
        return SCN_ORIGIN_UNKNOWN;
    /* A way longer than there are faults goes round in a circle. */
    for (size_t i = 0; i < scenario->fault_count && leader != NULL; i++)
        leader = leader_of(scenario, leader);
    return leader == NULL ? SCN_ORIGIN_FAULT : SCN_ORIGIN_CIRCLE;
}

/* From its first start to its last end. */
static int64_t length_of(const struct scn_fault *fault)
{
    int64_t pauses =
        fault->repeat.times > 1 ? (fault->repeat.times - 1) * fault->repeat.every.ns : 0;
    return fault->duration.ns + pauses;
}

static int64_t start_of(const struct scn_scenario *scenario, size_t index)
{
    const struct scn_fault *fault = &scenario->faults[index];
    int64_t at = fault->at.ns;
    if (scn_timeline_origin(scenario, index) != SCN_ORIGIN_FAULT)
        return at;
    for (const struct scn_fault *leader = leader_of(scenario, fault); leader != NULL;
         leader = leader_of(scenario, leader))
        at += leader->at.ns + length_of(leader);
    return at;
}

/* So long conditions may be waited for, its own and those of all that it follows. */
static int64_t waits_of(const struct scn_scenario *scenario, size_t index)
{
    const struct scn_fault *fault = &scenario->faults[index];
    int64_t waits = fault->wait.within.ns;
    if (scn_timeline_origin(scenario, index) != SCN_ORIGIN_FAULT)
        return waits;
    for (const struct scn_fault *leader = leader_of(scenario, fault); leader != NULL;
         leader = leader_of(scenario, leader))
        waits += leader->wait.within.ns;
    return waits;
}

/* So long operators may be waited for before whose turn it is by then at the latest. */
static int64_t pauses_until(const struct scn_scenario *scenario, int64_t latest)
{
    int64_t pauses = 0;
    for (size_t i = 0; i < scenario->fault_count; i++)
        if (start_of(scenario, i) <= latest)
            pauses += scenario->faults[i].suspend.within.ns;
    return pauses;
}

struct dur_ns scn_timeline_over(const struct scn_scenario *scenario, size_t index)
{
    int64_t over =
        start_of(scenario, index) + length_of(&scenario->faults[index]) + waits_of(scenario, index);
    return (struct dur_ns){over + pauses_until(scenario, over)};
}

bool scn_timeline_waits(const struct scn_scenario *scenario, size_t index)
{
    return scn_timeline_over(scenario, index).ns >
           start_of(scenario, index) + length_of(&scenario->faults[index]);
}

static struct scn_occurrence occurrence_of(const struct scn_fault *fault, int64_t start, size_t n)
{
    size_t times = times_of(fault);
    struct scn_occurrence occurrence = {
        .fault = fault,
        .name =
            times == 1 ? base_str_dup(fault->name) : base_str_printf("%s-%zu", fault->name, n + 1),
        .at = {start},
        .duration = fault->duration,
        .intensity = 1,
    };
    if (fault->repeat.times > 1) {
        occurrence.at.ns += (int64_t)n * fault->repeat.every.ns;
    } else if (times > 1) {
        /* The parts lie edge to edge: no rounding error builds up. */
        int64_t from = fault->duration.ns * (int64_t)n / (int64_t)times;
        int64_t to = fault->duration.ns * (int64_t)(n + 1) / (int64_t)times;
        occurrence.at.ns += from;
        occurrence.duration.ns = to - from;
        occurrence.intensity = (double)(n + 1) / (double)times;
    }
    return occurrence;
}

static void add_quiet(struct scn_timeline *out, const char *name, int64_t *start, int64_t length)
{
    const char *known = name != NULL ? name : SCN_STEADY;
    size_t count = out->quiet_count;
    if (count == 0 || !base_str_eq(out->quiet[count - 1].name, known)) {
        out->quiet = base_reallocarray(out->quiet, count + 1, sizeof *out->quiet);
        out->quiet[out->quiet_count++] = (struct scn_quiet){.name = known, .start = {*start}};
    }
    *start += length; /* at most 1000 stages of 24 h */
}

static void make_quiet(const struct scn_load *load, struct scn_timeline *out)
{
    int64_t start = 0;
    for (size_t i = 0; i < load->stage_count; i++)
        add_quiet(out, load->stages[i].name, &start, load->stages[i].length.ns);
    for (size_t i = 0; i < load->users.stage_count; i++)
        add_quiet(out, load->users.stages[i].name, &start, load->users.stages[i].length.ns);
    if (out->quiet_count == 0)
        add_quiet(out, NULL, &start, 0);
}

void scn_timeline_make(const struct scn_scenario *scenario, const bool *left_out,
                       struct scn_timeline *out)
{
    *out = (struct scn_timeline){0};
    make_quiet(&scenario->load, out);
    for (size_t i = 0; i < scenario->fault_count; i++) {
        const struct scn_fault *fault = &scenario->faults[i];
        size_t times = times_of(fault);
        if (left_out != NULL && left_out[i])
            continue;
        int64_t start = start_of(scenario, i);
        int64_t waits = waits_of(scenario, i);
        out->list = base_reallocarray(out->list, out->count + times, sizeof *out->list);
        for (size_t n = 0; n < times; n++) {
            struct scn_occurrence *made = &out->list[out->count++];
            *made = occurrence_of(fault, start, n);
            made->index = i;
            made->first = n == 0;
            made->waits = (struct dur_ns){waits};
        }
    }
}

const char *scn_timeline_leader(const struct scn_timeline *timeline,
                                const struct scn_occurrence *occurrence)
{
    const struct scn_occurrence *before = occurrence - 1;
    if (occurrence > timeline->list && before->fault == occurrence->fault)
        return before->name;
    const char *leader = NULL;
    for (size_t i = 0; i < timeline->count; i++)
        if (base_str_eq(timeline->list[i].fault->name, occurrence->fault->after))
            leader = timeline->list[i].name; /* its last time */
    return leader;
}

void scn_timeline_fini(struct scn_timeline *timeline)
{
    for (size_t i = 0; i < timeline->count; i++)
        free(timeline->list[i].name);
    free(timeline->list);
    free(timeline->quiet);
    *timeline = (struct scn_timeline){0};
}
