/* SPDX-License-Identifier: Apache-2.0 */
/* SLOs, and the generator's counts beside those of Prometheus. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "judge_internal.h"

enum { MARGIN_SCRAPES = 2 };          /* so that the last events of the load have been scraped */
static const double far_apart = 0.05; /* of two counts of the same requests */

bool report_window(const struct report *report, struct slo_window *out)
{
    const struct report_course *course = &report->course;
    double scrape = base_dur_to_s(report->plan.scrape_interval);
    if (course->load_start.ns <= 0 || course->load_end.ns < course->load_start.ns || !(scrape > 0))
        return false;
    double second = (double)BASE_NS_PER_S;
    *out = (struct slo_window){
        .start = (double)course->load_start.ns / second - MARGIN_SCRAPES * scrape,
        .end = (double)course->load_end.ns / second + MARGIN_SCRAPES * scrape,
        .scrape = scrape};
    return true;
}

/* The generator names the service it wants in the Host header: "gateway", "gateway:3000" or
 * "gateway.shop.svc". */
static bool sends_to(const struct report *report, const char *service)
{
    const char *host = report->plan.load.host;
    if (host == NULL || service == NULL || service[0] == '\0' || !base_str_starts(host, service))
        return false;
    char next = host[strlen(service)];
    return next == '\0' || next == ':' || next == '.';
}

static struct report_reconcile compare(const struct report *report, const struct plan_slo *slo,
                                       const struct slo_result *result)
{
    const struct load_counts *total = &report->load.total;
    bool all = slo->kind == PLAN_SLO_AVAILABILITY;
    /* A latency SLO's total leaves out the errors (status 499 and above); 4xx are answers. */
    uint64_t answered = load_counts_answered(total);
    uint64_t sent = total->sent - total->failed[LOAD_FAIL_INPUT];
    struct report_reconcile out = {.direct = sends_to(report, slo->service),
                                   .errors_known = all,
                                   .sent = (double)(all ? sent : answered),
                                   .seen = result->load_total,
                                   .failed_5xx = (double)total->failed[LOAD_FAIL_HTTP_5XX],
                                   .failed_all = (double)load_counts_failed(total),
                                   .failed_to_serve = (double)load_counts_unserved(total),
                                   .seen_bad = result->load_bad};
    out.known = report->have_load && out.sent > 0 && result->total_increase.series > 0;
    out.difference = out.known ? (out.seen - out.sent) / out.sent : (double)NAN;
    return out;
}

static void overrule(struct slo_result *result, enum verdict_reason reason, const char *why)
{
    result->status = VERDICT_INSUFFICIENT;
    result->reason = reason;
    result->why = why;
}

/* The two sides must not only count the same requests, but come to the same end. What the server
 * counts above the generator is other people's traffic, or a second run's. */
static void reconcile(const struct plan_slo *plan, const struct report_reconcile *r,
                      struct slo_result *result)
{
    if (!r->known || !r->direct)
        return;
    if (r->difference < -far_apart)
        overrule(result, REASON_COUNTS_DIFFER,
                 "Prometheus shows fewer of the generator's requests than it sent");
    else if (result->status == VERDICT_PASS && r->errors_known &&
             r->failed_to_serve > r->sent * (1 - plan->objective))
        overrule(result, REASON_COUNTS_DIFFER,
                 "the generator saw more failures than the budget allows, and Prometheus does not "
                 "show them");
}

struct slo_result report_slo(const struct report *report, size_t slo)
{
    const struct plan_slo *plan = &report->plan.slos[slo];
    struct slo_window window = {.scrape = 1};
    bool known = report_window(report, &window);
    struct slo_result result = slo_judge(plan, &report->slos[slo], &window);
    if (!known) {
        overrule(&result, REASON_NO_DATA, "it is not known when the load ran");
        return result;
    }
    struct report_reconcile r = compare(report, plan, &result);
    bool judged = result.status == VERDICT_PASS || result.status == VERDICT_FAIL;
    if (judged && report->course.aborted_by != NULL)
        overrule(&result, REASON_ABORTED, "the run was aborted");
    else if (judged && report->have_load && !report->load.complete)
        overrule(&result, REASON_NO_DATA, "the load was stopped before its end");
    else if (judged)
        reconcile(plan, &r, &result);
    return result;
}

