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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_of_a_timeline_folds),
        cmocka_unit_test(the_log_is_held_against_the_counts),
        cmocka_unit_test(a_check_without_an_answer_is_not_steady),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
