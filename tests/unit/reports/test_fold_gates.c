/* SPDX-License-Identifier: Apache-2.0 */
/* What faults waited for, and the phases that came of it, as the timeline tells. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "reports/fold.h"

#define EVENT(second, type, rest)                                                                  \
    "{\"type\":\"" type "\",\"wallNs\":" second "000000000,\"monoNs\":" second "000000000" rest    \
    "}\n"
#define OF(name) ",\"id\":\"r-1\",\"name\":\"" name "\""

/* The load begins at 100 s; by plan a is due at 5 s of it. */
static const char events[] =
    EVENT("100", "load.started", "") EVENT("100", "phase.changed", ",\"phase\":\"steady\"")
        EVENT("105", "fault.waiting", OF("a") ",\"probe\":\"p\",\"within\":\"9s\"")
            EVENT("108", "fault.met", OF("a") ",\"probe\":\"p\"")
                EVENT("108", "phase.changed", ",\"phase\":\"a\"")
                    EVENT("112", "phase.changed", ",\"phase\":\"after-a\"")
                        EVENT("113", "fault.skipped", OF("b") ",\"why\":\"if q: it did not hold\"")
                            EVENT("114", "run.suspended", ",\"before\":\"c\",\"message\":null")
                                EVENT("116", "run.continued", ",\"before\":\"c\",\"by\":\"me\"")
                                    EVENT("116", "phase.changed", ",\"phase\":\"a\"")
                                        EVENT("117", "fault.unmet", OF("c") ",\"why\":\"no\"")
                                            EVENT("117", "abort", ",\"by\":\"fault\",\"why\":\"c\"")
                                                EVENT("120", "run.finished", "");

static struct plan_fault fault_of(const char *name)
{
    return (struct plan_fault){.at = base_dur_s(5),
                               .spec = {.id = base_str_printf("r-%s", name),
                                        .run = base_str_dup("r"),
                                        .name = base_str_dup(name),
                                        .kind = FAULT_PAUSE,
                                        .duration = base_dur_s(4),
                                        .lease = base_dur_s(3),
                                        .max_affected = 1,
                                        .service = base_str_dup("s"),
                                        .targets = base_calloc(1, sizeof(char *)),
                                        .target_count = 1}};
}

static char *plan_text(bool gated)
{
    struct plan plan = {.run = base_str_dup("r"),
                        .scenario = base_str_dup("s"),
                        .description = base_str_dup(""),
                        .target_name = base_str_dup("t"),
                        .target_mode = base_str_dup("netns"),
                        .duration = base_dur_s(20),
                        .scrape_interval = base_dur_s(1),
                        .phases = base_calloc(2, sizeof(struct plan_phase)),
                        .phase_count = 2,
                        .faults = base_calloc(1, sizeof(struct plan_fault)),
                        .fault_count = 1,
                        .load = {.rate = 1,
                                 .connections = 1,
                                 .duration = base_dur_s(20),
                                 .timeout = base_dur_s(1),
                                 .interval = base_dur_s(1),
                                 .max_late = base_dur_s(1),
                                 .host = base_str_dup("h"),
                                 .first_phase = base_str_dup("steady"),
                                 .targets = base_calloc(1, sizeof(struct load_target)),
                                 .target_count = 1,
                                 .routes = base_calloc(1, sizeof(struct load_route)),
                                 .route_count = 1}};
    plan.phases[0].name = base_str_dup("steady");
    plan.phases[1] = (struct plan_phase){.name = base_str_dup("a"), .start = base_dur_s(5)};
    plan.faults[0] = fault_of("a");
    plan.faults[0].spec.targets[0] = base_str_dup("s-1");
    plan.faults[0].gate.only_if = gated ? base_str_dup("p") : NULL;
    plan.load.targets[0] = (struct load_target){base_str_dup("127.0.0.1"), 1};
    plan.load.routes[0] = (struct load_route){.name = base_str_dup("r"),
                                              .method = base_str_dup("GET"),
                                              .path = base_str_dup("/"),
                                              .weight = 1};
    json_t *json = plan_to_json(&plan);
    char *text = model_json_dump(json);
    json_decref(json);
    plan_fini(&plan);
    return text;
}

static void fold(bool gated, struct report *report)
{
    struct report_bytes files[REPORT_FILE_COUNT] = {{NULL, 0, NULL}};
    char *plan = plan_text(gated);
    char *lines = base_str_dup(events);
    files[REPORT_PLAN] = (struct report_bytes){.data = plan, .len = strlen(plan)};
    files[REPORT_EVENTS] = (struct report_bytes){.data = lines, .len = strlen(lines)};
    report_fold(files, report);
    assert_true(report->have_plan);
    assert_int_equal(report->sources[REPORT_EVENTS].state, REPORT_WHOLE);
    report->load.scheduled = base_dur_s(20);
    free(plan);
    free(lines);
}

static void phases_are_what_took_place(void **state)
{
    (void)state;
    struct report report;
    fold(true, &report);
    assert_int_equal(report.phase_count, 4);
    assert_string_equal(report.phases[3].name, "a");
    assert_false(report_phase_is_new(&report, 3));
    assert_true(report_phase_is_new(&report, 2));
    /* 0 to 8 s; 8 to 12 s and 16 to 20 s; 12 to 16 s. */
    assert_true(fabs(report_phase_seconds(&report, "steady") - 8) < 1e-9);
    assert_true(fabs(report_phase_seconds(&report, "a") - 8) < 1e-9);
    assert_true(fabs(report_phase_seconds(&report, "after-a") - 4) < 1e-9);
    report_fini(&report);
}

/* To these, not to when the runner woke up, the generator's requests belong. */
static void what_waits_for_nothing_keeps_the_times_of_its_plan(void **state)
{
    (void)state;
    struct report report;
    fold(false, &report);
    assert_int_equal(report.phase_count, 2);
    assert_true(fabs(report_phase_seconds(&report, "steady") - 5) < 1e-9);
    assert_true(fabs(report_phase_seconds(&report, "a") - 15) < 1e-9);
    report_fini(&report);
}

static void each_step_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *what, *detail;
    } expected[] = {{"a", "waits for its condition", "probe p, at most 9s"},
                    {"a", "its condition came about", "probe p"},
                    {"b", "its branch is not taken", "if q: it did not hold"},
                    {"c", "the run is suspended before it", ""},
                    {"c", "the run goes on", "by me"},
                    {"c", "its condition did not come about", "no"}};
    struct report report;
    fold(true, &report);
    assert_int_equal(report.gate_count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < report.gate_count; i++) {
        assert_string_equal(report.gates[i].fault, expected[i].fault);
        assert_string_equal(report.gates[i].what, expected[i].what);
        assert_string_equal(report.gates[i].detail, expected[i].detail);
    }
    assert_true(report_left(&report, "b")->skipped);
    assert_false(report_left(&report, "c")->skipped);
    assert_null(report_left(&report, "a"));
    assert_string_equal(report.course.cut_short, "fault: c");
    assert_null(report.course.aborted_by);
    report_fini(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases_are_what_took_place),
        cmocka_unit_test(what_waits_for_nothing_keeps_the_times_of_its_plan),
        cmocka_unit_test(each_step_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
