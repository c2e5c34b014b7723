/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "judge_internal.h"

void judge_add(struct verdict *verdict, enum verdict_source source, const char *name,
               struct finding finding)
{
    verdict->objectives = base_reallocarray(verdict->objectives, verdict->objective_count + 1,
                                            sizeof *verdict->objectives);
    verdict->objectives[verdict->objective_count++] =
        (struct verdict_objective){.source = source,
                                   .name = base_str_dup(name),
                                   .status = finding.status,
                                   .reason = finding.reason,
                                   .advisory = finding.advisory,
                                   .expected = finding.expected,
                                   .measured = finding.measured,
                                   .value = finding.value};
}

char *judge_percent(double share)
{
    if (!isfinite(share))
        return base_str_dup("none");
    /* One bad event in a hundred million is not "100%". */
    for (int digits = 6;; digits++) {
        char *text = base_str_printf("%.*g%%", digits, share * 100);
        bool rounded = share < 1 && strcmp(text, "100%") == 0;
        if (!rounded || digits == 17)
            return text;
        free(text);
    }
}

char *judge_count(double count)
{
    return isfinite(count) ? base_str_printf("%.15g", count) : base_str_dup("none");
}

const char *judge_load_void(const struct report *report, enum verdict_reason *reason)
{
    const struct {
        bool holds;
        enum verdict_reason reason;
        const char *why;
    } rules[] = {
        {!report->have_load, REASON_NO_DATA, "there is no load.json to judge by"},
        {report->course.aborted_by != NULL, REASON_ABORTED, "the run was aborted"},
        {!report->load.complete, REASON_NO_DATA, "the load was stopped before its end"},
        {report->load.client_limited, REASON_CLIENT_LIMITED,
         "the load generator itself was the limit"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].holds) {
            *reason = rules[i].reason;
            return rules[i].why;
        }
    }
    return NULL;
}

/* Whether what was sent is what was planned, and met with anybody. */
static void judge_sent(const struct report *report, struct finding *finding, const char **why)
{
    const struct load_counts *total = &report->load.total;
    if (total->ok == 0) {
        finding->status = VERDICT_INSUFFICIENT;
        finding->reason = REASON_NO_DATA;
        *why = total->intended == 0 ? "none was ever due" : "not one of them succeeded";
    } else if ((double)total->missed > report->plan.max_missed * (double)total->intended) {
        finding->status = VERDICT_FAIL;
        finding->reason = REASON_NOT_MET;
        *why = "no connection got free for the others in time: more connections, a lower rate, or "
               "load.maxMissed";
    }
}

static void judge_load(const struct report *report, struct verdict *verdict)
{
    enum verdict_reason reason = REASON_MET;
    const char *why = judge_load_void(report, &reason);
    const struct load_counts *total = &report->load.total;
    struct finding finding = {.status = why == NULL ? VERDICT_PASS : VERDICT_INSUFFICIENT,
                              .reason = reason,
                              .value = (double)NAN};
    if (why == NULL)
        judge_sent(report, &finding, &why);
    if (total->intended > 0)
        finding.value = (double)total->sent / (double)total->intended;
    char *missed = judge_percent(report->plan.max_missed);
    const char *detail = report->load.client_limited_why;
    bool limited = reason == REASON_CLIENT_LIMITED && detail != NULL;
    finding.expected = base_str_printf("the whole schedule is sent, but for %s of it", missed);
    finding.measured =
        base_str_printf("%llu of %llu requests sent%s%s%s%s", (unsigned long long)total->sent,
                        (unsigned long long)total->intended, why == NULL ? "" : "; ",
                        why == NULL ? "" : why, limited ? ": " : "", limited ? detail : "");
    free(missed);
    judge_add(verdict, VERDICT_LOAD, "load", finding);
}

