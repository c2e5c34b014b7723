/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/text.h"
#include "model/hlog.h"

#define HISTF_42 "HISTFAAAAB542pNpmSzMwMDAxAABzFCaEUoz2X+AMIKZAEARAtM="

struct seen {
    size_t count;
    size_t stop_after; /* 0: never */
    char tags[8][64];
    double start[8];
    double length[8];
    double max[8];
    int64_t total[8];
    int64_t top[8];
};

static bool collect(void *ctx, struct hlog_entry *entry)
{
    struct seen *seen = ctx;
    size_t i = seen->count++;
    assert_true(i < 8);
    strncpy(seen->tags[i], entry->tag == NULL ? "(none)" : entry->tag, sizeof seen->tags[i] - 1);
    seen->start[i] = entry->start;
    seen->length[i] = entry->length;
    seen->max[i] = entry->max;
    seen->total[i] = entry->hdr.total;
    seen->top[i] = hdr_max(&entry->hdr);
    return seen->count != seen->stop_after;
}

static struct seen read_all(const char *text, double *start_time)
{
    struct seen seen = {.count = 0};
    struct base_error err = {.code = BASE_OK};
    if (!hlog_read(text, strlen(text), start_time, collect, &seen, &err))
        fail_msg("%s", err.message);
    return seen;
}

static void expect_corrupt(const char *text, const char *line)
{
    struct seen seen = {.count = 0};
    struct base_error err = {.code = BASE_OK};
    double start_time = 77;
    if (hlog_read(text, strlen(text), &start_time, collect, &seen, &err))
        fail_msg("damage was accepted: %s", text);
    assert_int_equal(err.code, BASE_CORRUPT);
    if (!base_str_starts(err.message, line))
        fail_msg("\"%s\" does not start with \"%s\"", err.message, line);
    assert_true(start_time == 77);
}

static void test_writes_the_format(void **state)
{
    (void)state;
    struct base_buf out;
    struct hdr hdr;
    struct wall_ns start = {INT64_C(1763712345123456789)};
    assert_true(hdr_init_latency(&hdr, NULL));
    base_buf_init(&out, 1 << 16);
    assert_true(hlog_write_header(&out, start));
    assert_string_equal(
        out.data, "#[Histogram log format version 1.3]\n"
                  "#[StartTime: 1763712345.123 (seconds since epoch), 2025-11-21T08:05:45.123Z]\n"
                  "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
                  "\"Interval_Compressed_Histogram\"\n");
    hdr_record(&hdr, 1500000);
    base_buf_clear(&out);
    assert_true(hlog_write_entry(&out, "steady", start, base_dur_ms(1005), &hdr, NULL));
    /* 1500159 ns is the end of the bucket of 1.5 ms. */
    assert_true(base_str_starts(out.data, "Tag=steady,1763712345.123,1.005,1.500,HISTF"));
    assert_true(base_str_ends(out.data, "\n"));
    base_buf_clear(&out);
    assert_true(hlog_write_entry(&out, NULL, (struct wall_ns){INT64_C(1999999500000)},
                                 (struct dur_ns){499999}, &hdr, NULL));
    assert_true(base_str_starts(out.data, "2000.000,0.000,1.500,HISTF"));
    base_buf_fini(&out);
    hdr_fini(&hdr);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const tags[] = {NULL, "baseline/response", "inject/service", NULL,
                                       "rücklauf"};
    enum { COUNT = sizeof tags / sizeof tags[0] };
    struct base_buf out;
    struct base_rng rng;
    int64_t totals[COUNT];
    int64_t tops[COUNT];
    struct wall_ns start = {INT64_C(1763712345) * BASE_NS_PER_S};
    base_rng_seed(&rng, 9);
    base_buf_init(&out, 1 << 20);
    assert_true(hlog_write_header(&out, start));
    for (size_t i = 0; i < COUNT; i++) {
        struct hdr hdr;
        assert_true(hdr_init_latency(&hdr, NULL));
        for (size_t k = 0; k < 100 * i; k++)
            hdr_record(&hdr, (int64_t)base_rng_exponential(&rng, 5e6));
        totals[i] = hdr.total;
        tops[i] = hdr_max(&hdr);
        assert_true(hlog_write_entry(&out, tags[i], base_wall_add(start, base_dur_ms(250 * (int)i)),
                                     base_dur_ms(250), &hdr, NULL));
        hdr_fini(&hdr);
    }
    double start_time = 0;
    struct seen seen = read_all(out.data, &start_time);
    assert_true(start_time == 1763712345.0);
    assert_int_equal(seen.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_string_equal(seen.tags[i], tags[i] == NULL ? "(none)" : tags[i]);
        assert_true(seen.start[i] == 1763712345.0 + 0.25 * (double)i);
        assert_true(seen.length[i] == 0.25);
        assert_int_equal(seen.total[i], totals[i]);
        assert_int_equal(seen.top[i], tops[i]);
        double difference = seen.max[i] - (double)tops[i] / 1e6;
        assert_true(difference <= 0.00051 && difference >= -0.00051);
    }
    base_buf_fini(&out);
}

