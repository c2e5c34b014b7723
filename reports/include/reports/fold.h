/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bytes of a run directory to one value, struct report. Pure: the bytes in, the value out,
 * the same on every machine. Nothing in a directory can make it fail: a file may be missing, cut
 * short or damaged (the run was aborted, the disk was full, somebody edited it), and the report
 * says so file by file.
 */
#ifndef REPORTS_FOLD_H
#define REPORTS_FOLD_H

#include "base/buf.h"
#include "model/fault.h"
#include "model/hdr.h"
#include "model/load.h"
#include "model/plan.h"
#include "model/window.h"
#include "reports/slo.h"

enum report_file {
    REPORT_PLAN,
    REPORT_EVENTS,
    REPORT_HLOG,
    REPORT_LOAD,
    REPORT_FAULTS,
    REPORT_PROBES,
    REPORT_QUERIES,
    REPORT_SCENARIO,
    REPORT_FILE_COUNT
};
const char *report_file_name(enum report_file file); /* "plan.json"... */

/* One file as it was found. */
struct report_bytes {
    char *data; /* NULL: there is no such file */
    size_t len;
    char *unreadable; /* NULL, or why a file that is there could not be read */
};

enum report_state {
    REPORT_WHOLE,
    REPORT_MISSING,
    REPORT_PARTIAL, /* cut short: what is there is used, what is not is said */
    REPORT_DAMAGED  /* holds what no part of squall writes: not to be relied on */
};
const char *report_state_name(enum report_state state);

struct report_source {
    enum report_state state;
    char *detail; /* NULL when whole */
};

struct report_event { /* one line of the timeline */
    struct wall_ns wall;
    struct mono_ns mono;
    char *type;
    char *what;     /* its other fields, as text; "" when none */
    char *fault_id; /* NULL: not about a fault */
};

struct report_hist { /* all intervals of one tag, added */
    char *phase;
    char *route;
    char *kind;
    struct hdr hdr;
};

struct report_due { /* response times of what was due in one interval of the grid, of all routes */
    struct wall_ns start;
    struct dur_ns length;
    struct dur_ns p50;
    struct dur_ns p99;
    struct dur_ns max;
};

struct report_probe { /* answers that said the same, one after the other */
    char *name;
    struct wall_ns at;
    uint64_t times;
    bool ok;
    char *detail;
};

struct report_query { /* one question to Prometheus, as it was asked */
    char *id;
    char *slo;
    char *role;
    char *text;
    char *url;
    double at;
    bool ok;
    char *error;
    size_t warning_count;
    size_t series_count;
};

struct report_left { /* a fault that was not injected, by what the runner says */
    char *name;
    bool skipped; /* a branch that was not taken; else what it waited for did not come about */
    char *why;
};

struct report_gate { /* one step of what a fault waited for */
    struct wall_ns at;
    char *fault;
    const char *what; /* static */
    char *detail;     /* "" when there is none */
};

/* What the events tell about the run itself. */
struct report_course {
    bool steady_failed; /* the last steady-state check failed */
    bool load_started;
    bool finished;    /* run.finished is there */
    bool unclean;     /* the runner itself could not show that all faults are gone */
    char *error;      /* why the runner or its surroundings failed; NULL when not */
    char *aborted_by; /* a guard, a signal, halt: who and why; NULL when not aborted */
    char *cut_short;  /* by a fault that was refused, failed or had no effect: why; NULL: not */
    bool agent_lost;
    char *last_type; /* of the last event */
    struct wall_ns load_start;
    struct wall_ns load_end; /* 0: unknown */
    struct mono_ns load_start_mono;
};

struct report {
    struct report_source sources[REPORT_FILE_COUNT];
    bool have_plan;
    struct plan plan;
    bool have_load;
    struct load_result load; /* without load.json: the intervals that the events hold */
    struct fault_record *faults;
    size_t fault_count;
    struct report_event *events; /* without the load's intervals */
    size_t event_count;
    struct report_course course;
    struct report_gate *gates;
    size_t gate_count;
    struct report_left *left;
    size_t left_count;
    struct plan_phase *phases; /* as they came; `fault` is NULL. By plan where nothing waited */
    size_t phase_count;
    struct report_hist *hists;
    size_t hist_count;
    bool by_end; /* latency.hlog has response times by when requests ended, too (model/load.h) */
    struct report_due *due; /* ascending; none: it has not, or there is no log */
    size_t due_count;
    struct report_probe *probes;
    size_t probe_count;
    struct report_query *queries;
    size_t query_count;
    struct slo_evidence *slos;       /* one for each of plan.slos */
    struct load_window_sum *windows; /* one for each of plan.thresholds; zero without `over` */
    char *scenario;                  /* the file's text; NULL when missing */
    char *unsealed; /* evidence that is not what MANIFEST.sha256 sealed; NULL: none */
};

/* Never fails but for memory; out is to be finished. */
void report_fold(const struct report_bytes files[static REPORT_FILE_COUNT], struct report *out);
void report_fini(struct report *report); /* accepts a zeroed value */

/* Reads the files of a run directory, folds them, and compares them with MANIFEST.sha256 if there
 * is one. BASE_NOT_FOUND when it holds none of them. */
bool report_read(const char *run_dir, struct report *out, struct base_error *err);

/* All histograms of a kind ("response", "service", "failed", "schedule"), of a phase and route
 * (NULL: all), added into out, which is initialised here and always to be finished. Response times
 * are those by when requests ended, where there are any: of a generator that was killed these are
 * more. */
bool report_histogram(const struct report *report, const char *phase, const char *route,
                      const char *kind, struct hdr *out, struct base_error *err);
/* The counts of a phase and route (NULL: all). */
struct load_counts report_counts(const struct report *report, const char *phase, const char *route);
/* The fault of this name that was left out by the runner; NULL: none. */
const struct report_left *report_left(const struct report *report, const char *fault);
/* Whether a phase bears a name that no phase before it bears. */
bool report_phase_is_new(const struct report *report, size_t phase);
/* How long requests of a phase (NULL: the whole run) were due, in seconds; 0 when unknown. */
double report_phase_seconds(const struct report *report, const char *phase);

#endif
