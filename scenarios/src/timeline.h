/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When each fault of a scenario happens: `after`, `repeat` and `ramp` resolved to occurrences with
 * names and times of their own. Pure. A fault that happens once keeps its name; otherwise its
 * occurrences are called <name>-1, <name>-2...
 */
#ifndef SCENARIOS_TIMELINE_H
#define SCENARIOS_TIMELINE_H

#include "scenarios/scenario.h"

struct scn_occurrence {
    const struct scn_fault *fault;
    size_t index; /* of the fault in the scenario */
    char *name;
    struct dur_ns at; /* after the load's start */
    struct dur_ns duration;
    double intensity;    /* share of what the fault asks for, above 0, at most 1 */
    bool first;          /* of the times that its fault happens: the one that waits */
    struct dur_ns waits; /* so much later it may begin, for it or what it follows waits */
};

/* What it is as long as no fault has begun, from then on. */
struct scn_quiet {
    const char *name; /* of a stage, or SCN_STEADY */
    struct dur_ns start;
};
#define SCN_STEADY "steady"

struct scn_timeline {
    struct scn_occurrence *list; /* in the order of the file */
    size_t count;
    struct scn_quiet *quiet; /* the first from 0 on; neighbours differ */
    size_t quiet_count;
};

/* left_out[i]: fault i is not going to happen, though others may follow the time at which it would
 * have; NULL: all do. What follows nothing that is known, or itself, counts from the load's start:
 * scn_timeline_origin tells. */
void scn_timeline_make(const struct scn_scenario *scenario, const bool *left_out,
                       struct scn_timeline *out);
void scn_timeline_fini(struct scn_timeline *timeline); /* accepts a zeroed value */

/* The name of the occurrence that must be gone before this one begins; NULL: none. */
const char *scn_timeline_leader(const struct scn_timeline *timeline,
                                const struct scn_occurrence *occurrence);

enum scn_origin { SCN_ORIGIN_START, SCN_ORIGIN_FAULT, SCN_ORIGIN_UNKNOWN, SCN_ORIGIN_CIRCLE };
/* What fault i counts its time from. */
enum scn_origin scn_timeline_origin(const struct scn_scenario *scenario, size_t fault);
/* When fault i is over for the last time, after the load's start; with conditions and operators to
 * wait for, at the latest. */
struct dur_ns scn_timeline_over(const struct scn_scenario *scenario, size_t fault);
/* Whether that may be later than without conditions and operators to wait for. */
bool scn_timeline_waits(const struct scn_scenario *scenario, size_t fault);
/* Whether it waits for more than its time, or depends on a probe. */
bool scn_fault_is_gated(const struct scn_fault *fault);

#endif
