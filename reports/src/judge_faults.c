/* SPDX-License-Identifier: Apache-2.0 */
/* Faults: each took effect, and each is gone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "judge_internal.h"

/* What a record says, in the order in which it matters. */
struct fault_facts {
    const struct fault_record *record;
    bool gone;
    bool applied;
    bool measured_in_vain; /* applied, and looked for without success */
    bool not_recovered;    /* gone, but what it hit is not as it should be afterwards */
    bool lost;             /* ended by a death, not by plan */
    bool stopped;          /* ended before its effect could be measured */
};

/* What was measured at that time was not as expected, and no later measurement of the same thing
 * was: verification may need more than one look. */
static bool last_word_is_bad(const struct fault_record *record, const char *when)
{
    for (size_t i = 0; i < record->evidence_count; i++) {
        const struct fault_evidence *e = &record->evidence[i];
        bool bad = base_str_eq(e->when, when) && !e->ok;
        for (size_t k = i + 1; bad && k < record->evidence_count; k++) {
            const struct fault_evidence *later = &record->evidence[k];
            if (later->ok && base_str_eq(later->when, when) &&
                base_str_eq(later->target, e->target) && base_str_eq(later->metric, e->metric))
                bad = false;
        }
        if (bad)
            return true;
    }
    return false;
}

static struct fault_facts facts_of(const struct fault_record *record)
{
    struct fault_facts facts = {.record = record,
                                .gone = record->state == FAULT_GONE,
                                .applied = record->applied_at.ns != 0,
                                .measured_in_vain = last_word_is_bad(record, "during"),
                                .not_recovered = last_word_is_bad(record, "after")};
    facts.lost = record->end == FAULT_END_LEASE || record->end == FAULT_END_RECOVERY;
    facts.stopped = record->end == FAULT_END_REQUEST || record->end == FAULT_END_HALT;
    /* Refused before anything was touched: there is nothing that could be gone. */
    if (record->state == FAULT_FAILED && !facts.applied)
        facts.gone = true;
    return facts;
}

/* The first rule that holds is what became of the fault. */
static struct fault_rule judge_record(const struct fault_facts *f, bool aborted)
{
    bool active = f->record->was_active;
    bool failed = !f->applied || f->record->state == FAULT_FAILED;
    bool halted = f->record->end == FAULT_END_HALT;
    const struct fault_rule rules[] = {
        {f->record->state == FAULT_STUCK, VERDICT_ERROR, REASON_FAULT_STUCK,
         "reverted as far as possible, but its absence could not be shown: look at its targets"},
        {!f->gone, VERDICT_ERROR, REASON_FAULT_STUCK,
         "the record ends before its absence was measured: run `squall halt`, then look at its "
         "targets"},
        {f->lost, VERDICT_ERROR, REASON_FAULT_INTERRUPTED,
         "its agent or its controller was lost while it was in place; it is gone"},
        {active && (f->measured_in_vain || f->record->end == FAULT_END_FAILED), VERDICT_FAIL,
         REASON_FAULT_INEFFECTIVE, "took effect, but lost it before its time; it is gone"},
        {active && f->not_recovered && halted, VERDICT_INSUFFICIENT, REASON_ABORTED,
         "took effect and is gone; the halt did not wait for what it hit to come back"},
        {active && f->not_recovered, VERDICT_FAIL, REASON_FAULT_NOT_RECOVERED,
         "took effect and is gone, but what it hit did not come back in time"},
        {active, VERDICT_PASS, REASON_MET, "took effect and is gone"},
        {f->stopped && aborted && !f->measured_in_vain, VERDICT_INSUFFICIENT, REASON_ABORTED,
         "reverted by the abort before its effect was measured; it is gone"},
        {failed && !f->measured_in_vain, VERDICT_ERROR, REASON_FAULT_FAILED,
         "could not be applied"},
        {true, VERDICT_FAIL, REASON_FAULT_INEFFECTIVE,
         "was applied, but its effect was not there; it is gone"},
    };
    size_t i = 0;
    while (!rules[i].holds)
        i++;
    return rules[i];
}

