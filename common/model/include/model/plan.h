/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan: all that a run will do, resolved and immutable, before anything is touched. Made by
 * scenarios/ from scenario, topology and seed; stored as plan.json (version 1); read by reports/.
 */
#ifndef MODEL_PLAN_H
#define MODEL_PLAN_H

#include "model/expectation.h"
#include "model/fault.h"
#include "model/load.h"

/* What must come about, in this order, before a fault begins whose turn it is. Probes are named. */
struct plan_gate {
    struct dur_ns suspend; /* the run waits for an operator, at most so long; 0: it does not */
    char *message;         /* what the operator is told; NULL: nothing */
    char *wait_for;        /* the probe that must hold first; NULL: none */
    struct dur_ns within;  /* ...by then, or the run ends */
    char *only_if;         /* it begins only when this probe holds; NULL: whatever it says */
    char *unless;          /* only when it does not */
};

struct plan_fault {
    struct dur_ns at; /* after the load's start */
    char *after;      /* the fault that must be gone first, however late; NULL: none */
    struct plan_gate gate;
    struct fault_spec spec;
};

/* Phases partition the load: "steady", then for each fault "<fault>" and "after-<fault>". */
struct plan_phase {
    char *name;
    struct dur_ns start;
    char *fault; /* NULL: none is meant to be in place */
};

/* A fault the operator chose to leave out (--without-kernel-faults): named in every report. */
struct plan_skip {
    char *name;
    char *why;
};

/* A steady-state check: each URL must answer `status` within `timeout`. */
struct plan_check {
    char *name;
    char **urls;
    size_t url_count;
    int status;
    struct dur_ns timeout;
};

enum plan_probe_kind {
    PLAN_PROBE_HTTP,
    PLAN_PROBE_TCP,
    PLAN_PROBE_PROMQL,
    PLAN_PROBE_EXEC,
    PLAN_PROBE_SQL,
    PLAN_PROBE_REDIS
};
enum plan_probe_mode {                        /* when it is asked, and what counts */
                       PLAN_PROBE_BEFORE,     /* with the steady-state checks: its last answer */
                       PLAN_PROBE_DURING,     /* while `faults` are active: the share that held */
                       PLAN_PROBE_CONTINUOUS, /* while there is load: the share that held */
                       PLAN_PROBE_AFTER,      /* after load and faults, until it holds */
                       PLAN_PROBE_GATE        /* for the faults that wait for it or depend on it:
                                                 steers the run, and is no objective */
};

enum plan_compare { /* an answer with what is expected; all but the first two need numbers */
                    PLAN_EQUAL,
                    PLAN_NOT_EQUAL,
                    PLAN_LESS,
                    PLAN_AT_MOST,
                    PLAN_MORE,
                    PLAN_AT_LEAST
};

/* Which stores are asked, each alike, and as whom. */
struct plan_store {
    struct load_target *targets;
    size_t target_count;
    char *user;          /* NULL: the client's default */
    char *password_file; /* read whenever it is asked: no password is in a plan; NULL: none */
};

/* A question asked again and again, whose answers are an objective. */
struct plan_probe {
    char *name;
    enum plan_probe_mode mode;
    enum plan_probe_kind kind;
    char **faults; /* during: names of plan.faults */
    size_t fault_count;
    struct dur_ns every;
    struct dur_ns timeout;
    struct dur_ns within; /* after: it must hold by then */
    double at_least;      /* during, continuous: share of the answers that must hold, 0..1 */
    struct {              /* each URL answers `status`, with `contains` in its body unless NULL */
        char **urls;
        size_t url_count;
        int status;
        char *contains;
    } http;
    struct { /* each takes a connection */
        struct load_target *targets;
        size_t target_count;
    } tcp;
    struct { /* an instant query has at least one sample, as in an alerting rule */
        char *query;
    } promql;
    struct { /* `sh -c` on the controller's machine exits with 0 */
        char *command;
    } exec;
    struct { /* PostgreSQL, in a transaction that only reads */
        struct plan_store store;
        char *database;
        char *query;
        enum plan_compare compare;
        char *value;  /* of the first column of the first row; NULL: rows count */
        int64_t rows; /* their number; -1: any but none */
    } sql;
    struct {
        struct plan_store store;
        int database;
        char **command;
        size_t command_count;
        enum plan_compare compare;
        char *reply; /* as text; NULL: any but an error */
    } redis;
};

struct plan_threshold {
    char *name;
    struct expectation expect;
    char *phase;        /* NULL: the whole run */
    char *route;        /* NULL: all routes */
    struct dur_ns over; /* 0: the whole of it; else it holds in every window of this length */
    bool abort;         /* the run ends when a window fails */
};

enum plan_slo_kind { PLAN_SLO_AVAILABILITY, PLAN_SLO_LATENCY };

struct plan_slo {
    char *name;
    enum plan_slo_kind kind;
    double objective; /* 0..1, exclusive */
    char *service;
    struct dur_ns within; /* latency only */
    double min_coverage;  /* share of expected scrapes that must be there, 0..1 */
    /* PromQL selectors of the counters, as the scenario gave them or the defaults of the platform:
     * total = increase of `total`; good = total - increase of `bad` (availability) or increase of
     * `good` (latency: the bucket whose le equals `within`). */
    char *total;
    char *bad;            /* availability; NULL otherwise */
    char *good;           /* latency; NULL otherwise */
    char *up;             /* selector of the scrape health of the same instances */
    size_t instances;     /* expected number of series of `up` */
    double predicted_bad; /* share of the requests that the faults can spoil at most, 0..1 */
};

struct plan_abort {
    char *name;
    struct expectation when; /* the run is aborted when this holds... */
    struct dur_ns over;      /* ...over a window of this length */
};

struct plan {
    char *run; /* run id */
    char *scenario;
    char *description; /* may be "" */
    uint64_t seed;
    char *target_name; /* topology's name */
    char *target_mode;
    struct dur_ns duration;
    struct load_spec load;
    double max_missed;        /* share of the load that may go unsent, 0..1 */
    struct dur_ns steady_for; /* checks must hold this long before the load starts; 0: once */
    struct dur_ns steady_deadline;
    struct plan_check *checks;
    size_t check_count;
    struct plan_probe *probes;
    size_t probe_count;
    struct plan_phase *phases;
    size_t phase_count;
    struct plan_fault *faults;
    size_t fault_count;
    struct plan_skip *skipped;
    size_t skipped_count;
    struct plan_threshold *thresholds;
    size_t threshold_count;
    struct plan_slo *slos;
    size_t slo_count;
    struct plan_abort *aborts;
    size_t abort_count;
    double max_spend;          /* share of each budget that may be predicted to be spent, 0..1 */
    struct dur_ns budget_over; /* of as long a traffic; 0: nothing was said about it */
    char *agent_url;           /* NULL when there are no faults */
    char *agent_token_file;
    char *agent_ca_file; /* as in model/topology.h */
    char *agent_cert_file;
    char *agent_key_file;
    char *prometheus_url; /* NULL: no SLOs can be judged */
    struct dur_ns scrape_interval;
};

bool plan_from_json(const json_t *json, struct plan *out, struct base_error *err);
json_t *plan_to_json(const struct plan *plan);
void plan_fini(struct plan *plan);
const char *plan_compare_name(enum plan_compare compare); /* "==" */
const char *plan_probe_mode_name(enum plan_probe_mode mode);
bool plan_has_gates(const struct plan *plan);         /* of any of its faults */
bool plan_gate_is_open(const struct plan_gate *gate); /* nothing must come about first */

#endif
