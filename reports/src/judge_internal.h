/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of judge.c. */
#ifndef REPORTS_JUDGE_INTERNAL_H
#define REPORTS_JUDGE_INTERNAL_H

#include "reports/judge.h"

/* What an objective was found to be; texts are taken over. */
struct finding {
    enum verdict_status status;
    enum verdict_reason reason;
    bool advisory;
    char *expected;
    char *measured;
    double value;
};

void judge_add(struct verdict *verdict, enum verdict_source source, const char *name,
               struct finding finding);

/* A branch that was not taken is evidence of nothing: shown, with why, and not judged. expected is
 * taken over. */
void judge_add_skipped(struct verdict *verdict, enum verdict_source source, const char *name,
                       char *expected, const char *fault, const char *why);
/* The branch that was not taken, when this phase is that of its fault or the one after it. */
const struct report_left *judge_skipped_phase(const struct report *report, const char *phase);

void judge_thresholds(const struct report *report, struct verdict *verdict);
void judge_probes(const struct report *report, struct verdict *verdict);
void judge_slos(const struct report *report, struct verdict *verdict);
void judge_faults(const struct report *report, struct verdict *verdict);

struct fault_rule {
    bool holds;
    enum verdict_status status;
    enum verdict_reason reason;
    const char *what;
};
/* What became of one of report.faults. */
struct fault_rule judge_fault(const struct report *report, size_t fault);

/* Why what the generator measured must not be judged; NULL when it may be. */
const char *judge_load_void(const struct report *report, enum verdict_reason *reason);

/* "99.95%", "12", "1.5e+06": six significant digits, the same in every locale; more where six would
 * say 0% or 100% of what is not. */
char *judge_percent(double share);
char *judge_count(double count);

#endif
