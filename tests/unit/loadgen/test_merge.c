/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/random.h"
#include "base/text.h"
#include "loadgen/merge.h"
#include "model/hlog.h"

enum { WORKERS = 3, INTERVALS = 5, PER_INTERVAL = 700 };
static const int64_t t0 = INT64_C(1763712345) * BASE_NS_PER_S;

static struct hdr fresh(void)
{
    struct hdr hdr;
    assert_true(hdr_init_latency(&hdr, NULL));
    return hdr;
}

static void put(struct base_buf *log, const char *tag, int64_t at_ms, int64_t length_ms,
                const struct hdr *hdr)
{
    struct base_error err;
    if (!hlog_write_entry(log, tag, (struct wall_ns){t0 + at_ms * BASE_NS_PER_MS},
                          base_dur_ms(length_ms), hdr, &err))
        fail_msg("%s", err.message);
}

static void put_value(struct base_buf *log, const char *tag, int64_t at_ms, int64_t length_ms,
                      int64_t value)
{
    struct hdr hdr = fresh();
    hdr_record(&hdr, value);
    put(log, tag, at_ms, length_ms, &hdr);
    hdr_fini(&hdr);
}

static void add(struct load_merge *merge, const char *name, const struct base_buf *log)
{
    struct base_error err;
    if (!load_merge_text(merge, name, log->data, log->len, &err))
        fail_msg("%s", err.message);
}

static struct base_buf merged_text(struct load_merge *merge)
{
    char path[] = "/tmp/squall-merge-XXXXXX";
    struct base_error err;
    struct base_buf text;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    if (!load_merge_write(merge, fd, &err))
        fail_msg("%s", err.message);
    (void)close(fd);
    base_buf_init(&text, 1 << 26);
    assert_true(base_file_read(path, &text, NULL));
    (void)unlink(path);
    return text;
}

struct line {
    char tag[32];
    int64_t start_ms, length_ms;
    struct hdr hdr;
};

struct lines {
    struct line all[64];
    size_t count;
};

static bool keep(void *ctx, struct hlog_entry *entry)
{
    struct lines *lines = ctx;
    assert_true(lines->count < 64);
    struct line *line = &lines->all[lines->count++];
    (void)snprintf(line->tag, sizeof line->tag, "%s", entry->tag == NULL ? "" : entry->tag);
    line->start_ms = (int64_t)(entry->start * 1e3 + 0.5) - t0 / BASE_NS_PER_MS;
    line->length_ms = (int64_t)(entry->length * 1e3 + 0.5);
    line->hdr = entry->hdr;
    entry->hdr = (struct hdr){.counts = NULL};
    return true;
}

static struct lines merged_lines(struct load_merge *merge)
{
    struct lines lines = {.count = 0};
    struct base_buf text = merged_text(merge);
    struct base_error err;
    if (!hlog_read(text.data, text.len, NULL, keep, &lines, &err))
        fail_msg("%s", err.message);
    base_buf_fini(&text);
    return lines;
}

static void free_lines(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        hdr_fini(&lines->all[i].hdr);
}

/* What one worker with all values would hold, three workers merged hold, bucket for bucket: over
 * the run and in each interval, though their clocks tick milliseconds apart. */