struct fault_rule judge_fault(const struct report *report, size_t fault)
{
    struct fault_facts facts = facts_of(&report->faults[fault]);
    return judge_record(&facts, report->course.aborted_by != NULL);
}

static void add_fault(struct verdict *verdict, const char *name, const struct fault_rule *rule,
                      const char *error, double value)
{
    struct finding finding = {
        .status = rule->status,
        .reason = rule->reason,
        .expected = base_str_dup(rule->reason == REASON_FAULT_NOT_RECOVERED
                                     ? "takes effect, is gone afterwards, and what it hit is back"
                                     : "takes effect, and is gone afterwards"),
        .value = value};
    bool silent = error == NULL || error[0] == '\0';
    finding.measured =
        base_str_printf("%s%s%s", rule->what, silent ? "" : ": ", silent ? "" : error);
    if (rule->reason == REASON_FAULT_STUCK)
        verdict->unclean = true;
    judge_add(verdict, VERDICT_FAULT, name, finding);
}

/* The number of a fault is how long it was in place, in seconds. */
static double in_place(const struct fault_record *record)
{
    if (record->applied_at.ns == 0 || record->gone_at.ns == 0)
        return (double)NAN;
    return (double)(record->gone_at.ns - record->applied_at.ns) / (double)BASE_NS_PER_S;
}

static const struct fault_record *record_of(const struct report *report, const char *id)
{
    for (size_t i = 0; i < report->fault_count; i++) {
        if (base_str_eq(report->faults[i].id, id))
            return &report->faults[i];
    }
    return NULL;
}

/* The last event about a fault; NULL when there is none. */
static const char *last_event(const struct report *report, const char *id)
{
    const char *last = NULL;
    for (size_t i = 0; i < report->event_count; i++) {
        if (base_str_eq(report->events[i].fault_id, id))
            last = report->events[i].type;
    }
    return last;
}

void judge_add_skipped(struct verdict *verdict, enum verdict_source source, const char *name,
                       char *expected, const char *fault, const char *why)
{
    struct finding finding = {.status = VERDICT_INSUFFICIENT,
                              .reason = REASON_SKIPPED,
                              .advisory = true,
                              .expected = expected,
                              .value = (double)NAN};
    finding.measured = fault == NULL ? base_str_printf("SKIPPED, not injected: %s", why)
                                     : base_str_printf("SKIPPED with fault %s: %s", fault, why);
    judge_add(verdict, source, name, finding);
}

const struct report_left *judge_skipped_phase(const struct report *report, const char *phase)
{
    static const char after[] = "after-";
    if (phase == NULL)
        return NULL;
    const struct report_left *left = report_left(report, phase);
    if (left == NULL && base_str_starts(phase, after))
        left = report_left(report, phase + strlen(after));
    return left != NULL && left->skipped ? left : NULL;
}

static void judge_left(const struct report_left *left, struct verdict *verdict)
{
    char *expected = base_str_dup("takes effect, and is gone afterwards");
    if (left->skipped) {
        judge_add_skipped(verdict, VERDICT_FAULT, left->name, expected, NULL, left->why);
        return;
    }
    struct finding finding = {.status = VERDICT_INSUFFICIENT,
                              .reason = REASON_CONDITION_NOT_MET,
                              .expected = expected,
                              .measured = base_str_printf("never injected: %s", left->why),
                              .value = (double)NAN};
    judge_add(verdict, VERDICT_FAULT, left->name, finding);
}

/* Whoever reads "pass" believes that something was broken. */
static void judge_none_taken(const struct report *report, struct verdict *verdict)
{
    const struct plan *plan = &report->plan;
    for (size_t i = 0; i < plan->fault_count; i++) {
        const struct report_left *left = report_left(report, plan->faults[i].spec.name);
        if (left == NULL || !left->skipped)
            return;
    }
    if (plan->fault_count == 0)
        return;
    struct finding finding = {.status = VERDICT_INSUFFICIENT,
                              .reason = REASON_NO_DATA,
                              .expected = base_str_dup("at least one fault is injected"),
                              .measured = base_str_dup("every one was skipped: this run says "
                                                       "nothing about faults"),
                              .value = (double)NAN};
    judge_add(verdict, VERDICT_FAULT, "faults", finding);
}

