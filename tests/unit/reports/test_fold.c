/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "model/hlog.h"
#include "model/json.h"
#include "reports/judge.h"

/* Every prefix of a timeline folds without a crash, and only the whole one counts as finished. */
static void every_cut_of_a_timeline_folds(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"type\":\"run.started\",\"wallNs\":1,\"monoNs\":1}\n"
        "{\"type\":\"fault.active\",\"wallNs\":2,\"monoNs\":2,\"id\":\"r-1\",\"name\":\"f\"}\n"
        "{\"type\":\"run.finished\",\"wallNs\":3,\"monoNs\":3,\"unclean\":false}\n";
    for (size_t len = 0; len < sizeof whole; len++) {
        struct report_bytes files[REPORT_FILE_COUNT] = {{0}};
        struct report report;
        struct verdict verdict;
        files[REPORT_EVENTS].data = base_str_ndup(whole, len);
        files[REPORT_EVENTS].len = len;
        report_fold(files, &report);
        report_judge(&report, &verdict);
        bool complete = len == sizeof whole - 1;
        assert_int_equal(report.course.finished, complete);
        assert_int_equal(report.sources[REPORT_EVENTS].state,
                         complete ? REPORT_WHOLE : REPORT_PARTIAL);
        assert_int_not_equal(verdict.exit_code, EXIT_CODE_PASS);
        verdict_fini(&verdict);
        report_fini(&report);
        free(files[REPORT_EVENTS].data);
    }
}

static void put(struct report_bytes *file, char *text)
{
    file->data = text;
    file->len = strlen(text);
}

/* What a generator leaves that recorded `logged` responses and counted `counted`. */
static void put_load(struct report_bytes files[static REPORT_FILE_COUNT], int64_t logged,
                     uint64_t counted)
{
    struct base_buf log;
    struct hdr hdr;
    assert_true(hdr_init_latency(&hdr, NULL));
    hdr_record_n(&hdr, 1000000, logged);
    base_buf_init(&log, 65536);
    assert_true(hlog_write_header(&log, (struct wall_ns){BASE_NS_PER_S}));
    assert_true(hlog_write_entry(&log, "load/url/response", (struct wall_ns){BASE_NS_PER_S},
                                 base_dur_s(1), &hdr, NULL));
    hdr_fini(&hdr);
    put(&files[REPORT_HLOG], base_buf_steal(&log));
    const struct load_result result = {.complete = true, .total = {.ok = counted}};
    json_t *json = load_result_to_json(&result);
    put(&files[REPORT_LOAD], model_json_dump(json));
    json_decref(json);
}

/* A log that was cut between two lines, or appended to another one, looks whole by itself. */
static void the_log_is_held_against_the_counts(void **state)
{
    (void)state;
    static const struct {
        int64_t logged;
        uint64_t counted;
        enum report_state expected;
    } cases[] = {
        {2000, 2000, REPORT_WHOLE},   {2000, 2002, REPORT_WHOLE},   {1000, 2000, REPORT_PARTIAL},
        {2000, 2004, REPORT_PARTIAL}, {2001, 2000, REPORT_DAMAGED}, {4000, 2000, REPORT_DAMAGED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct report_bytes files[REPORT_FILE_COUNT] = {{0}};
        struct report report;
        put_load(files, cases[i].logged, cases[i].counted);
        report_fold(files, &report);
        assert_int_equal(report.sources[REPORT_LOAD].state, REPORT_WHOLE);
        if (report.sources[REPORT_HLOG].state != cases[i].expected)
            fail_msg("case %zu: %s", i, report_state_name(report.sources[REPORT_HLOG].state));
        report_fini(&report);
        free(files[REPORT_HLOG].data);
        free(files[REPORT_LOAD].data);
    }
}

/* Nothing is steady that did not say so. */
static void a_check_without_an_answer_is_not_steady(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool failed;
    } cases[] = {
        {"{\"type\":\"steady.checked\",\"wallNs\":1,\"monoNs\":1,\"ok\":true}\n", false},
        {"{\"type\":\"steady.checked\",\"wallNs\":1,\"monoNs\":1,\"ok\":false}\n", true},
        {"{\"type\":\"steady.checked\",\"wallNs\":1,\"monoNs\":1}\n", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct report_bytes files[REPORT_FILE_COUNT] = {{0}};
        struct report report;
        put(&files[REPORT_EVENTS], base_str_dup(cases[i].line));
        report_fold(files, &report);
        assert_int_equal(report.course.steady_failed, cases[i].failed);
        report_fini(&report);
        free(files[REPORT_EVENTS].data);
    }
}

static void put_times(struct base_buf *log, const char *tag, int64_t start_ms, int64_t length_ms,
                      int64_t ms, int64_t count)
{
    struct hdr hdr;
    assert_true(hdr_init_latency(&hdr, NULL));
    hdr_record_n(&hdr, ms * BASE_NS_PER_MS, count);
    assert_true(hlog_write_entry(log, tag, (struct wall_ns){start_ms * BASE_NS_PER_MS},
                                 base_dur_ms(length_ms), &hdr, NULL));
    hdr_fini(&hdr);
}

static void expect_due(const struct report *report, size_t i, int64_t start_ms, int64_t p50_ms,
                       int64_t max_ms)
{
    const struct report_due *due = &report->due[i];
    assert_int_equal(due->start.ns, start_ms * BASE_NS_PER_MS);
    assert_int_equal(due->length.ns, BASE_NS_PER_S);
    assert_int_equal(due->p50.ns / 1020000, p50_ms * 1000000 / 1020000);
    assert_int_equal(due->max.ns / 1020000, max_ms * 1000000 / 1020000);
}

/* All routes of an interval of the grid together, those of a late line among them. What ended is
 * what sums are made of; where there is nothing of it, nothing is known of when requests were due.
 */
static void response_times_are_by_when_they_were_due(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct report_bytes files[REPORT_FILE_COUNT] = {{0}};
        struct report report;
        struct base_buf log;
        struct hdr all;
        base_buf_init(&log, 1 << 20);
        assert_true(hlog_write_header(&log, (struct wall_ns){5 * BASE_NS_PER_S}));
        if (!old)
            put_times(&log, "load/a/ended", 5000, 1003, 7, 60);
        put_times(&log, "load/a/response", 7000, 1000, 70, 10);
        put_times(&log, "load/a/response", 5000, 1000, 10, 10);
        put_times(&log, "load/b/response", 5000, 1000, 20, 15);
        put_times(&log, "load/a/service", 5000, 1000, 900, 10);
        put_times(&log, "load/a/response", 5000, 1000, 300, 1);
        put(&files[REPORT_HLOG], base_buf_steal(&log));
        report_fold(files, &report);
        assert_int_equal(report.sources[REPORT_HLOG].state, REPORT_WHOLE);
        assert_true(report.by_end == !old);
        assert_int_equal(report.due_count, old ? 0 : 2);
        if (!old) {
            expect_due(&report, 0, 5000, 20, 300);
            expect_due(&report, 1, 7000, 70, 70);
        }
        assert_true(report_histogram(&report, "load", NULL, "response", &all, NULL));
        assert_int_equal(all.total, old ? 36 : 60);
        hdr_fini(&all);
        report_fini(&report);
        free(files[REPORT_HLOG].data);
    }
}

