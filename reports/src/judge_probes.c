/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: what was asked while the experiment went on. */
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "judge_internal.h"

static const double rounding = 1e-9;

struct report_answers report_answers(const struct report *report, const char *name)
{
    struct report_answers out = {0};
    for (size_t i = 0; i < report->probe_count; i++) {
        const struct report_probe *probe = &report->probes[i];
        if (!base_str_eq(probe->name, name))
            continue;
        out.asked += probe->times;
        out.held += probe->ok ? probe->times : 0;
        out.last = probe;
        if (!probe->ok)
            out.last_bad = probe;
    }
    return out;
}

/* Before and after it is the last answer that counts, in between the share that held. */
static bool by_share(const struct plan_probe *probe)
{
    return probe->mode == PLAN_PROBE_DURING || probe->mode == PLAN_PROBE_CONTINUOUS;
}

static char *say_expected(const struct plan_probe *probe)
{
    if (!by_share(probe))
        return base_str_printf("holds %s the experiment", plan_probe_mode_name(probe->mode));
    char *share = judge_percent(probe->at_least);
    char *text =
        base_str_printf("holds %s of the times that it is asked%s", share,
                        probe->mode == PLAN_PROBE_DURING ? ", while faults are active" : "");
    free(share);
    return text;
}

/* The branch with which a probe went that asks during faults; NULL: one of them was its turn. */
static const struct report_left *skipped_with(const struct report *report,
                                              const struct plan_probe *probe)
{
    const struct report_left *left = NULL;
    for (size_t i = 0; probe->mode == PLAN_PROBE_DURING && i < probe->fault_count; i++) {
        left = report_left(report, probe->faults[i]);
        if (left == NULL || !left->skipped)
            return NULL;
    }
    return left;
}

static void judge_probe(const struct report *report, const struct plan_probe *probe,
                        struct verdict *verdict)
{
    const struct report_left *left = skipped_with(report, probe);
    if (left != NULL) {
        judge_add_skipped(verdict, VERDICT_PROBE, probe->name, say_expected(probe), left->name,
                          left->why);
        return;
    }
    struct report_answers answers = report_answers(report, probe->name);
    bool whole = report->sources[REPORT_PROBES].state == REPORT_WHOLE;
    double share = answers.asked > 0 ? (double)answers.held / (double)answers.asked : (double)NAN;
    bool holds = by_share(probe) ? share >= probe->at_least - rounding
                                 : answers.last != NULL && answers.last->ok;
    struct finding finding = {
        .status = !whole || answers.asked == 0 ? VERDICT_INSUFFICIENT
                  : holds                      ? VERDICT_PASS
                                               : VERDICT_FAIL,
        .reason = !whole || answers.asked == 0 ? REASON_NO_DATA
                  : holds                      ? REASON_MET
                                               : REASON_NOT_MET,
        .value = share,
    };
    const struct report_probe *bad = answers.last_bad;
    finding.expected = say_expected(probe);
    finding.measured = base_str_printf(
        "%llu of %llu answers held%s%s%s", (unsigned long long)answers.held,
        (unsigned long long)answers.asked, whole ? "" : "; probes.json is not whole",
        bad == NULL ? "" : "; the last that did not: ", bad == NULL ? "" : bad->detail);
    judge_add(verdict, VERDICT_PROBE, probe->name, finding);
}

void judge_probes(const struct report *report, struct verdict *verdict)
{
    for (size_t i = 0; i < report->plan.probe_count; i++)
        if (report->plan.probes[i].mode != PLAN_PROBE_GATE)
            judge_probe(report, &report->plan.probes[i], verdict);
}
