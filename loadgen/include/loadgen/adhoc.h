/* SPDX-License-Identifier: Apache-2.0 */
/* Load without a plan file: command-line options and a URL become a load_spec, results become text.
 * Blocking (name resolution); nothing here prints. */
#ifndef LOADGEN_ADHOC_H
#define LOADGEN_ADHOC_H

#include "base/buf.h"
#include "loadgen/run.h"
#include "loadgen/threshold.h"

enum load_adhoc_mode {
    LOAD_ADHOC_SEND, /* with workers > 0: by those, which this one leads */
    LOAD_ADHOC_MERGE,
    LOAD_ADHOC_JOIN,    /* as a worker */
    LOAD_ADHOC_SCENARIO /* as LOAD_ADHOC_SEND, but the caller is to put a scenario's load into spec
                         */
};

struct load_adhoc {
    enum load_adhoc_mode mode;
    char *url; /* as given, or the scenario's path; NULL: none, and spec means nothing */
    struct load_spec spec;
    char **words; /* what is no option: the URL, or the files to merge */
    size_t word_count;
    uint64_t given;  /* the options: a bit for each row of their table */
    char *out_path;  /* of the merged log; NULL: none */
    char *hlog_path; /* NULL: none; as for the other outputs */
    char *hgrm_path;
    char *csv_path;        /* "-": standard output */
    char *metrics_address; /* where to listen for Prometheus; NULL: not at all */
    uint16_t metrics_port;
    uint32_t workers;
    char *redis_host; /* where leader and workers meet; NULL: nowhere */
    uint16_t redis_port;
    struct dur_ns patience; /* of leader and workers with each other, before the start */
    char *run;              /* NULL: the leader makes up a name */
    char *body_path;        /* NULL: none */
    char *scenario_path;    /* NULL: none */
    bool json;
    bool quiet;
    struct load_thresholds thresholds;
    double max_missed; /* share of the requests that may go unsent, 0..1 */
    bool duration_given;
    bool connections_given;
    bool query;              /* the body was given as a statement */
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

/* The samples of a run by kind; NULL: there are none. */
struct load_totals {
    const struct hdr *kinds[LOAD_KIND_COUNT];
};
struct load_totals load_run_totals(const struct load_run *run); /* as load_run_total */
/* What came of a finished run, for a person. */
bool load_summary_text(struct base_buf *out, const struct load_adhoc *adhoc,
                       const struct load_result *result, const struct load_totals *totals);
/* The result as in load.json, with "latency": {kind: {"count", "p50Ns"...}} added. */
json_t *load_summary_json(const struct load_result *result, const struct load_totals *totals);

/* One line for each interval: times in seconds from the run's start and in ns, counts, failures by
 * class. A heading before them. */
bool load_csv_head(struct base_buf *out);
bool load_csv_row(struct base_buf *out, const struct load_interval *interval, struct mono_ns start);

/* A run at a glance, as lines that are at most cols wide and at most lines in number, separated by
 * CR LF; what does not fit is wrapped, and then left out from the end. */
struct load_glance {
    struct dur_ns duration; /* of the schedule */
    struct dur_ns elapsed;
    const struct load_counts *total;
    const struct load_interval *last;
};
bool load_glance_text(struct base_buf *out, const struct load_glance *glance, unsigned cols,
                      unsigned lines);

#endif
