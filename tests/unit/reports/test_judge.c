/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "judge_internal.h"

/* A report in which everything is well; each test breaks one thing. Its parts are static: it is
 * never finished. */
struct world {
    struct report report;
    struct report_hist hist;
    struct plan_threshold threshold;
    struct fault_record fault;
    struct fault_evidence during;
    struct plan_fault planned;
    struct report_event event;
};

static char word_run[] = "r1", word_name[] = "lose-one", word_during[] = "during";
static char word_response[] = "response", word_phase[] = "steady", word_route[] = "list";

static void world_init(struct world *w)
{
    *w = (struct world){0};
    struct report *r = &w->report;
    r->have_plan = true;
    r->plan.run = word_run;
    r->plan.scenario = word_name;
    r->plan.duration = base_dur_s(10);
    r->have_load = true;
    r->load.complete = true;
    r->load.scheduled = base_dur_s(10);
    r->load.total = (struct load_counts){.intended = 2000, .sent = 2000, .ok = 2000};
    r->course.finished = true;
    w->hist = (struct report_hist){.phase = word_phase, .route = word_route, .kind = word_response};
    assert_true(hdr_init_latency(&w->hist.hdr, NULL));
    hdr_record_n(&w->hist.hdr, 2000000, 2000);
    r->hists = &w->hist;
    r->hist_count = 1;
}

static void world_fini(struct world *w)
{
    hdr_fini(&w->hist.hdr);
}

static void with_fault(struct world *w)
{
    w->during = (struct fault_evidence){.when = word_during, .ok = true};
    w->fault = (struct fault_record){.id = word_run,
                                     .name = word_name,
                                     .state = FAULT_GONE,
                                     .end = FAULT_END_EXPIRED,
                                     .was_active = true,
                                     .applied_at = {1000},
                                     .gone_at = {2000},
                                     .evidence = &w->during,
                                     .evidence_count = 1};
    w->report.faults = &w->fault;
    w->report.fault_count = 1;
}

static void with_threshold(struct world *w, const char *text)
{
    w->threshold = (struct plan_threshold){.name = word_name};
    assert_true(expectation_parse(text, &w->threshold.expect, NULL));
    w->report.plan.thresholds = &w->threshold;
    w->report.plan.threshold_count = 1;
}

/* Judges, and checks the exit code and the one objective of that source and name. */
static void expect(const struct world *w, enum verdict_source source, const char *name,
                   enum verdict_status status, enum verdict_reason reason, enum exit_code code)
{
    struct verdict v = {0};
    report_judge(&w->report, &v);
    const struct verdict_objective *found = NULL;
    for (size_t i = 0; i < v.objective_count; i++) {
        if (v.objectives[i].source == source && strcmp(v.objectives[i].name, name) == 0)
            found = &v.objectives[i];
    }
    if (found == NULL)
        fail_msg("the verdict says nothing of %s", name);
    else if (found->status != status || found->reason != reason || v.exit_code != code)
        fail_msg("%s: %s %s, exit %d: %s", name, verdict_status_name(found->status),
                 verdict_reason_name(found->reason), (int)v.exit_code, found->measured);
    verdict_fini(&v);
}

static void a_good_run_passes(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    expect(&w, VERDICT_RUN, "run", VERDICT_PASS, REASON_MET, EXIT_CODE_PASS);
    expect(&w, VERDICT_LOAD, "load", VERDICT_PASS, REASON_MET, EXIT_CODE_PASS);
    world_fini(&w);
}

static void a_run_that_a_fault_ended_did_not_come_to_its_end(void **state)
{
    (void)state;
    static char why[] = "fault: fault cut: refused";
    struct world w;
    world_init(&w);
    w.report.course.cut_short = why;
    expect(&w, VERDICT_RUN, "run", VERDICT_INSUFFICIENT, REASON_NO_DATA, EXIT_CODE_INSUFFICIENT);
    world_fini(&w);
}

