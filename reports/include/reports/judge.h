/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a report to a verdict. Pure: the same report always gives the same verdict.
 *
 * Design notes: what becomes of what.
 *   threshold   judged on the merged histograms and on load.json's counts. A quantile q needs
 *               10/(1-q) responses, or it is insufficient. Load that was stopped early, or that the
 *               generator itself limited, judges nothing: insufficient, the number is still shown.
 *   SLO         reports/slo.h, over load start - 2 scrapes .. load end + 2 scrapes. Where the
 *               generator's target is the SLO's service, Prometheus must show its requests (5 %
 *               may be missing: a killed process takes its last second along), and a pass must also
 *               be one by the failures that the generator saw: else insufficient. So are answers
 *               with warnings, and answers that were not asked for from the window's start on.
 *   reconcile   the generator's counts beside Prometheus', more than 5 % apart: shown, advisory.
 *               A latency SLO counts answers without error, so those are compared.
 *   fault       active and measured gone: pass. No effect, or an effect lost before its time: fail,
 *               for an experiment whose fault did nothing shows nothing (and users believed it
 *               did). Gone, but what it hit is not back in time (a killed process that was not
 *               started again): fail. Could not be applied: error.
 *               Reverted by lease or recovery, that is, its agent or controller died: error.
 *               Absence not shown: error and unclean. Left out by the operator: advisory.
 *               A branch that was not taken: advisory, and with it the thresholds on its phases and
 *               the probes that only ask during it; when no fault at all was its turn, the run is
 *               insufficient. A condition that did not come about in time: insufficient.
 *   probe       during and continuous: the share of its answers that held; before and after: its
 *               last answer. Never asked: insufficient. Those for faults (gate) are no objective.
 *   load        the schedule ran to its end, was not client-limited and met with one success at
 *               least, else insufficient; more than maxMissed of it unsent: fail.
 *   run         came to its planned end; its evidence is not damaged.
 * Exit code: 6 unclean, else 4 aborted, else 5 an error, else 1 a failure, else 3 insufficient,
 * else 0. Abort outranks error because it is what somebody asked for: whoever presses Ctrl-C, or a
 * guard that trips, leaves half a run behind and half of its evidence in error; the code must tell
 * the asked-for end from a broken tool. A run that squall itself ended (disk full, generator died,
 * agent lost) is not aborted in this sense: it is 5. Missing data never passes.
 */
#ifndef REPORTS_JUDGE_H
#define REPORTS_JUDGE_H

#include "model/verdict.h"
#include "reports/fold.h"

void report_judge(const struct report *report, struct verdict *out); /* verdict_fini it */

/* The window of the SLOs; false when it is not known when the load ran. */
bool report_window(const struct report *report, struct slo_window *out);
/* One of plan.slos, judged as in the verdict. */
struct slo_result report_slo(const struct report *report, size_t slo);

struct report_answers { /* to one check or probe */
    uint64_t asked;
    uint64_t held;
    const struct report_probe *last;     /* NULL: never asked */
    const struct report_probe *last_bad; /* NULL: it always held */
};
struct report_answers report_answers(const struct report *report, const char *name);

struct report_reconcile {
    bool known;        /* both sides have counted */
    bool direct;       /* the generator sends to this very service */
    bool errors_known; /* the SLO counts bad events, not slow ones */
    double sent;       /* by the generator; of a latency SLO: what was answered without error */
    double seen;       /* by Prometheus, of the generator's traffic */
    double failed_5xx;
    double failed_all;      /* with those that no server can have counted */
    double failed_to_serve; /* of those, what is the server's failure */
    double seen_bad;
    double difference; /* (seen - sent) / sent */
};
struct report_reconcile report_reconcile(const struct report *report, size_t slo);

#endif