struct report_reconcile report_reconcile(const struct report *report, size_t slo)
{
    struct slo_result result = report_slo(report, slo);
    return compare(report, &report->plan.slos[slo], &result);
}

static char *say_slo(const struct slo_result *r, const struct slo_evidence *evidence)
{
    char *sli = judge_percent(r->sli);
    char *spent = judge_percent(r->budget_spent);
    char *coverage = judge_percent(r->coverage.share);
    char *text = base_str_printf(
        "%s good: %.15g bad of %.15g events, budget spent %s, coverage %s%s%s%s%s", sli, r->bad,
        r->total, spent, coverage, r->why[0] == '\0' ? "" : "; ", r->why,
        evidence->failed == NULL ? "" : ": ", evidence->failed == NULL ? "" : evidence->failed);
    free(sli);
    free(spent);
    free(coverage);
    return text;
}

static void judge_slo(const struct report *report, size_t slo, struct verdict *verdict)
{
    const struct plan_slo *plan = &report->plan.slos[slo];
    struct slo_result result = report_slo(report, slo);
    char *target = judge_percent(plan->objective);
    char within[BASE_DUR_TEXT] = "";
    base_dur_format(plan->within, within);
    bool latency = plan->kind == PLAN_SLO_LATENCY;
    struct finding finding = {.status = result.status,
                              .reason = result.reason,
                              .value = result.sli,
                              .measured = say_slo(&result, &report->slos[slo])};
    finding.expected = base_str_printf("%s of %s's requests %s%s", target, plan->service,
                                       latency ? "within " : "succeed", latency ? within : "");
    free(target);
    judge_add(verdict, VERDICT_SLO, plan->name, finding);
}

static void judge_reconcile(const struct report *report, size_t slo, struct verdict *verdict)
{
    struct report_reconcile r = report_reconcile(report, slo);
    if (!r.direct)
        return; /* another service's requests are not the generator's, one for one */
    struct finding finding = {.advisory = true, .value = r.difference};
    bool all = report->plan.slos[slo].kind == PLAN_SLO_AVAILABILITY;
    finding.expected =
        base_str_dup(all ? "Prometheus counts what the generator sent, within 5%"
                         : "Prometheus counts what was answered without error, within 5%");
    if (!r.known) {
        finding.status = VERDICT_INSUFFICIENT;
        finding.reason = REASON_NO_DATA;
        finding.measured = base_str_dup("one of the two has not counted");
    } else {
        bool near = fabs(r.difference) <= far_apart;
        finding.status = near ? VERDICT_PASS : VERDICT_FAIL;
        finding.reason = near ? REASON_MET : REASON_COUNTS_DIFFER;
        char *difference = judge_percent(r.difference);
        finding.measured =
            base_str_printf("the generator %s %.15g, Prometheus shows %.15g (%s)",
                            all ? "sent" : "got answers to", r.sent, r.seen, difference);
        free(difference);
    }
    judge_add(verdict, VERDICT_RECONCILE, report->plan.slos[slo].name, finding);
}

/* Objectives that rest on the same counter would say the same again. */
static bool said_before(const struct plan *plan, size_t slo)
{
    for (size_t i = 0; i < slo; i++) {
        if (base_str_eq(plan->slos[i].total, plan->slos[slo].total))
            return true;
    }
    return false;
}

void judge_slos(const struct report *report, struct verdict *verdict)
{
    for (size_t i = 0; i < report->plan.slo_count; i++)
        judge_slo(report, i, verdict);
    for (size_t i = 0; i < report->plan.slo_count; i++) {
        if (!said_before(&report->plan, i))
            judge_reconcile(report, i, verdict);
    }
}