static void thresholds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum verdict_status status;
        enum verdict_reason reason;
        enum exit_code code;
    } cases[] = {
        {"p99 < 250ms", VERDICT_PASS, REASON_MET, EXIT_CODE_PASS},
        {"p99 < 1ms", VERDICT_FAIL, REASON_NOT_MET, EXIT_CODE_FAIL},
        /* 2000 responses: enough for p99.5, not for p99.9, which needs 10,000 */
        {"p99.5 < 250ms", VERDICT_PASS, REASON_MET, EXIT_CODE_PASS},
        {"p99.9 < 250ms", VERDICT_INSUFFICIENT, REASON_TOO_FEW_EVENTS, EXIT_CODE_INSUFFICIENT},
        {"p99.9 < 1ms", VERDICT_INSUFFICIENT, REASON_TOO_FEW_EVENTS, EXIT_CODE_INSUFFICIENT},
        {"errors < 1%", VERDICT_PASS, REASON_MET, EXIT_CODE_PASS},
        {"achieved_rate >= 99%", VERDICT_PASS, REASON_MET, EXIT_CODE_PASS},
        {"count > 2000", VERDICT_FAIL, REASON_NOT_MET, EXIT_CODE_FAIL},
        {"count >= 2000", VERDICT_PASS, REASON_MET, EXIT_CODE_PASS},
        {"rate >= 200/s", VERDICT_PASS, REASON_MET, EXIT_CODE_PASS},
        {"mean < 20ms", VERDICT_PASS, REASON_MET, EXIT_CODE_PASS},
        {"max < 1s", VERDICT_PASS, REASON_MET, EXIT_CODE_PASS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        world_init(&w);
        with_threshold(&w, cases[i].text);
        expect(&w, VERDICT_THRESHOLD, word_name, cases[i].status, cases[i].reason, cases[i].code);
        world_fini(&w);
    }
}

static void missing_numbers_never_pass(void **state)
{
    (void)state;
    static const char *const texts[] = {"p50 < 1h",           "mean < 1h",  "max < 1h",
                                        "errors < 100%",      "rate > 1/s", "count >= 0",
                                        "achieved_rate >= 0%"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct world w;
        world_init(&w);
        with_threshold(&w, texts[i]);
        w.threshold.phase = word_name; /* a phase in which nothing was sent */
        expect(&w, VERDICT_THRESHOLD, word_name, VERDICT_INSUFFICIENT, REASON_NO_DATA,
               EXIT_CODE_INSUFFICIENT);
        world_fini(&w);
    }
}

static void load_that_proves_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    with_threshold(&w, "p99 < 250ms");
    w.report.load.client_limited = true;
    expect(&w, VERDICT_THRESHOLD, word_name, VERDICT_INSUFFICIENT, REASON_CLIENT_LIMITED,
           EXIT_CODE_INSUFFICIENT);
    expect(&w, VERDICT_LOAD, "load", VERDICT_INSUFFICIENT, REASON_CLIENT_LIMITED,
           EXIT_CODE_INSUFFICIENT);
    w.report.load.client_limited = false;
    w.report.load.complete = false;
    expect(&w, VERDICT_LOAD, "load", VERDICT_INSUFFICIENT, REASON_NO_DATA, EXIT_CODE_INSUFFICIENT);
    w.report.load.complete = true;
    w.report.sources[REPORT_HLOG].state = REPORT_PARTIAL;
    expect(&w, VERDICT_THRESHOLD, word_name, VERDICT_INSUFFICIENT, REASON_NO_DATA,
           EXIT_CODE_INSUFFICIENT);
    w.report.sources[REPORT_HLOG].state = REPORT_WHOLE;
    w.report.have_load = false;
    expect(&w, VERDICT_THRESHOLD, word_name, VERDICT_INSUFFICIENT, REASON_NO_DATA,
           EXIT_CODE_INSUFFICIENT);
    world_fini(&w);
}

