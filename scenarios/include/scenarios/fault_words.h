/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One fault from the words of a command line: read by the table that scenario files follow, and
 * planned as theirs are, so that every kind of fault, default, range and refusal is the same.
 */
#ifndef SCENARIOS_FAULT_WORDS_H
#define SCENARIOS_FAULT_WORDS_H

#include "scenarios/plan.h"

struct scn_fault_words { /* as a scenario would say them; NULL: its default */
    const char *kind;
    const char *service;
    const char *duration; /* `for`, required */
    const char *lease;
    const char *where;  /* "{zone: a}" */
    const char *select; /* "one", "all", "2", "50%" */
    const char *max_affected;
    const char *track;          /* "true" */
    const char *const *details; /* "key=value" of the kind */
    size_t detail_count;
};

/* True: out holds a plan with this one fault, to be applied at once. False: problems has what is
 * wrong with which word. */
bool scn_plan_fault_words(const struct scn_fault_words *words, const struct topo *topo,
                          const struct scn_plan_options *options, struct plan *out,
                          struct scn_problems *problems);

#endif
