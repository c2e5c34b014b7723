/* SPDX-License-Identifier: Apache-2.0 */
/* Load without a plan file: command-line options and a URL become a load_spec, results become text.
 * Blocking (name resolution); nothing here prints. */
#ifndef LOADGEN_ADHOC_H
#define LOADGEN_ADHOC_H

#include "base/buf.h"
#include "loadgen/run.h"
#include "loadgen/threshold.h"

struct load_adhoc {
    char *url; /* as given */
    struct load_spec spec;
    char *hlog_path; /* NULL: none */
    bool json;
    bool quiet;
    struct load_thresholds thresholds;
    bool duration_given;
    bool connections_given;
    uint32_t users;          /* 0: not said */
    struct base_error wrong; /* what an option's value was refused for */
    bool help;               /* asked for: nothing else is set */
};

/* argv[0] is skipped. Resolves the URL's host, so it may take seconds. BASE_INVALID for a usage
 * error, BASE_UNAVAILABLE when the name does not resolve. */
bool load_adhoc_parse(struct load_adhoc *out, int argc, const char *const *argv,
                      struct base_error *err);
void load_adhoc_fini(struct load_adhoc *adhoc); /* accepts a zeroed value */
bool load_adhoc_usage(struct base_buf *out);

/* One plain line about an interval, with its newline. start: of the run. */
bool load_interval_line(struct base_buf *out, const struct load_interval *interval,
                        struct mono_ns start);
/* What came of a finished run, for a person. */
bool load_summary_text(struct base_buf *out, const struct load_adhoc *adhoc,
                       const struct load_run *run);
/* The result as in load.json, with "latency": {kind: {"count", "p50Ns"...}} added. */
json_t *load_summary_json(const struct load_run *run);

#endif
