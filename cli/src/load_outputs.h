/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a load's results go: files that get their names when they are whole, standard output, and
 * what is seen meanwhile on standard error (drawn in place on a terminal, else one line an
 * interval). Errors name the file.
 */
#ifndef CLI_LOAD_OUTPUTS_H
#define CLI_LOAD_OUTPUTS_H

#include "base/file.h"
#include "live_view.h"
#include "loadgen/adhoc.h"
#include "loadgen/by_phase.h"

struct load_outputs {
    const struct load_adhoc *adhoc;
    struct base_staged hlog;
    struct base_staged csv;
    struct base_staged hgrm;
    struct live_view view;
    struct load_by_phase phases;
    struct mono_ns start;
    struct load_counts total;
    struct load_interval last; /* as given; its phase belongs to the run */
    bool shown;                /* there is a last */
};

/* Opens everything, so that what cannot be written is known before the load. */
bool load_outputs_open(struct load_outputs *outputs, const struct load_adhoc *adhoc,
                       struct base_error *err);
bool load_outputs_interval(struct load_outputs *outputs, const struct load_interval *interval,
                           struct base_error *err);
/* As load_events.on_histogram has it. */
void load_outputs_histogram(struct load_outputs *outputs, const char *phase, const char *kind,
                            const struct hdr *hdr);
void load_outputs_redraw(struct load_outputs *outputs); /* the terminal has another size */
/* The results, thresholds among them; puts the files in place. */
bool load_outputs_finish(struct load_outputs *outputs, const struct load_result *result,
                         const struct load_totals *totals, struct base_error *err);
/* How the thresholds came out. */
enum verdict_status load_outputs_judge(const struct load_outputs *outputs,
                                       const struct load_result *result,
                                       const struct load_totals *totals);
/* What is not finished is given up; accepts a value zeroed but for what BASE_STAGED_NONE says. */
void load_outputs_fini(struct load_outputs *outputs);

#endif