/* Without a record (no faults.json, or the agent never answered) the timeline must tell. Once it
 * was requested it may be in place, unless something says that it is not. */
static void judge_without_record(const struct report *report, const char *name, const char *id,
                                 struct verdict *verdict)
{
    const char *last = last_event(report, id);
    if (base_str_eq(last, "fault.waiting") || base_str_eq(last, "fault.skipped") ||
        base_str_eq(last, "fault.unmet"))
        last = NULL; /* it was never requested */
    bool aborted = report->course.aborted_by != NULL;
    bool refused = base_str_eq(last, "fault.failed");
    bool told_gone = base_str_eq(last, "fault.gone");
    bool clean_end = report->course.finished && !report->course.unclean;
    const struct fault_rule rules[] = {
        {last == NULL && aborted, VERDICT_INSUFFICIENT, REASON_ABORTED,
         "the run was aborted before it was its turn"},
        {last == NULL, VERDICT_INSUFFICIENT, REASON_NO_DATA, "it was never requested"},
        {refused, VERDICT_ERROR, REASON_FAULT_FAILED, "could not be applied"},
        {told_gone, VERDICT_INSUFFICIENT, REASON_NO_DATA,
         "it is gone, but there is no record of its effect"},
        {clean_end, VERDICT_ERROR, REASON_FAULT_FAILED,
         "was requested, but no agent has a record of it"},
        {true, VERDICT_ERROR, REASON_FAULT_STUCK,
         "was requested, and nothing shows that it is gone: run `squall halt`, then look at its "
         "targets"},
    };
    size_t i = 0;
    while (!rules[i].holds)
        i++;
    add_fault(verdict, name, &rules[i], NULL, (double)NAN);
}

static bool planned(const struct plan *plan, const char *id)
{
    for (size_t i = 0; i < plan->fault_count; i++) {
        if (base_str_eq(plan->faults[i].spec.id, id))
            return true;
    }
    return false;
}

static bool seen_before(const struct report *report, size_t event)
{
    for (size_t i = 0; i < event; i++) {
        if (base_str_eq(report->events[i].fault_id, report->events[event].fault_id))
            return true;
    }
    return false;
}

/* Faults that only the timeline knows: plan.json and faults.json may both be lost. */
static void judge_unplanned(const struct report *report, struct verdict *verdict)
{
    for (size_t i = 0; i < report->event_count; i++) {
        const char *id = report->events[i].fault_id;
        if (id != NULL && !planned(&report->plan, id) && record_of(report, id) == NULL &&
            !seen_before(report, i))
            judge_without_record(report, id, id, verdict);
    }
}

static void judge_skipped(const struct plan *plan, struct verdict *verdict)
{
    for (size_t i = 0; i < plan->skipped_count; i++) {
        struct finding finding = {.status = VERDICT_INSUFFICIENT,
                                  .reason = REASON_NO_DATA,
                                  .advisory = true,
                                  .value = (double)NAN};
        finding.expected = base_str_dup("takes effect, and is gone afterwards");
        finding.measured = base_str_printf("SKIPPED, not injected: %s", plan->skipped[i].why);
        judge_add(verdict, VERDICT_FAULT, plan->skipped[i].name, finding);
    }
}

void judge_faults(const struct report *report, struct verdict *verdict)
{
    for (size_t i = 0; i < report->fault_count; i++) {
        const struct fault_record *record = &report->faults[i];
        struct fault_rule rule = judge_fault(report, i);
        add_fault(verdict, record->name, &rule, record->error, in_place(record));
    }
    for (size_t i = 0; i < report->plan.fault_count; i++) {
        const struct fault_spec *spec = &report->plan.faults[i].spec;
        const struct report_left *left = report_left(report, spec->name);
        if (record_of(report, spec->id) != NULL)
            continue;
        if (left != NULL)
            judge_left(left, verdict);
        else
            judge_without_record(report, spec->name, spec->id, verdict);
    }
    judge_none_taken(report, verdict);
    judge_unplanned(report, verdict);
    judge_skipped(&report->plan, verdict);
}