static void test_merging_loses_nothing(void **state)
{
    (void)state;
    struct base_buf logs[WORKERS];
    struct hdr each[INTERVALS], all = fresh();
    struct load_merge *merge = load_merge_new();
    struct base_rng rng;
    base_rng_seed(&rng, 4);
    for (int w = 0; w < WORKERS; w++) {
        base_buf_init(&logs[w], 1 << 24);
        assert_true(hlog_write_header(&logs[w], (struct wall_ns){t0 + w}));
    }
    for (int i = 0; i < INTERVALS; i++) {
        each[i] = fresh();
        for (int w = 0; w < WORKERS; w++) {
            struct hdr one = fresh();
            for (int k = 0; k < PER_INTERVAL * (w + 1); k++) {
                int64_t value = (int64_t)base_rng_exponential(&rng, 4e5 * (1 + 50.0 * w));
                hdr_record(&one, value);
                hdr_record(&each[i], value);
                hdr_record(&all, value);
            }
            put(&logs[w], "load/url/response", i * 1000 + w * 7 - i % 2, 1000 + w, &one);
            hdr_fini(&one);
        }
    }
    for (int w = 0; w < WORKERS; w++)
        add(merge, "worker", &logs[w]);
    assert_int_equal(load_merge_tag_count(merge), 1);
    assert_true(hdr_equal(load_merge_total(merge, 0), &all));
    assert_true(hdr_equal(load_merge_kind(merge, LOAD_KIND_RESPONSE), &all));
    assert_null(load_merge_kind(merge, LOAD_KIND_SERVICE));
    struct lines lines = merged_lines(merge);
    assert_int_equal(lines.count, INTERVALS);
    for (int i = 0; i < INTERVALS; i++) {
        assert_true(hdr_equal(&lines.all[i].hdr, &each[i]));
        assert_int_equal(lines.all[i].start_ms, i * 1000 - i % 2);
        assert_int_equal(lines.all[i].length_ms, 1000 + 2 + 14);
        hdr_fini(&each[i]);
    }
    free_lines(&lines);
    hdr_fini(&all);
    for (int w = 0; w < WORKERS; w++)
        base_buf_fini(&logs[w]);
    load_merge_free(merge);
}

/* Two lines of one log stay two; a gap, another tag and too little in common make another line. */
static void test_what_is_not_the_same_interval(void **state)
{
    (void)state;
    struct base_buf a, b;
    struct load_merge *merge = load_merge_new();
    base_buf_init(&a, 1 << 20);
    base_buf_init(&b, 1 << 20);
    /* Both began before their first interval, the second one earlier. */
    assert_true(hlog_write_header(&a, (struct wall_ns){t0 - 2 * BASE_NS_PER_S}));
    assert_true(hlog_write_header(&b, (struct wall_ns){t0 - 3 * BASE_NS_PER_S}));
    put_value(&a, "x/y/response", 0, 1000, 10);
    put_value(&a, "x/y/response", 0, 1000, 11); /* a clock that was set back */
    put_value(&a, NULL, 1000, 1000, 12);
    put_value(&a, "x/y/response", 5000, 1000, 13);
    put_value(&b, "x/y/response", 400, 1000, 20);  /* 600 of 1000 ms in common */
    put_value(&b, "x/z/response", 0, 1000, 21);    /* another route */
    put_value(&b, "x/y/response", 5600, 1000, 22); /* 400 of 1000 ms */
    put_value(&b, NULL, 1900, 100, 23);            /* all of the shorter one */
    put_value(&b, "x/w/response", 6000, 5000, 33);
    put_value(&a, "x/w/response", 7000, 0, 30); /* moments are the same, or not */
    put_value(&b, "x/w/response", 7000, 0, 31);
    put_value(&b, "x/w/response", 7001, 0, 32);
    add(merge, "a", &a);
    add(merge, "b", &b);
    struct lines lines = merged_lines(merge);
    static const struct {
        const char *tag;
        int64_t start_ms, length_ms;
        int64_t values;
    } expected[] = {{"x/y/response", 0, 1400, 2},    {"x/y/response", 0, 1000, 1},
                    {"x/z/response", 0, 1000, 1},    {"", 1000, 1000, 2},
                    {"x/y/response", 5000, 1000, 1}, {"x/y/response", 5600, 1000, 1},
                    {"x/w/response", 6000, 5000, 1}, {"x/w/response", 7000, 0, 2},
                    {"x/w/response", 7001, 0, 1}};
    assert_int_equal(lines.count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < lines.count; i++) {
        assert_string_equal(lines.all[i].tag, expected[i].tag);
        assert_int_equal(lines.all[i].start_ms, expected[i].start_ms);
        assert_int_equal(lines.all[i].length_ms, expected[i].length_ms);
        assert_int_equal(lines.all[i].hdr.total, expected[i].values);
    }
    assert_int_equal(load_merge_kind(merge, LOAD_KIND_RESPONSE)->total, 10);
    free_lines(&lines);
    /* And what was merged merges again, to the same. */
    struct base_buf once = merged_text(merge);
    assert_non_null(strstr(once.data, "#[StartTime: 1763712342.000 "));
    struct load_merge *again = load_merge_new();
    add(again, "merged", &once);
    struct base_buf twice = merged_text(again);
    assert_string_equal(once.data, twice.data);
    base_buf_fini(&once);
    base_buf_fini(&twice);
    base_buf_fini(&a);
    base_buf_fini(&b);
    load_merge_free(merge);
    load_merge_free(again);
}

