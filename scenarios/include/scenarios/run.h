/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner: drives a plan through one table of effects, time included, so that whole experiments
 * run in memory with a fake clock and an agent that dies (tests/sim). It never blocks and never
 * waits: whoever owns the effects tells it what happened (run_on_*), and it asks for what should
 * happen next. Its promise: when run_finished() turns true, every fault it asked for is measured
 * gone, or the outcome says `unclean`.
 *
 * Design notes. A run is a line of stages (src/run.c has the table of allowed moves):
 *   steady -> starting -> loading -> settling -> querying -> done
 *        \________\__________\______> reverting -> querying -> done
 * `reverting` is entered by the first abort and left only when nothing is in place any more or
 * nothing more can be done about it. Each fault has its own small life in src/run_faults.c, and
 * before it begins, what it waits for (src/run_gates.c).
 */
#ifndef SCENARIOS_RUN_H
#define SCENARIOS_RUN_H

#include "model/hdr.h"
#include "model/plan.h"

struct run;

/* Which request to the agent a reply answers. */
enum run_request { RUN_APPLY, RUN_RENEW, RUN_REVERT, RUN_STATUS };

struct run_reply {
    enum {
        RUN_REPLY_RECORD,     /* the agent knows the fault: record says how it stands */
        RUN_REPLY_REFUSED,    /* the agent will not do it and has done nothing: error says why */
        RUN_REPLY_HALTED,     /* refused, too: somebody halted the agent after this run began */
        RUN_REPLY_UNKNOWN,    /* the agent does not know this fault */
        RUN_REPLY_UNSENT,     /* the request never left: the agent cannot be connected to */
        RUN_REPLY_UNREACHABLE /* no whole answer came; it may or may not have been carried out */
    } kind;
    const struct fault_record *record;
    const char *error;
};

struct run_query_result {
    bool ok;
    const char *error; /* NULL when ok */
    const char *url;
    const json_t *warnings; /* array or NULL */
    const json_t *data;     /* Prometheus' "data" object; NULL when not ok */
};

/* Prometheus is asked for raw samples: an instant query of `selector[range]` at `at`. */
struct run_query {
    char *id;
    char *slo;
    const char *role;     /* "total" | "bad" | "good" | "up" */
    const char *selector; /* of the plan */
    char *text;           /* NULL until it is asked */
};

/*
 * Everything the runner can do to the world. No effect may call run_on_* before it returns: answers
 * come later, from the loop. An effect that cannot even start its work answers later, too.
 */
struct run_effects {
    void *ctx;
    struct mono_ns (*mono)(void *ctx);
    struct wall_ns (*wall)(void *ctx);
    /* Calls run_on_wake at `when`; replaces the wake asked for before. */
    void (*wake_at)(void *ctx, struct mono_ns when);
    /* Puts one event on the timeline (and before the user's eyes). fields is borrowed and may be
     * NULL. false: the evidence could not be written. */
    bool (*event)(void *ctx, const char *type, const json_t *fields);
    /* Stores a document of the run directory. */
    bool (*store)(void *ctx, const char *name, const json_t *document);
    /* n below plan->check_count: that check of the plan. Then for each SLO whether Prometheus
     * scrapes its instances; without that a run proves nothing. Then, when there are faults:
     * whether the agent answers to our token, and holds no fault of another run. The probes that
     * come before the load are checks, too, but asked by `probe`. */
    void (*check)(void *ctx, size_t n); /* -> run_on_check */
    void (*probe)(void *ctx, size_t n); /* of the plan -> run_on_probe */
    void (*load_start)(void *ctx);      /* -> run_on_load_* */
    void (*load_phase)(void *ctx, const char *phase);
    void (*load_stop)(void *ctx);                                     /* gracefully */
    void (*load_kill)(void *ctx);                                     /* it did not stop */
    void (*fault)(void *ctx, size_t fault, enum run_request request); /* -> run_on_fault */
    void (*query)(void *ctx, size_t query, const char *text,
                  struct wall_ns at); /* -> run_on_query */
    /* From now on, or no longer, an operator is waited for -> run_on_continue. */
    void (*suspended)(void *ctx, bool on);
    void (*finished)(void *ctx); /* nothing is under way any more */
};

enum run_abort { /* by whom the run was ended early */
                 RUN_NOT_ABORTED,
                 RUN_ABORT_GUARD,  /* an abort condition, or steady state not reached */
                 RUN_ABORT_SIGNAL, /* the operator */
                 RUN_ABORT_HALT,   /* squall halt */
                 RUN_ABORT_FAULT,  /* a fault failed or showed no effect: going on would prove
                                      nothing */
                 RUN_ABORT_TOOL, /* squall or its surroundings: agent lost, load died, disk full */
                 RUN_ABORT_OPERATOR /* nobody continued a run that was suspended */
};

struct run_outcome {
    enum run_abort aborted;
    char *why;          /* NULL when not aborted */
    bool unclean;       /* a fault may still be in place */
    bool evidence_lost; /* an event or document could not be written */
};

/* plan and effects are borrowed and outlive the run. */
struct run *run_new(const struct plan *plan, const struct run_effects *effects);
void run_free(struct run *run);
void run_begin(struct run *run);
bool run_finished(const struct run *run);
const struct run_outcome *run_get_outcome(const struct run *run);
const char *run_abort_name(enum run_abort abort);

/* What happened. All arguments are borrowed. Late or repeated news is harmless. */
void run_on_wake(struct run *run);
void run_on_signal(struct run *run, const char *name);
/* An operator lets a suspended run go on; by says who. The name of the fault that comes next,
 * borrowed; NULL: the run is not suspended, and nothing happens. */
const char *run_on_continue(struct run *run, const char *by);
void run_on_check(struct run *run, size_t check, bool ok, const char *detail);
void run_on_probe(struct run *run, size_t probe, bool ok, const char *detail);
void run_on_load_started(struct run *run, struct mono_ns start);
/* A histogram of the interval that is told next. */
void run_on_load_histogram(struct run *run, const char *phase, const char *route, const char *kind,
                           const struct hdr *hdr);
void run_on_load_interval(struct run *run, const struct load_interval *interval);
/* Once: complete when the schedule ran to its end or was stopped on request; else error says why.
 */
void run_on_load_ended(struct run *run, bool complete, const char *error);
void run_on_fault(struct run *run, size_t fault, enum run_request request,
                  const struct run_reply *reply);
void run_on_query(struct run *run, size_t query, const struct run_query_result *result);

#endif