/* A rate so low that nothing came due, or a target that answered nobody: the faults met no load. */
static void load_without_an_answer_proves_nothing(void **state)
{
    (void)state;
    static const struct load_counts cases[] = {
        {.intended = 0},
        {.intended = 10, .sent = 10, .failed = {[LOAD_FAIL_CONNECT] = 10}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        world_init(&w);
        w.report.load.total = cases[i];
        w.report.hist_count = 0;
        expect(&w, VERDICT_LOAD, "load", VERDICT_INSUFFICIENT, REASON_NO_DATA,
               EXIT_CODE_INSUFFICIENT);
        world_fini(&w);
    }
}

struct fault_case {
    enum fault_state state;
    enum fault_end end;
    bool was_active;
    bool applied;
    bool during_ok;
    enum verdict_status status;
    enum verdict_reason reason;
    enum exit_code code;
};

static void faults(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {FAULT_GONE, FAULT_END_EXPIRED, true, true, true, VERDICT_PASS, REASON_MET, EXIT_CODE_PASS},
        {FAULT_GONE, FAULT_END_REQUEST, true, true, true, VERDICT_PASS, REASON_MET, EXIT_CODE_PASS},
        {FAULT_GONE, FAULT_END_FAILED, false, true, false, VERDICT_FAIL, REASON_FAULT_INEFFECTIVE,
         EXIT_CODE_FAIL},
        {FAULT_GONE, FAULT_END_EXPIRED, false, true, false, VERDICT_FAIL, REASON_FAULT_INEFFECTIVE,
         EXIT_CODE_FAIL},
        {FAULT_GONE, FAULT_END_FAILED, false, false, true, VERDICT_ERROR, REASON_FAULT_FAILED,
         EXIT_CODE_ERROR},
        {FAULT_FAILED, FAULT_END_FAILED, false, false, true, VERDICT_ERROR, REASON_FAULT_FAILED,
         EXIT_CODE_ERROR},
        {FAULT_FAILED, FAULT_END_FAILED, false, true, true, VERDICT_ERROR, REASON_FAULT_STUCK,
         EXIT_CODE_UNCLEAN},
        {FAULT_GONE, FAULT_END_LEASE, true, true, true, VERDICT_ERROR, REASON_FAULT_INTERRUPTED,
         EXIT_CODE_ERROR},
        {FAULT_GONE, FAULT_END_RECOVERY, true, true, true, VERDICT_ERROR, REASON_FAULT_INTERRUPTED,
         EXIT_CODE_ERROR},
        {FAULT_STUCK, FAULT_END_EXPIRED, true, true, true, VERDICT_ERROR, REASON_FAULT_STUCK,
         EXIT_CODE_UNCLEAN},
        {FAULT_ACTIVE, FAULT_END_NONE, true, true, true, VERDICT_ERROR, REASON_FAULT_STUCK,
         EXIT_CODE_UNCLEAN},
        {FAULT_REVERTING, FAULT_END_EXPIRED, true, true, true, VERDICT_ERROR, REASON_FAULT_STUCK,
         EXIT_CODE_UNCLEAN},
        {FAULT_REQUESTED, FAULT_END_NONE, false, false, true, VERDICT_ERROR, REASON_FAULT_STUCK,
         EXIT_CODE_UNCLEAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        world_init(&w);
        with_fault(&w);
        w.fault.state = cases[i].state;
        w.fault.end = cases[i].end;
        w.fault.was_active = cases[i].was_active;
        w.fault.applied_at.ns = cases[i].applied ? 1000 : 0;
        w.during.ok = cases[i].during_ok;
        expect(&w, VERDICT_FAULT, word_name, cases[i].status, cases[i].reason, cases[i].code);
        world_fini(&w);
    }
}

/* What was measured afterwards, and an effect that was there and went: neither is a pass. */
static void a_fault_that_was_active_may_still_fail(void **state)
{
    (void)state;
    static char after[] = "after", during[] = "during", by[] = "halt";
    static const struct {
        enum fault_end end;
        const char *when;
        bool ok;
        enum verdict_status status;
        enum verdict_reason reason;
        enum exit_code code;
    } cases[] = {
        {FAULT_END_EXPIRED, after, true, VERDICT_PASS, REASON_MET, EXIT_CODE_PASS},
        {FAULT_END_EXPIRED, after, false, VERDICT_FAIL, REASON_FAULT_NOT_RECOVERED, EXIT_CODE_FAIL},
        {FAULT_END_REQUEST, after, false, VERDICT_FAIL, REASON_FAULT_NOT_RECOVERED, EXIT_CODE_FAIL},
        {FAULT_END_FAILED, after, true, VERDICT_FAIL, REASON_FAULT_INEFFECTIVE, EXIT_CODE_FAIL},
        {FAULT_END_EXPIRED, during, false, VERDICT_FAIL, REASON_FAULT_INEFFECTIVE, EXIT_CODE_FAIL},
        {FAULT_END_LEASE, after, false, VERDICT_ERROR, REASON_FAULT_INTERRUPTED, EXIT_CODE_ERROR},
    };
    struct world w;
    world_init(&w);
    with_fault(&w);
    struct fault_evidence evidence[3] = {w.during};
    w.fault.evidence = evidence;
    w.fault.evidence_count = 2;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        evidence[1] =
            (struct fault_evidence){.when = (char *)(uintptr_t)cases[i].when, .ok = cases[i].ok};
        w.fault.end = cases[i].end;
        expect(&w, VERDICT_FAULT, word_name, cases[i].status, cases[i].reason, cases[i].code);
    }
    /* A second look that succeeds is the last word, of the same thing only. */
    evidence[1] = (struct fault_evidence){.when = after, .ok = false};
    evidence[2] = (struct fault_evidence){.when = after, .ok = true};
    w.fault.end = FAULT_END_EXPIRED;
    w.fault.evidence_count = 3;
    expect(&w, VERDICT_FAULT, word_name, VERDICT_PASS, REASON_MET, EXIT_CODE_PASS);
    evidence[2].target = word_run;
    expect(&w, VERDICT_FAULT, word_name, VERDICT_FAIL, REASON_FAULT_NOT_RECOVERED, EXIT_CODE_FAIL);
    /* A halt does not wait for a restart: nobody knows. */
    w.fault.end = FAULT_END_HALT;
    w.report.course.aborted_by = by;
    expect(&w, VERDICT_FAULT, word_name, VERDICT_INSUFFICIENT, REASON_ABORTED, EXIT_CODE_ABORTED);
    world_fini(&w);
}

