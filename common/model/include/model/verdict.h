/* SPDX-License-Identifier: Apache-2.0 */
/* What a run is found to be, and the exit codes that every subcommand shares. */
#ifndef MODEL_VERDICT_H
#define MODEL_VERDICT_H

#include "model/json.h"

enum exit_code {
    EXIT_CODE_PASS = 0,
    EXIT_CODE_FAIL = 1,         /* an objective, threshold or comparison failed */
    EXIT_CODE_USAGE = 2,        /* usage or invalid file */
    EXIT_CODE_INSUFFICIENT = 3, /* no data, too few events, the generator was the limit */
    EXIT_CODE_ABORTED = 4,      /* by a guard, a signal or halt */
    EXIT_CODE_ERROR = 5,        /* tool or infrastructure */
    EXIT_CODE_UNCLEAN = 6       /* a fault may still be in place: outranks all others */
};

enum verdict_status { VERDICT_PASS, VERDICT_FAIL, VERDICT_INSUFFICIENT, VERDICT_ERROR };

enum verdict_source { /* what an objective comes from */
                      VERDICT_THRESHOLD,
                      VERDICT_SLO,
                      VERDICT_FAULT,     /* each fault took effect and is gone */
                      VERDICT_LOAD,      /* the generator kept its schedule */
                      VERDICT_RECONCILE, /* the generator's counts beside Prometheus' */
                      VERDICT_RUN,       /* the run came to its planned end */
                      VERDICT_PROBE      /* what was asked while it went on */
};

/* Why; one table gives the words, each stable in verdict.json. */
enum verdict_reason {
    REASON_MET,
    REASON_NOT_MET,
    REASON_NO_DATA,
    REASON_TOO_FEW_EVENTS,
    REASON_LOW_COVERAGE,
    REASON_QUERY_FAILED,
    REASON_CLIENT_LIMITED,
    REASON_FAULT_INEFFECTIVE,
    REASON_FAULT_FAILED,
    REASON_FAULT_INTERRUPTED, /* agent or lease lost while it was in place */
    REASON_FAULT_STUCK,
    REASON_ABORTED,
    REASON_TOOL_ERROR,
    REASON_COUNTS_DIFFER,
    REASON_FAULT_NOT_RECOVERED, /* it is gone, but what it hit did not come back in time */
    REASON_CONDITION_NOT_MET,   /* a fault waited for something that did not come about */
    REASON_SKIPPED              /* a branch that was not taken */
};

struct verdict_objective {
    enum verdict_source source;
    char *name;
    enum verdict_status status;
    enum verdict_reason reason;
    bool advisory;  /* shown, does not decide */
    char *expected; /* as a person reads it */
    char *measured;
    double value; /* NaN: none */
};

struct verdict {
    char *run;
    char *scenario;
    enum verdict_status status;
    enum exit_code exit_code;
    bool aborted;
    char *aborted_by; /* NULL: not aborted */
    bool unclean;
    struct verdict_objective *objectives;
    size_t objective_count;
};

json_t *verdict_to_json(const struct verdict *verdict);
bool verdict_from_json(const json_t *json, struct verdict *out, struct base_error *err);
void verdict_fini(struct verdict *verdict);
const char *verdict_status_name(enum verdict_status status);
const char *verdict_source_name(enum verdict_source source);
const char *verdict_reason_name(enum verdict_reason reason);

#endif