static void put_wide(struct base_buf *log, const char *tag, int64_t at_ms, int64_t highest,
                     int64_t value)
{
    struct hdr hdr;
    assert_true(hdr_init(&hdr, 1, highest, 3, NULL));
    hdr_record_n(&hdr, value, 7);
    put(log, tag, at_ms, 1000, &hdr);
    hdr_fini(&hdr);
}

/* Writers that give each interval the range it needs: one tag's grows, another's is wider from the
 * beginning, and nothing is lost or moved. */
static void test_ranges_may_differ(void **state)
{
    (void)state;
    struct base_buf a, b;
    struct load_merge *merge = load_merge_new();
    base_buf_init(&a, 1 << 20);
    base_buf_init(&b, 1 << 20);
    put_wide(&a, "x/y/response", 0, 5000, 4000);
    put_wide(&a, "x/y/response", 1000, 90000000, 80000000);
    put_wide(&a, "x/z/response", 0, 900, 800);
    put_wide(&b, "x/y/response", 0, 2000000, 1500000);
    put_wide(&b, "x/y/response", 1000, 3000, 2900);
    add(merge, "a", &a);
    add(merge, "b", &b);
    static const int64_t values[] = {800, 2900, 4000, 1500000, 80000000};
    const struct hdr *all = load_merge_kind(merge, LOAD_KIND_RESPONSE);
    assert_int_equal(all->total, 35);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_int_equal(hdr_count_at(all, values[i]), 7);
    assert_int_equal(hdr_max(all), hdr_highest_equivalent(all, 80000000));
    struct lines lines = merged_lines(merge);
    assert_int_equal(lines.count, 3); /* y at 0 and at 1000, z at 0 */
    int64_t total = 0;
    for (size_t i = 0; i < lines.count; i++) {
        const struct line *line = &lines.all[i];
        total += line->hdr.total;
        if (strcmp(line->tag, "x/y/response") != 0)
            continue;
        assert_int_equal(hdr_count_at(&line->hdr, line->start_ms == 0 ? 4000 : 80000000), 7);
        assert_int_equal(hdr_count_at(&line->hdr, line->start_ms == 0 ? 1500000 : 2900), 7);
    }
    assert_int_equal(total, 35);
    free_lines(&lines);
    /* Other units are other buckets. */
    struct hdr coarse;
    struct base_error err;
    base_buf_clear(&b);
    assert_true(hdr_init(&coarse, 1000, 90000000, 3, NULL));
    hdr_record(&coarse, 5000);
    put(&b, "x/y/response", 0, 1000, &coarse);
    hdr_fini(&coarse);
    assert_false(load_merge_text(merge, "c", b.data, b.len, &err));
    assert_non_null(strstr(err.message, "without loss"));
    base_buf_fini(&a);
    base_buf_fini(&b);
    load_merge_free(merge);
}

static void expect_refused(const char *const *paths, size_t count, enum base_code code,
                           const char *told)
{
    struct load_merge *merge = load_merge_new();
    struct base_error err = {.code = BASE_OK};
    bool good = true;
    for (size_t i = 0; i < count && good; i++)
        good = load_merge_file(merge, paths[i], &err);
    assert_false(good);
    assert_int_equal(err.code, code);
    if (strstr(err.message, told) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.message, told);
    load_merge_free(merge);
}

static void write_file(const char *path, const struct base_buf *text)
{
    struct base_error err;
    if (!base_file_write(path, text->data, text->len, 0600, &err))
        fail_msg("%s", err.message);
}