static void test_refuses_bad_entries(void **state)
{
    (void)state;
    static const char *const bad[] = {"a,b", "a b", "a\nb", "a\rb", "a\tb", "", "\x7f"};
    struct base_buf out;
    struct hdr hdr;
    struct base_error err = {.code = BASE_OK};
    assert_true(hdr_init_latency(&hdr, NULL));
    base_buf_init(&out, 4096);
    assert_true(base_buf_str(&out, "kept"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err.code = BASE_OK;
        assert_false(
            hlog_write_entry(&out, bad[i], (struct wall_ns){0}, base_dur_ms(1), &hdr, &err));
        assert_int_equal(err.code, BASE_INVALID);
    }
    char longest[257];
    memset(longest, 't', 256);
    longest[256] = '\0';
    assert_false(hlog_write_entry(&out, longest, (struct wall_ns){0}, base_dur_ms(1), &hdr, &err));
    assert_false(hlog_write_entry(&out, "t", (struct wall_ns){-1}, base_dur_ms(1), &hdr, &err));
    assert_false(hlog_write_entry(&out, "t", (struct wall_ns){0}, base_dur_ms(-1), &hdr, &err));
    assert_int_equal(err.code, BASE_INVALID);
    assert_string_equal(out.data, "kept");
    assert_true(
        hlog_write_entry(&out, longest + 1, (struct wall_ns){0}, base_dur_ms(1), &hdr, &err));
    base_buf_fini(&out);
    hdr_fini(&hdr);
}

/* However little room there is, what was there stays and nothing half is added. */
static void test_full_buffer_stays_whole(void **state)
{
    (void)state;
    struct hdr hdr;
    assert_true(hdr_init_latency(&hdr, NULL));
    hdr_record(&hdr, 12345678);
    struct base_buf whole;
    base_buf_init(&whole, 4096);
    assert_true(hlog_write_entry(&whole, "t", (struct wall_ns){0}, base_dur_ms(1), &hdr, NULL));
    for (size_t room = 0; room < whole.len; room++) {
        struct base_buf out;
        struct base_error err = {.code = BASE_OK};
        base_buf_init(&out, 4 + room);
        assert_true(base_buf_str(&out, "kept"));
        assert_false(hlog_write_entry(&out, "t", (struct wall_ns){0}, base_dur_ms(1), &hdr, &err));
        assert_int_equal(err.code, BASE_LIMIT);
        assert_string_equal(out.data, "kept");
        base_buf_fini(&out);
    }
    base_buf_fini(&whole);
    hdr_fini(&hdr);
}

static void test_reads_foreign_forms(void **state)
{
    (void)state;
    double start_time = -1;
    struct seen seen = read_all("", &start_time);
    assert_int_equal(seen.count, 0);
    assert_true(start_time == 0);
    /* No header, carriage returns, blank lines, padded columns, no line end at the end. */
    seen = read_all("#a comment\r\n\r\n\n  0.127,1.007 , 2.769," HISTF_42 "\r\n"
                    "Tag=a,1.134,0.999,0.442," HISTF_42,
                    &start_time);
    assert_int_equal(seen.count, 2);
    assert_true(seen.start[0] == 0.127 && seen.length[0] == 1.007 && seen.max[0] == 2.769);
    assert_string_equal(seen.tags[0], "(none)");
    assert_string_equal(seen.tags[1], "a");
    assert_int_equal(seen.top[1], 42);
    seen = read_all("Timestamp,Length,Max,Histogram\n5,1,2," HISTF_42 "\n", NULL);
    assert_int_equal(seen.count, 1);
    assert_true(seen.start[0] == 5);
}

static void test_base_time(void **state)
{
    (void)state;
    double start_time;
    struct seen seen = read_all("#[StartTime: 1441812279.474 (seconds since epoch), Wed]\n"
                                "#[BaseTime: 1441812279.000 (seconds since epoch)]\n"
                                "0.500,1,2," HISTF_42 "\n",
                                &start_time);
    assert_true(start_time == 1441812279.474);
    assert_true(seen.start[0] == 1441812279.5);
    /* Without BaseTime, a start more than a year before StartTime counts from there ... */
    seen = read_all("#[StartTime: 1441812279.5 (seconds since epoch)]\n0.5,1,2," HISTF_42 "\n"
                    "1.5,1,2," HISTF_42 "\n",
                    NULL);
    assert_true(seen.start[0] == 1441812280.0);
    assert_true(seen.start[1] == 1441812281.0);
    /* ... and a later one is absolute. */
    seen = read_all("#[StartTime: 1441812279.5 (seconds since epoch)]\n1441812270.5,1,2," HISTF_42,
                    NULL);
    assert_true(seen.start[0] == 1441812270.5);
    seen = read_all("#[StartTime: 12.5]\n13,1,2," HISTF_42, &start_time);
    assert_true(start_time == 12.5);
}

static void test_stops_when_told(void **state)
{
    (void)state;
    static const char text[] = "1,1,2," HISTF_42 "\n2,1,2," HISTF_42 "\nnot an interval\n";
    struct seen seen = {.stop_after = 2};
    struct base_error err = {.code = BASE_OK};
    assert_true(hlog_read(text, sizeof text - 1, NULL, collect, &seen, &err));
    assert_int_equal(seen.count, 2);
}

static bool keep(void *ctx, struct hlog_entry *entry)
{
    struct hdr *kept = ctx;
    *kept = entry->hdr;
    entry->hdr = (struct hdr){.counts = NULL};
    return true;
}

static void test_callback_may_keep_the_histogram(void **state)
{
    (void)state;
    static const char text[] = "1,1,2," HISTF_42 "\n";
    struct hdr kept = {.counts = NULL};
    assert_true(hlog_read(text, sizeof text - 1, NULL, keep, &kept, NULL));
    assert_int_equal(hdr_count_at(&kept, 42), 1);
    hdr_fini(&kept);
}

static void test_damage_names_the_line(void **state)
{
    (void)state;
    expect_corrupt("nonsense\n", "line 1: ");
    expect_corrupt("#c\n\n1,1,2,HISTF\n", "line 3: ");
    expect_corrupt("1,1,2," HISTF_42 "\n1,1,2," HISTF_42 "AAAA\n", "line 2: ");
    expect_corrupt("1,1,2\n", "line 1: ");
    expect_corrupt("1,1\n", "line 1: ");
    expect_corrupt(",,,\n", "line 1: ");
    expect_corrupt("1,x,2," HISTF_42 "\n", "line 1: ");
    expect_corrupt("1,-1,2," HISTF_42 "\n", "line 1: ");
    expect_corrupt("1,1,-2," HISTF_42 "\n", "line 1: ");
    expect_corrupt("inf,1,2," HISTF_42 "\n", "line 1: ");
    expect_corrupt("1,nan,2," HISTF_42 "\n", "line 1: ");
    expect_corrupt("1,1,2," HISTF_42 ",3\n", "line 1: ");
    expect_corrupt("Tag=,1,1,2," HISTF_42 "\n", "line 1: ");
    expect_corrupt("Tag=a b,1,1,2," HISTF_42 "\n", "line 1: ");
    expect_corrupt("Tag=a\n", "line 1: ");
    expect_corrupt("#[StartTime: soon]\n", "line 1: ");
    expect_corrupt("#[StartTime:\n", "line 1: ");
    expect_corrupt("#[BaseTime: ]\n", "line 1: ");
    /* The number's text has a bound too. */
    expect_corrupt(
        "0000000000000000000000000000000000000000000000000000000000000000001,1,2," HISTF_42 "\n",
        "line 1: ");
}

static void test_bytes_that_are_not_text(void **state)
{
    (void)state;
    static const char nul[] = "Tag=a\0b,1,1,2," HISTF_42 "\n";
    static const char number[] = "1\0,1,2," HISTF_42 "\n";
    struct seen seen = {.count = 0};
    struct base_error err = {.code = BASE_OK};
    assert_false(hlog_read(nul, sizeof nul - 1, NULL, collect, &seen, &err));
    assert_int_equal(err.code, BASE_CORRUPT);
    assert_false(hlog_read(number, sizeof number - 1, NULL, collect, &seen, &err));
    assert_int_equal(err.code, BASE_CORRUPT);
    assert_int_equal(seen.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_the_format),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refuses_bad_entries),
        cmocka_unit_test(test_full_buffer_stays_whole),
        cmocka_unit_test(test_reads_foreign_forms),
        cmocka_unit_test(test_base_time),
        cmocka_unit_test(test_stops_when_told),
        cmocka_unit_test(test_callback_may_keep_the_histogram),
        cmocka_unit_test(test_damage_names_the_line),
        cmocka_unit_test(test_bytes_that_are_not_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
