/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of a run: from a run directory to its verdict and its readable forms, written into the
 * same directory. Needs no network; reads only that directory, and runs gnuplot for the charts of
 * report.html when it is there. verdict.json depends on the evidence alone: the same bytes on every
 * machine, whenever and as often as it is made. Blocking.
 */
#ifndef REPORTS_REPORT_H
#define REPORTS_REPORT_H

#include "base/buf.h"
#include "base/error.h"
#include "model/verdict.h"

struct report_options {
    const char *gnuplot; /* program or path; NULL: "gnuplot" */
    bool colour;         /* terminal text with colours */
    /* Evidence keeps the digest that MANIFEST.sha256 holds for it, so that a file changed since
     * the run stays visible as such; only what is written here is digested anew. For `squall
     * report`. Without it everything is digested: for the end of a run. */
    bool keep_seal;
    struct base_buf *terminal; /* the summary for a terminal is appended; NULL: not wanted */
};

/* Judges the evidence in run_dir and writes verdict.json, report.md, report.html, junit.xml and
 * MANIFEST.sha256, each atomically. To be called when nothing else writes there any more.
 * options may be NULL. On failure (no run's files there, disk full) out is untouched and the
 * command ends with EXIT_CODE_ERROR, or _UNCLEAN when the caller knows of a fault in place. */
bool report_write(const char *run_dir, const struct report_options *options, struct verdict *out,
                  struct base_error *err);

#endif