/* Whoever edits a log may write any time into it. */
static void no_time_in_a_log_is_too_large(void **state)
{
    (void)state;
    static const char *const times[] = {"1e300,1.000",  "-1e300,1.000", "5.000,1e300",
                                        "5.000,-1.000", "1e11,1e11",    "-5.000,1.000",
                                        "9.3e9,1.000",  "5.000,9e9"};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct report_bytes files[REPORT_FILE_COUNT] = {{0}};
        struct report report;
        struct base_buf log, made;
        base_buf_init(&log, 1 << 20);
        base_buf_init(&made, 1 << 20);
        put_times(&log, "load/a/ended", 5000, 1000, 7, 60);
        put_times(&log, "load/a/response", 6000, 1000, 7, 60);
        put_times(&made, "load/a/response", 1, 1, 7, 60);
        base_buf_printf(&log, "Tag=load/a/response,%s%s", times[i],
                        strchr(strchr(strchr(made.data, ',') + 1, ',') + 1, ','));
        put(&files[REPORT_HLOG], base_buf_steal(&log));
        report_fold(files, &report);
        assert_int_equal(report.due_count, 1);
        expect_due(&report, 0, 6000, 7, 7);
        report_fini(&report);
        free(files[REPORT_HLOG].data);
        base_buf_fini(&made);
    }
}

/* One of the two kinds alone may have lost its end. */
static void both_kinds_are_held_against_the_counts(void **state)
{
    (void)state;
    static const struct {
        int64_t ended, response;
        enum report_state expected;
    } cases[] = {{2000, 2000, REPORT_WHOLE},
                 {2000, 1900, REPORT_PARTIAL},
                 {1900, 2000, REPORT_PARTIAL},
                 {2000, 2100, REPORT_DAMAGED},
                 {2100, 2000, REPORT_DAMAGED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct report_bytes files[REPORT_FILE_COUNT] = {{0}};
        struct report report;
        struct base_buf log;
        put_load(files, 0, 2000);
        free(files[REPORT_HLOG].data);
        base_buf_init(&log, 1 << 20);
        put_times(&log, "load/a/ended", 5000, 1000, 7, cases[i].ended);
        put_times(&log, "load/a/response", 5000, 1000, 7, cases[i].response);
        put(&files[REPORT_HLOG], base_buf_steal(&log));
        report_fold(files, &report);
        if (report.sources[REPORT_HLOG].state != cases[i].expected)
            fail_msg("case %zu: %s", i, report_state_name(report.sources[REPORT_HLOG].state));
        report_fini(&report);
        free(files[REPORT_HLOG].data);
        free(files[REPORT_LOAD].data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_of_a_timeline_folds),
        cmocka_unit_test(the_log_is_held_against_the_counts),
        cmocka_unit_test(a_check_without_an_answer_is_not_steady),
        cmocka_unit_test(response_times_are_by_when_they_were_due),
        cmocka_unit_test(no_time_in_a_log_is_too_large),
        cmocka_unit_test(both_kinds_are_held_against_the_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
