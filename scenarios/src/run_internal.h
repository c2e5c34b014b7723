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

/* Before it begins: see run_gates.c. */
enum run_gate {
    RG_SHUT,      /* it is not its turn */
    RG_HOLDING,   /* the run is to be suspended as soon as nothing is in force */
    RG_SUSPENDED, /* an operator is waited for */
    RG_WAITING,   /* a probe must hold */
    RG_ASKING,    /* a probe decides whether it begins */
    RG_OPEN,
    RG_LEFT /* it does not begin */
};

struct run_fault {
    enum run_fault_stage stage;
    enum run_gate gate;
    struct mono_ns turn; /* since when it is its turn; asking: an older answer decides nothing */
    struct mono_ns deadline; /* suspended, waiting */
    struct mono_ns opened;   /* when it was its turn, and nothing more was waited for */
    struct dur_ns waited;    /* for its condition, and what it follows for theirs */
    bool asked;              /* a request other than renew is under way */
    bool renewing;           /* a renewal is under way */
    struct mono_ns next;     /* when to renew or to ask again */
    struct mono_ns end;      /* when it is to be reverted */
    struct mono_ns give_up;  /* reverting: when it is called unclean */
    struct mono_ns heard;    /* last whole answer of the agent */
    json_t *record;          /* the newest record, or NULL */
    size_t arrivals;         /* of it, that are on the timeline */
};

struct run_probe {
    bool asked; /* the answer is awaited */
    bool answered;
    bool held;           /* the last answer */
    struct mono_ns next; /* when to ask again */
    struct mono_ns asked_at;
    struct mono_ns known_at; /* when what was answered last had been asked */
    uint64_t times, times_held;
    char *detail; /* of the last answer */
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
    char *phase;                            /* NULL: none yet */
    bool phase_told;                        /* the generator was told of one */
    struct mono_ns pause_began;             /* 0: no operator is waited for */
    struct dur_ns paused;                   /* before that, altogether */
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

/* run_phases.c */
bool run_phases_advance(struct run *run, struct mono_ns now); /* whether another one begins */
struct mono_ns run_phases_next(const struct run *run);

/* run_gates.c: what a fault waits for before it begins */
/* Whether anything changed; the run must be loading. */
bool run_gate_advance(struct run *run, struct run_fault *fault, struct mono_ns now);
struct mono_ns run_gate_next(const struct run *run, const struct run_fault *fault);
bool run_gates_need(const struct run *run, size_t probe); /* some fault waits for its answer */

/* run_faults.c: all return whether anything changed. */
const struct fault_spec *run_fault_spec(const struct run *run, const struct run_fault *fault);
/* Whether another fault must be gone first. */
bool run_fault_must_wait(const struct run *run, const struct run_fault *fault);
bool run_fault_is_over(const struct run_fault *fault);
/* An event about it; fields is taken over, NULL: none but its id and name. */
void run_fault_event(struct run *run, const struct run_fault *fault, const char *type,
                     json_t *fields);
/* It will not begin: an event of that type, with why. */
void run_fault_leave(struct run *run, struct run_fault *fault, const char *type, const char *why);
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
