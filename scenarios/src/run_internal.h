/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the runner share: run.c (stages), run_faults.c (each fault's life), run_guard.c
 * (abort conditions), run_evidence.c (events and documents). */
#ifndef SCENARIOS_RUN_INTERNAL_H
#define SCENARIOS_RUN_INTERNAL_H

#include "model/window.h"
#include "scenarios/run.h"

enum run_stage {
    RUN_IDLE,
    RUN_STEADY,    /* checks must hold */
    RUN_STARTING,  /* the load generator was asked to start */
    RUN_LOADING,   /* load runs, faults come and go */
    RUN_REVERTING, /* aborted: faults first, then load */
    RUN_SETTLING,  /* the last scrapes are waited for */
    RUN_QUERYING,
    RUN_DONE
};

/* A fault as the runner sees it. */
enum run_fault_stage {
    RF_PLANNED,
    RF_APPLYING,
    RF_ACTIVE,
    RF_REVERTING, /* asked to go; asked again until it is known to be gone */
    RF_ENDED,     /* never applied, or measured gone */
    RF_UNCLEAN    /* not known to be gone, and nothing more can be done from here */
};

struct run_fault {
    enum run_fault_stage stage;
    bool asked;             /* a request other than renew is under way */
    bool renewing;          /* a renewal is under way */
    struct mono_ns next;    /* when to renew or to ask again */
    struct mono_ns end;     /* when it is to be reverted */
    struct mono_ns give_up; /* reverting: when it is called unclean */
    struct mono_ns heard;   /* last whole answer of the agent */
    json_t *record;         /* the newest record, or NULL */
};

struct run_probe {
    bool asked; /* the answer is awaited */
    bool answered;
    bool held;           /* the last answer */
    struct mono_ns next; /* when to ask again */
};

struct run {
    const struct plan *plan;
    const struct run_effects *fx;
    enum run_stage stage;
    struct run_outcome outcome;
    struct mono_ns deadline;  /* of the stage */
    struct mono_ns stop_sent; /* 0: load was not asked to stop */
    struct mono_ns load_start;
    struct mono_ns load_heard; /* last sign of life of the generator */
    struct wall_ns queried_at;
    bool load_running;
    bool load_killed;
    bool advancing; /* inside run_on_wake */
    bool hurried;   /* a second signal: no questions after the faults are gone */
    /* steady state */
    size_t checks_open;
    bool checks_ok;
    struct mono_ns checks_next;
    struct mono_ns steady_since; /* 0: not steady */
    char *check_detail;          /* what failed in the newest round that failed */
    /* faults, phases */
    struct run_fault *faults;
    size_t next_phase;
    struct load_window **abort_windows;     /* one for each abort condition */
    struct load_window **threshold_windows; /* NULL where it does not abort */
    struct run_probe *probe_states;
    struct mono_ns settling_since;
    /* evidence */
    json_t *probes;
    json_t *query_results;
    struct run_query *queries;
    size_t query_count;
    size_t queries_open;
};

/* run.c */
/* A steady-state check, whoever asked it. */
void run_check_answered(struct run *run, const char *name, bool ok, const char *detail);
void run_abort(struct run *run, enum run_abort by, const char *why);
struct mono_ns run_now(const struct run *run);

/* run_faults.c: all return whether anything changed. */
bool run_faults_advance(struct run *run, struct mono_ns now); /* apply, renew, revert what is due */
bool run_faults_over(const struct run *run);                  /* all ended or unclean */
struct mono_ns run_faults_next(const struct run *run);        /* INT64_MAX: nothing is due */

/* run_probes.c */
void run_probes_init(struct run *run);
void run_probes_fini(struct run *run);
size_t run_probes_before(const struct run *run); /* how many are steady-state checks */
void run_probes_ask_before(struct run *run);
void run_probes_advance(struct run *run, struct mono_ns now); /* asks what is due */
struct mono_ns run_probes_next(const struct run *run);        /* INT64_MAX: nothing is due */
/* No probe that comes after is waited for. */
bool run_probes_settled(const struct run *run, struct mono_ns now);

/* run_guard.c */
void run_guard_init(struct run *run);
void run_guard_fini(struct run *run);
void run_guard_histogram(struct run *run, const char *phase, const char *route, const char *kind,
                         const struct hdr *hdr);
/* Why the run must end now that this interval is in, free() it; NULL: it goes on. */
char *run_guard_push(struct run *run, const struct load_interval *interval);

/* run_evidence.c */
void run_event(struct run *run, const char *type, const json_t *fields);
void run_event_take(struct run *run, const char *type, json_t *fields); /* and decref */
void run_store_documents(struct run *run);
/* An answer to the check or probe of this name. */
void run_note_probe(struct run *run, const char *name, bool ok, const char *detail);
void run_queries_init(struct run *run);
void run_queries_ask(struct run *run); /* all of them, up to run->queried_at */
void run_queries_fini(struct run *run);
void run_note_query(struct run *run, size_t query, const struct run_query_result *result);

#endif