/* Other generators tag nothing: what is theirs has a row, too. */
static void test_summary_of_what_has_no_tag(void **state)
{
    (void)state;
    BASE_AUTO_BUF struct base_buf log;
    BASE_AUTO_BUF struct base_buf out;
    base_buf_init(&log, 1 << 20);
    base_buf_init(&out, 1 << 20);
    put_value(&log, NULL, 0, 1000, 5 * BASE_NS_PER_MS);
    put_value(&log, "load/url/response", 0, 1000, 7 * BASE_NS_PER_MS);
    struct load_merge *merge = load_merge_new();
    add(merge, "a.hlog", &log);
    assert_true(load_merge_summary(merge, &out));
    const char *none = strstr(out.data, "  (none)\n");
    assert_non_null(none);
    assert_non_null(strstr(out.data, "  load/url/response\n"));
    while (none > out.data && none[-1] != '\n')
        none--;
    assert_memory_equal(none, "           1 ", 13);
    assert_non_null(strstr(none, "5.0"));
    json_t *json = load_merge_summary_json(merge);
    assert_non_null(json_object_get(json_object_get(json, "tags"), ""));
    json_decref(json);
    load_merge_free(merge);
}

static void test_refuses_by_file_and_line(void **state)
{
    (void)state;
    char folder[] = "/tmp/squall-merge-XXXXXX";
    assert_non_null(mkdtemp(folder));
    BASE_AUTO_FREE char *good = base_str_printf("%s/good.hlog", folder);
    BASE_AUTO_FREE char *cut = base_str_printf("%s/cut.hlog", folder);
    BASE_AUTO_FREE char *other = base_str_printf("%s/other.hlog", folder);
    BASE_AUTO_FREE char *empty = base_str_printf("%s/empty.hlog", folder);
    BASE_AUTO_FREE char *linked = base_str_printf("%s/linked.hlog", folder);
    BASE_AUTO_FREE char *late = base_str_printf("%s/late.hlog", folder);
    struct base_buf text;
    struct hdr coarse;
    base_buf_init(&text, 1 << 20);
    assert_true(hlog_write_header(&text, (struct wall_ns){t0}));
    write_file(empty, &text);
    put_value(&text, "x/y/response", 0, 1000, 10);
    write_file(good, &text);
    BASE_AUTO_FREE char *histogram = base_str_dup(strrchr(text.data, ','));
    put_value(&text, "x/y/response", 1000, 1000, 10);
    text.len -= 9; /* the last line was not written whole */
    write_file(cut, &text);
    base_buf_clear(&text);
    assert_true(hdr_init(&coarse, 1, 1000000, 2, NULL));
    hdr_record(&coarse, 5);
    put(&text, "x/y/response", 0, 1000, &coarse);
    write_file(other, &text);
    base_buf_clear(&text); /* nanoseconds have no room for that */
    assert_true(
        base_buf_printf(&text, "Tag=x/y/response,20000000000.000,1.000,10.000%s", histogram));
    write_file(late, &text);
    assert_int_equal(link(good, linked), 0);

    BASE_AUTO_FREE char *cut_line = base_str_printf("%s:5: ", cut);
    BASE_AUTO_FREE char *other_line = base_str_printf("%s:1: ", other);
    BASE_AUTO_FREE char *late_line = base_str_printf("%s:1: an interval outside", late);
    BASE_AUTO_FREE char *empty_line = base_str_printf("%s:1: no interval", empty);
    expect_refused((const char *[]){good, cut}, 2, BASE_CORRUPT, cut_line);
    expect_refused((const char *[]){good, other}, 2, BASE_INVALID, other_line);
    expect_refused((const char *[]){good, late}, 2, BASE_CORRUPT, late_line);
    expect_refused((const char *[]){good, empty}, 2, BASE_CORRUPT, empty_line);
    expect_refused((const char *[]){good, linked}, 2, BASE_INVALID, "count twice");
    expect_refused((const char *[]){good, folder}, 2, BASE_IO, folder);
    hdr_fini(&coarse);
    base_buf_fini(&text);
    assert_true(base_dir_remove(folder, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merging_loses_nothing),
        cmocka_unit_test(test_what_is_not_the_same_interval),
        cmocka_unit_test(test_ranges_may_differ),
        cmocka_unit_test(test_summary_of_what_has_no_tag),
        cmocka_unit_test(test_refuses_by_file_and_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
