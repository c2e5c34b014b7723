/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "chart.h"
#include "escape.h"
#include "render.h"

static void check_xml(const char *text, const char *expected)
{
    struct base_buf out;
    base_buf_init(&out, 4096);
    escape_xml(&out, text);
    assert_string_equal(out.data, expected);
    base_buf_fini(&out);
}

static void markup_and_illegal_bytes_become_text(void **state)
{
    (void)state;
    check_xml("<a b=\"c\">&'", "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
    check_xml("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    check_xml("a\x01z\x1b[2J", "a\xef\xbf\xbdz\xef\xbf\xbd[2J");
    check_xml("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");                 /* overlong '/' */
    check_xml("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate */
    check_xml("\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd");                 /* cut short */
    check_xml("\xef\xbf\xbf\xff", "\xef\xbf\xbd\xef\xbf\xbd");         /* U+FFFF, no lead byte */
    check_xml("a\xe2\x80\xae"
              "b\xe2\x81\xa6",
              "a\xef\xbf\xbd"
              "b\xef\xbf\xbd"); /* bidi */
    check_xml(NULL, "");
}

static void markdown_cells_stay_in_their_row(void **state)
{
    (void)state;
    struct base_buf out;
    base_buf_init(&out, 4096);
    escape_md(&out, "a|b\n`c` <d>", 100);
    assert_string_equal(out.data, "a&#124;b &#96;c&#96; &lt;d&gt;");
    base_buf_clear(&out);
    escape_md(&out, "http://x www.y a:b =1+2", 100);
    assert_string_equal(out.data, "http&#58;//x &#119;ww.y a:b =1+2");
    base_buf_clear(&out);
    escape_md(&out, "\xc3\xa4\xc3\xa4\xc3\xa4", 2);
    assert_string_equal(out.data, "\xc3\xa4\xc3\xa4...");
    base_buf_fini(&out);
}

static void svg_is_made_the_pages_own(void **state)
{
    (void)state;
    char *svg = chart_adapt_svg(
        "warning: x\n<?xml version=\"1.0\"?>\n<svg viewBox=\"0 0 1 1\"><title>t</title>"
        "<desc>Produced by GNUPLOT</desc><path id='gpPt0' stroke='rgb(  2,   0,   1)'/>"
        "<use xlink:href='#gpPt0' fill = '#010103' color=\"black\"/><text>rgb(1,1,1) it's</text>"
        "</svg>\ntrailing",
        "rate");
    assert_non_null(svg);
    assert_string_equal(svg, "<svg viewBox=\"0 0 1 1\"><path id='rate-gpPt0' stroke='var(--c1)'/>"
                             "<use xlink:href='#rate-gpPt0' fill = 'var(--shade)' "
                             "color=\"currentColor\"/><text>rgb(1,1,1) it's</text></svg>");
    free(svg);
    assert_null(chart_adapt_svg("", "p"));
    assert_null(chart_adapt_svg("<svg><path id='x", "p"));
    assert_null(chart_adapt_svg("<svg><path id='x</svg>", "p"));
}

/* No name reaches gnuplot, whose language runs programs: `...` and system(). */
static void scripts_hold_no_names(void **state)
{
    (void)state;
    static char hostile[] = "`touch x`", response[] = "response", route[] = "r";
    struct plan_phase phase = {.name = hostile};
    struct report_hist hist = {.phase = hostile, .route = route, .kind = response};
    assert_true(hdr_init_latency(&hist.hdr, NULL));
    hdr_record_n(&hist.hdr, 1000000, 100);
    struct fault_record fault = {.name = hostile, .applied_at = {2 * BASE_NS_PER_S}};
    struct load_interval interval = {.start = {BASE_NS_PER_S},
                                     .length = base_dur_s(1),
                                     .phase = hostile,
                                     .counts = {.intended = 5, .ok = 5},
                                     .p50 = base_dur_ms(1),
                                     .p99 = base_dur_ms(2),
                                     .max = base_dur_ms(3)};
    struct report report = {.have_plan = true,
                            .plan = {.phases = &phase, .phase_count = 1},
                            .hists = &hist,
                            .hist_count = 1,
                            .faults = &fault,
                            .fault_count = 1,
                            .load = {.intervals = &interval, .interval_count = 1},
                            .course = {.load_start = {BASE_NS_PER_S}}};
    bool (*const scripts[])(const struct report *, struct chart *, struct base_buf *) = {
        chart_script_percentiles, chart_script_rate, chart_script_latency};
    for (size_t i = 0; i < 3; i++) {
        struct chart chart = {0};
        struct base_buf out;
        base_buf_init(&out, 65536);
        assert_true(scripts[i](&report, &chart, &out));
        assert_non_null(strstr(out.data, "plot "));
        assert_null(strstr(out.data, "touch"));
        assert_null(strchr(out.data, '`'));
        assert_true(chart.legend_count > 0);
        base_buf_fini(&out);
        chart_fini(&chart);
    }
    hdr_fini(&hist.hdr);
}

/* A table of their own, with who was missed and why. */
static void who_came_during_a_fault_is_shown(void **state)
{
    (void)state;
    static char name[] = "cut-off", joined[] = "users-3", missed[] = "users-4";
    static char what[] = "new instance", who[] = "pid 7", how[] = "as r1-1.2", why[] = "the cap";
    struct fault_arrival arrivals[] = {
        {.target = joined, .what = what, .who = who, .joined = true, .how = how},
        {.target = missed, .what = what, .how = why}};
    struct fault_record fault = {.name = name, .arrivals = arrivals, .arrival_count = 2};
    struct report report = {.faults = &fault, .fault_count = 1};
    struct verdict verdict = {.scenario = name, .run = name, .status = VERDICT_PASS};
    struct view view;
    struct base_buf out;
    base_buf_init(&out, 1 << 20);
    view_build(&report, &verdict, &view);
    render_markdown(&view, &out);
    const char *table = strstr(out.data, "Instances that came during a fault");
    assert_non_null(table);
    const char *first = strstr(table, "joined | 1: cut-off | users-3 | new instance (pid 7) |");
    assert_non_null(first);
    assert_non_null(strstr(first, "as r1-1.2"));
    const char *second = strstr(first, "missed | 1: cut-off | users-4 | new instance |");
    assert_non_null(second);
    assert_non_null(strstr(second, "the cap"));
    base_buf_fini(&out);
    view_fini(&view);
}

static void durations_are_readable(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {{0, "0ns"},
                 {999, "999ns"},
                 {1000, "1us"},
                 {74210, "74us"},
                 {999499, "999us"},
                 {999500, "1.0ms"},
                 {5903000, "5.9ms"},
                 {9949999, "9.9ms"},
                 {9950000, "10ms"},
                 {505700000, "506ms"},
                 {999500000, "1.0s"},
                 {3997000000, "4.0s"},
                 {59949999999, "59.9s"},
                 {59950000000, "1m00s"},
                 {125400000000, "2m05s"},
                 {-505700000, "-506ms"},
                 {INT64_MIN, "-153722867m17s"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = view_duration(cases[i].ns);
        assert_string_equal(text, cases[i].text);
        free(text);
    }
    char *unknown = view_span((struct wall_ns){5}, (struct wall_ns){0});
    assert_string_equal(unknown, "");
    free(unknown);
}

static char hostile_long[400], passes[] = "passes", fails[] = "fails", warns[] = "warns";
static char sentence[] = "some words that are long enough to need a second line when they stand "
                         "behind the names of things, as they do in this summary of a run";

static void summary_is_ascii_aligned_and_narrow(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < sizeof hostile_long; i++)
        hostile_long[i] = "a\x1b\n\xe2\x80\xae"[i % 6];
    struct verdict_objective objectives[] = {
        {.name = passes, .measured = sentence, .expected = sentence, .status = VERDICT_PASS},
        {.name = warns,
         .measured = sentence,
         .expected = sentence,
         .status = VERDICT_FAIL,
         .reason = REASON_COUNTS_DIFFER,
         .advisory = true},
        {.name = hostile_long,
         .measured = hostile_long,
         .expected = hostile_long,
         .status = VERDICT_INSUFFICIENT,
         .reason = REASON_NO_DATA},
        {.name = fails,
         .measured = sentence,
         .expected = sentence,
         .status = VERDICT_FAIL,
         .reason = REASON_NOT_MET}};
    struct verdict verdict = {.scenario = hostile_long,
                              .run = passes,
                              .status = VERDICT_FAIL,
                              .objectives = objectives,
                              .objective_count = 4};
    struct report report = {0};
    struct view view;
    struct base_buf out;
    base_buf_init(&out, 1 << 20);
    view_build(&report, &verdict, &view);
    render_terminal(&report, &view, false, &out);
    assert_int_equal(strncmp(out.data, "FAIL: 2 of 3 objectives", 23), 0);
    size_t width = 0;
    for (const char *at = out.data; *at != '\0'; at++) {
        width = *at == '\n' ? 0 : width + 1;
        assert_true(*at == '\n' || (*at >= ' ' && *at <= '~'));
        assert_true(width <= 110);
    }
    const char *order[] = {"  FAIL         threshold fails", "  INSUFFICIENT threshold ",
                           "  FAIL         threshold warns", "  PASS         threshold passes"};
    const char *last = out.data;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const char *found = strstr(last, order[i]);
        assert_non_null(found);
        last = found;
    }
    assert_int_equal(view.problem_count, 2);
    base_buf_fini(&out);
    view_fini(&view);
}

/* One abort leaves a dozen objectives unjudged: it is told once. Failures are told one by one. */
static void one_cause_is_told_once(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    static const struct {
        enum verdict_status status;
        enum verdict_reason reason;
    } kinds[COUNT] = {{VERDICT_INSUFFICIENT, REASON_ABORTED},
                      {VERDICT_INSUFFICIENT, REASON_ABORTED},
                      {VERDICT_INSUFFICIENT, REASON_NO_DATA},
                      {VERDICT_FAIL, REASON_NOT_MET},
                      {VERDICT_FAIL, REASON_NOT_MET}};
    struct verdict_objective objectives[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        objectives[i] = (struct verdict_objective){
            .name = i == 1 ? warns : fails, .status = kinds[i].status, .reason = kinds[i].reason};
    struct verdict verdict = {.scenario = passes,
                              .run = passes,
                              .status = VERDICT_FAIL,
                              .objectives = objectives,
                              .objective_count = COUNT};
    struct report report = {0};
    struct view view;
    view_build(&report, &verdict, &view);
    assert_int_equal(view.problem_count, COUNT);
    size_t told = 0;
    for (size_t i = 0; i < COUNT; i++) {
        told += view.objectives[i].told ? 1 : 0;
        if (view.objectives[i].also != NULL)
            assert_string_equal(view.objectives[i].also, warns);
    }
    assert_int_equal(told, 1);
    assert_ptr_equal(view.objectives[3].is, &objectives[1]);
    assert_true(view.objectives[3].told);
    view_fini(&view);
}

/* Each reason has advice, or a new one would show a person "(null)". */
static void every_reason_has_advice(void **state)
{
    (void)state;
    for (int reason = REASON_NOT_MET; reason <= REASON_SKIPPED; reason++) {
        struct verdict_objective objective = {
            .name = fails, .status = VERDICT_FAIL, .reason = (enum verdict_reason)reason};
        struct verdict verdict = {.scenario = passes,
                                  .run = passes,
                                  .status = VERDICT_FAIL,
                                  .objectives = &objective,
                                  .objective_count = 1};
        struct report report = {0};
        struct view view;
        view_build(&report, &verdict, &view);
        assert_int_equal(view.problem_count, 1);
        assert_non_null(view.objectives[0].advice);
        assert_true(strlen(view.objectives[0].advice) > 10);
        view_fini(&view);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markup_and_illegal_bytes_become_text),
        cmocka_unit_test(markdown_cells_stay_in_their_row),
        cmocka_unit_test(svg_is_made_the_pages_own),
        cmocka_unit_test(scripts_hold_no_names),
        cmocka_unit_test(who_came_during_a_fault_is_shown),
        cmocka_unit_test(durations_are_readable),
        cmocka_unit_test(summary_is_ascii_aligned_and_narrow),
        cmocka_unit_test(one_cause_is_told_once),
        cmocka_unit_test(every_reason_has_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