static void percentages_do_not_round_failures_away(void **state)
{
    (void)state;
    static const struct {
        double share;
        const char *text;
    } cases[] = {{1, "100%"},    {0.999, "99.9%"},      {0.99999999, "99.999999%"},
                 {0, "0%"},      {1e-9, "1e-07%"},      {0.987965, "98.7965%"},
                 {1.25, "125%"}, {(double)NAN, "none"}, {-0.0120349, "-1.20349%"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = judge_percent(cases[i].share);
        assert_string_equal(text, cases[i].text);
        free(text);
    }
}

static void with_planned(struct world *w)
{
    w->planned = (struct plan_fault){.spec = {.id = word_run, .name = word_name}};
    w->report.plan.faults = &w->planned;
    w->report.plan.fault_count = 1;
}

/* A controller that died leaves no faults.json; the timeline must not be read as "all is well". */
static void a_fault_without_record_is_told_by_the_timeline(void **state)
{
    (void)state;
    static char active[] = "fault.active", failed[] = "fault.failed", gone[] = "fault.gone";
    struct world w;
    world_init(&w);
    with_planned(&w);
    expect(&w, VERDICT_FAULT, word_name, VERDICT_INSUFFICIENT, REASON_NO_DATA,
           EXIT_CODE_INSUFFICIENT);
    w.event = (struct report_event){.type = active, .fault_id = word_run};
    w.report.events = &w.event;
    w.report.event_count = 1;
    w.report.course.finished = false;
    expect(&w, VERDICT_FAULT, word_name, VERDICT_ERROR, REASON_FAULT_STUCK, EXIT_CODE_UNCLEAN);
    w.report.plan.fault_count = 0; /* nor is the plan needed to see it */
    expect(&w, VERDICT_FAULT, word_run, VERDICT_ERROR, REASON_FAULT_STUCK, EXIT_CODE_UNCLEAN);
    w.report.course.finished = true;
    w.event.type = failed;
    expect(&w, VERDICT_FAULT, word_run, VERDICT_ERROR, REASON_FAULT_FAILED, EXIT_CODE_ERROR);
    w.event.type = gone;
    expect(&w, VERDICT_FAULT, word_run, VERDICT_INSUFFICIENT, REASON_NO_DATA,
           EXIT_CODE_INSUFFICIENT);
    world_fini(&w);
}

static void abort_outranks_all_but_unclean(void **state)
{
    (void)state;
    static char by[] = "signal: SIGINT";
    struct world w;
    world_init(&w);
    with_fault(&w);
    with_threshold(&w, "p99 < 1ms");
    w.report.course.aborted_by = by;
    w.report.sources[REPORT_EVENTS].state = REPORT_DAMAGED;
    expect(&w, VERDICT_RUN, "run", VERDICT_INSUFFICIENT, REASON_ABORTED, EXIT_CODE_ABORTED);
    expect(&w, VERDICT_THRESHOLD, word_name, VERDICT_INSUFFICIENT, REASON_ABORTED,
           EXIT_CODE_ABORTED);
    w.report.course.unclean = true;
    expect(&w, VERDICT_RUN, "run", VERDICT_INSUFFICIENT, REASON_ABORTED, EXIT_CODE_UNCLEAN);
    world_fini(&w);
}

static void the_run_itself(void **state)
{
    (void)state;
    static char full[] = "tool: no space left", type[] = "load.started";
    struct world w;
    world_init(&w);
    with_threshold(&w, "p99 < 1ms"); /* a failed objective does not hide a broken tool */
    w.report.course.error = full;
    expect(&w, VERDICT_RUN, "run", VERDICT_ERROR, REASON_TOOL_ERROR, EXIT_CODE_ERROR);
    w.report.course.error = NULL;
    w.report.course.finished = false;
    w.report.course.last_type = type;
    expect(&w, VERDICT_RUN, "run", VERDICT_ERROR, REASON_TOOL_ERROR, EXIT_CODE_ERROR);
    w.report.plan.threshold_count = 0;
    w.report.sources[REPORT_EVENTS].state = REPORT_MISSING;
    expect(&w, VERDICT_RUN, "run", VERDICT_INSUFFICIENT, REASON_NO_DATA, EXIT_CODE_INSUFFICIENT);
    w.report.course.finished = true;
    w.report.sources[REPORT_EVENTS].state = REPORT_WHOLE;
    w.report.sources[REPORT_PROBES].state = REPORT_DAMAGED;
    expect(&w, VERDICT_RUN, "evidence", VERDICT_ERROR, REASON_TOOL_ERROR, EXIT_CODE_ERROR);
    w.report.sources[REPORT_PROBES].state = REPORT_MISSING;
    expect(&w, VERDICT_RUN, "evidence", VERDICT_INSUFFICIENT, REASON_NO_DATA, EXIT_CODE_PASS);
    w.report.sources[REPORT_PLAN].state = REPORT_MISSING;
    expect(&w, VERDICT_RUN, "evidence", VERDICT_INSUFFICIENT, REASON_NO_DATA,
           EXIT_CODE_INSUFFICIENT);
    world_fini(&w);
}

static void skipped_faults_are_said_and_do_not_decide(void **state)
{
    (void)state;
    static char why[] = "no root";
    struct plan_skip skip = {.name = word_name, .why = why};
    struct world w;
    world_init(&w);
    w.report.plan.skipped = &skip;
    w.report.plan.skipped_count = 1;
    expect(&w, VERDICT_FAULT, word_name, VERDICT_INSUFFICIENT, REASON_NO_DATA, EXIT_CODE_PASS);
    world_fini(&w);
}

/* A branch that was not taken proves nothing, and neither does what was measured in its place. */
static void a_branch_not_taken_is_no_evidence(void **state)
{
    (void)state;
    static char why[] = "if gate: it did not hold", other[] = "other", after[] = "after-lose-one";
    static char type[] = "fault.skipped";
    char *during[] = {word_name, other};
    struct plan_fault planned[2] = {{.spec = {.id = word_run, .name = word_name}},
                                    {.spec = {.id = other, .name = other}}};
    struct report_left left = {.name = word_name, .skipped = true, .why = why};
    struct fault_evidence seen = {.when = word_during, .ok = true};
    struct plan_probe probe = {.name = other,
                               .mode = PLAN_PROBE_DURING,
                               .faults = during,
                               .fault_count = 1,
                               .at_least = 1};
    struct world w;
    world_init(&w);
    with_fault(&w); /* the other one was its turn */
    w.fault.id = other;
    w.fault.name = other;
    w.fault.evidence = &seen;
    w.report.plan.faults = planned;
    w.report.plan.fault_count = 2;
    w.report.left = &left;
    w.report.left_count = 1;
    w.event = (struct report_event){.type = type, .fault_id = word_run};
    w.report.events = &w.event;
    w.report.event_count = 1;
    with_threshold(&w, "errors < 1%"); /* which would hold, and so it would */
    w.report.plan.probes = &probe;
    w.report.plan.probe_count = 1;
    expect(&w, VERDICT_FAULT, word_name, VERDICT_INSUFFICIENT, REASON_SKIPPED, EXIT_CODE_PASS);
    expect(&w, VERDICT_PROBE, other, VERDICT_INSUFFICIENT, REASON_SKIPPED, EXIT_CODE_PASS);
    expect(&w, VERDICT_THRESHOLD, word_name, VERDICT_PASS, REASON_MET, EXIT_CODE_PASS);
    w.threshold.phase = word_name;
    expect(&w, VERDICT_THRESHOLD, word_name, VERDICT_INSUFFICIENT, REASON_SKIPPED, EXIT_CODE_PASS);
    w.threshold.phase = after;
    expect(&w, VERDICT_THRESHOLD, word_name, VERDICT_INSUFFICIENT, REASON_SKIPPED, EXIT_CODE_PASS);
    w.threshold.phase = other; /* whose requests were not counted: that is missing */
    expect(&w, VERDICT_THRESHOLD, word_name, VERDICT_INSUFFICIENT, REASON_NO_DATA,
           EXIT_CODE_INSUFFICIENT);
    w.threshold.phase = NULL;
    probe.fault_count = 2; /* it asks during the other one, too, but did not */
    expect(&w, VERDICT_PROBE, other, VERDICT_INSUFFICIENT, REASON_NO_DATA, EXIT_CODE_INSUFFICIENT);
    during[0] = other; /* in whichever order */
    during[1] = word_name;
    expect(&w, VERDICT_PROBE, other, VERDICT_INSUFFICIENT, REASON_NO_DATA, EXIT_CODE_INSUFFICIENT);
    probe.mode = PLAN_PROBE_GATE; /* no objective at all */
    expect(&w, VERDICT_FAULT, word_name, VERDICT_INSUFFICIENT, REASON_SKIPPED, EXIT_CODE_PASS);
    w.report.fault_count = 0; /* nothing at all was injected */
    w.report.plan.fault_count = 1;
    expect(&w, VERDICT_FAULT, "faults", VERDICT_INSUFFICIENT, REASON_NO_DATA,
           EXIT_CODE_INSUFFICIENT);
    world_fini(&w);
}

static void a_condition_that_was_not_met_is_missing_evidence(void **state)
{
    (void)state;
    static char why[] = "waited for the probe x", type[] = "fault.unmet";
    struct report_left left = {.name = word_name, .why = why};
    struct world w;
    world_init(&w);
    with_planned(&w);
    w.report.left = &left;
    w.report.left_count = 1;
    w.event = (struct report_event){.type = type, .fault_id = word_run};
    w.report.events = &w.event;
    w.report.event_count = 1;
    with_threshold(&w, "errors < 1%");
    w.threshold.phase = word_name;
    expect(&w, VERDICT_FAULT, word_name, VERDICT_INSUFFICIENT, REASON_CONDITION_NOT_MET,
           EXIT_CODE_INSUFFICIENT);
    expect(&w, VERDICT_THRESHOLD, word_name, VERDICT_INSUFFICIENT, REASON_NO_DATA,
           EXIT_CODE_INSUFFICIENT);
    w.report.plan.fault_count =
        0; /* the plan is lost: the timeline does not say that it is there */
    expect(&w, VERDICT_FAULT, word_run, VERDICT_INSUFFICIENT, REASON_NO_DATA,
           EXIT_CODE_INSUFFICIENT);
    world_fini(&w);
}

/* What a window that failed has shown stands; that all hold needs all of them. */
static void test_windows(void **state)
{
    (void)state;
    static const struct {
        struct load_window_sum sum;
        bool aborted, limited;
        enum verdict_status status;
        enum verdict_reason reason;
        enum exit_code code;
    } cases[] = {
        {{.full = 9, .worst = 9e6}, false, false, VERDICT_PASS, REASON_MET, EXIT_CODE_PASS},
        {{.full = 9, .failed = 1}, false, false, VERDICT_FAIL, REASON_NOT_MET, EXIT_CODE_FAIL},
        {{.full = 9, .failed = 1}, true, false, VERDICT_FAIL, REASON_NOT_MET, EXIT_CODE_ABORTED},
        {{.full = 9, .failed = 1, .starved = 8},
         false,
         false,
         VERDICT_FAIL,
         REASON_NOT_MET,
         EXIT_CODE_FAIL},
        {{.full = 9, .failed = 1},
         false,
         true,
         VERDICT_INSUFFICIENT,
         REASON_CLIENT_LIMITED,
         EXIT_CODE_INSUFFICIENT},
        {{.full = 9, .starved = 1},
         false,
         false,
         VERDICT_INSUFFICIENT,
         REASON_TOO_FEW_EVENTS,
         EXIT_CODE_INSUFFICIENT},
        {{.full = 0}, false, false, VERDICT_INSUFFICIENT, REASON_NO_DATA, EXIT_CODE_INSUFFICIENT},
        {{.full = 9}, true, false, VERDICT_INSUFFICIENT, REASON_ABORTED, EXIT_CODE_ABORTED},
    };
    static char by[] = "guard: threshold";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct load_window_sum sum = cases[i].sum;
        struct load_interval interval = {.length = base_dur_s(1)};
        world_init(&w);
        with_threshold(&w, "p99 < 10ms");
        w.threshold.over = base_dur_s(2);
        w.report.windows = &sum;
        w.report.load.intervals = &interval;
        w.report.load.interval_count = 1;
        w.report.load.client_limited = cases[i].limited;
        w.report.course.aborted_by = cases[i].aborted ? by : NULL;
        expect(&w, VERDICT_THRESHOLD, word_name, cases[i].status, cases[i].reason, cases[i].code);
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_run_passes),
        cmocka_unit_test(a_run_that_a_fault_ended_did_not_come_to_its_end),
        cmocka_unit_test(thresholds),
        cmocka_unit_test(missing_numbers_never_pass),
        cmocka_unit_test(load_that_proves_nothing),
        cmocka_unit_test(load_without_an_answer_proves_nothing),
        cmocka_unit_test(faults),
        cmocka_unit_test(a_fault_that_was_active_may_still_fail),
        cmocka_unit_test(percentages_do_not_round_failures_away),
        cmocka_unit_test(a_fault_without_record_is_told_by_the_timeline),
        cmocka_unit_test(abort_outranks_all_but_unclean),
        cmocka_unit_test(the_run_itself),
        cmocka_unit_test(skipped_faults_are_said_and_do_not_decide),
        cmocka_unit_test(a_branch_not_taken_is_no_evidence),
        cmocka_unit_test(a_condition_that_was_not_met_is_missing_evidence),
        cmocka_unit_test(test_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