/* The first of these that holds is what became of the run. */
static void judge_run(const struct report *report, struct verdict *verdict)
{
    const struct report_course *course = &report->course;
    enum report_state events = report->sources[REPORT_EVENTS].state;
    const struct {
        bool holds;
        enum verdict_status status;
        enum verdict_reason reason;
        const char *what;
        const char *detail;
    } rules[] = {
        {course->aborted_by != NULL, VERDICT_INSUFFICIENT, REASON_ABORTED, "aborted by ",
         course->aborted_by},
        {course->error != NULL, VERDICT_ERROR, REASON_TOOL_ERROR, "", course->error},
        {events == REPORT_MISSING, VERDICT_INSUFFICIENT, REASON_NO_DATA,
         "there is no events.ndjson: nothing tells how the run went", NULL},
        {!course->finished, VERDICT_ERROR, REASON_TOOL_ERROR,
         "the runner was stopped; the last event is ", course->last_type},
        {course->steady_failed, VERDICT_INSUFFICIENT, REASON_NO_DATA,
         "the steady state was not reached", NULL},
        {course->cut_short != NULL, VERDICT_INSUFFICIENT, REASON_NO_DATA, "ended early by ",
         course->cut_short},
        {true, VERDICT_PASS, REASON_MET, "came to its planned end", NULL},
    };
    size_t i = 0;
    while (!rules[i].holds)
        i++;
    bool silent = rules[i].detail == NULL;
    struct finding finding = {.expected = base_str_dup("comes to its planned end"),
                              .status = rules[i].status,
                              .reason = rules[i].reason,
                              .value = (double)NAN};
    finding.measured = base_str_printf("%s%s", rules[i].what, silent ? "" : rules[i].detail);
    judge_add(verdict, VERDICT_RUN, "run", finding);
}

/* Damage is an error: what was edited or rotted cannot be judged by. What is missing or cut short
 * is judged where it is needed, and only listed here; without a plan nothing can be judged. */
static void judge_evidence(const struct report *report, struct verdict *verdict)
{
    enum report_state worst = REPORT_WHOLE;
    struct base_buf text;
    base_buf_init(&text, 16384);
    for (int i = 0; i < REPORT_FILE_COUNT; i++) {
        const struct report_source *source = &report->sources[i];
        if (source->state == REPORT_WHOLE)
            continue;
        worst = source->state > worst ? source->state : worst;
        (void)base_buf_printf(&text, "%s%s is %s: %s", text.len > 0 ? "; " : "",
                              report_file_name((enum report_file)i),
                              report_state_name(source->state),
                              source->detail == NULL ? "" : source->detail);
    }
    bool no_plan = report->sources[REPORT_PLAN].state == REPORT_MISSING;
    struct finding finding = {.expected = base_str_dup("every file of the run is whole"),
                              .status = VERDICT_PASS,
                              .reason = REASON_MET,
                              .value = (double)NAN};
    if (report->unsealed != NULL)
        (void)base_buf_printf(&text, "%s%s", text.len > 0 ? "; " : "", report->unsealed);
    if (worst == REPORT_DAMAGED || report->unsealed != NULL) {
        finding.status = VERDICT_ERROR;
        finding.reason = REASON_TOOL_ERROR;
    } else if (worst != REPORT_WHOLE) {
        finding.status = VERDICT_INSUFFICIENT;
        finding.reason = REASON_NO_DATA;
        finding.advisory = !no_plan;
    }
    finding.measured = text.len > 0 ? base_buf_steal(&text) : base_str_dup("all are whole");
    base_buf_fini(&text);
    if (finding.measured == NULL)
        finding.measured = base_str_dup("more damage than can be listed");
    judge_add(verdict, VERDICT_RUN, "evidence", finding);
}

static void conclude(const struct report *report, struct verdict *verdict)
{
    bool found[VERDICT_ERROR + 1] = {false};
    for (size_t i = 0; i < verdict->objective_count; i++) {
        if (!verdict->objectives[i].advisory)
            found[verdict->objectives[i].status] = true;
    }
    if (report->course.unclean)
        verdict->unclean = true;
    bool error = found[VERDICT_ERROR] || verdict->unclean;
    verdict->aborted = report->course.aborted_by != NULL;
    verdict->aborted_by = base_str_dup(report->course.aborted_by);
    verdict->status = error                         ? VERDICT_ERROR
                      : found[VERDICT_FAIL]         ? VERDICT_FAIL
                      : found[VERDICT_INSUFFICIENT] ? VERDICT_INSUFFICIENT
                                                    : VERDICT_PASS;
    verdict->exit_code = verdict->unclean              ? EXIT_CODE_UNCLEAN
                         : verdict->aborted            ? EXIT_CODE_ABORTED
                         : error                       ? EXIT_CODE_ERROR
                         : found[VERDICT_FAIL]         ? EXIT_CODE_FAIL
                         : found[VERDICT_INSUFFICIENT] ? EXIT_CODE_INSUFFICIENT
                                                       : EXIT_CODE_PASS;
}

void report_judge(const struct report *report, struct verdict *out)
{
    *out = (struct verdict){0};
    out->run = base_str_dup(report->have_plan ? report->plan.run : "unknown");
    out->scenario = base_str_dup(report->have_plan ? report->plan.scenario : "unknown");
    judge_run(report, out);
    judge_load(report, out);
    judge_faults(report, out);
    judge_probes(report, out);
    judge_thresholds(report, out);
    judge_slos(report, out);
    judge_evidence(report, out);
    conclude(report, out);
}
