/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector.h"
#include "model/hlog.h"

static char phase[] = "steady";
static char list[] = "list";
static struct load_route routes[] = {{.name = list, .weight = 1}};
static const struct load_spec spec = {.duration = {10 * BASE_NS_PER_S},
                                      .max_late = {10 * BASE_NS_PER_MS},
                                      .interval = {BASE_NS_PER_S},
                                      .routes = routes,
                                      .route_count = 1,
                                      .first_phase = phase};

/* A run that began at 100 s, whose last response came at `last`. */
static struct load_result finished(struct load_collector *collector, int64_t last, int64_t ran)
{
    struct base_error err;
    struct load_shard shard = {0};
    assert_true(load_collector_init(collector, &spec, -1, 1, &err));
    assert_true(load_shard_init(&shard, 1, &err));
    assert_true(load_collector_begin(collector, (struct mono_ns){100 * BASE_NS_PER_S},
                                     (struct wall_ns){1000 * BASE_NS_PER_S}, &err));
    load_shard_cell(&shard, 0, 0)->counts.intended = 1;
    shard.last_end = last;
    assert_true(load_collector_take(collector, 0, &shard, &err));
    assert_non_null(
        load_collector_close(collector, (struct mono_ns){111 * BASE_NS_PER_S}, 0, &err));
    load_collector_finish(collector, true, (struct dur_ns){ran}, (struct dur_ns){0});
    load_shard_fini(&shard);
    return collector->result;
}

/* From when on nobody answers is no end: what is judged by must reach to the end of the load. */
static void the_load_ends_with_its_schedule_or_its_last_response(void **state)
{
    (void)state;
    static const struct {
        int64_t last, ran, ends;
    } cases[] = {{103, 10, 110}, {0, 10, 110}, {112, 10, 112}, {103, 4, 104}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct load_collector collector;
        struct load_result result =
            finished(&collector, cases[i].last * BASE_NS_PER_S, cases[i].ran * BASE_NS_PER_S);
        assert_int_equal(result.end_mono.ns, cases[i].ends * BASE_NS_PER_S);
        assert_int_equal(result.end.ns, (900 + cases[i].ends) * BASE_NS_PER_S);
        load_collector_fini(&collector);
    }
}

/* What one thread did until then. */
static void take(struct load_collector *collector, uint32_t worker, enum load_delay cause,
                 int64_t ms, int64_t count)
{
    struct base_error err;
    struct load_shard shard = {0};
    assert_true(load_shard_init(&shard, 1, &err));
    load_shard_cell(&shard, 0, 0)->counts = (struct load_counts){
        .intended = (uint64_t)count, .sent = (uint64_t)count, .ok = (uint64_t)count};
    for (int64_t i = 0; i < count; i++)
        load_shard_late(&shard, cause, ms * BASE_NS_PER_MS);
    assert_true(load_collector_take(collector, worker, &shard, &err));
    assert_true(load_shard_is_empty(&shard));
    load_shard_fini(&shard);
}

/* A timer that rang late and a busy loop are both the generator's own doing, in whatever intervals
 * and threads; waiting for a connection is not. The result has each cause's histogram. */
static void own_lateness_is_of_timer_and_loop(void **state)
{
    (void)state;
    static const struct {
        enum load_delay cause;
        enum load_limit limit;
    } cases[] = {{LOAD_DELAY_TIMER, LOAD_LIMIT_LATENESS},
                 {LOAD_DELAY_BUSY, LOAD_LIMIT_LATENESS},
                 {LOAD_DELAY_NO_CONNECTION, LOAD_LIMIT_NONE},
                 {LOAD_DELAY_BLOCKED, LOAD_LIMIT_NONE}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct load_collector collector;
        struct base_error err;
        struct hdr hdr;
        assert_true(load_collector_init(&collector, &spec, -1, 2, &err));
        assert_true(load_collector_begin(&collector, (struct mono_ns){100 * BASE_NS_PER_S},
                                         (struct wall_ns){0}, &err));
        take(&collector, 0, cases[i].cause, 500, 10);
        assert_non_null(
            load_collector_close(&collector, (struct mono_ns){101 * BASE_NS_PER_S}, 0, &err));
        take(&collector, 1, cases[i].cause, 700, 5);
        assert_non_null(
            load_collector_close(&collector, (struct mono_ns){102 * BASE_NS_PER_S}, 0, &err));
        load_collector_finish(&collector, true, base_dur_s(2), (struct dur_ns){0});
        const struct load_result *result = &collector.result;
        assert_int_equal(result->client_limited_by, cases[i].limit);
        assert_int_equal(result->lateness_count, 1);
        assert_int_equal(result->lateness[0].cause, cases[i].cause);
        assert_int_equal(result->lateness[0].count, 15);
        const char *text = result->lateness[0].histogram;
        assert_true(hdr_decode(text, strlen(text), &hdr, &err));
        assert_int_equal(hdr_count_at(&hdr, 500 * BASE_NS_PER_MS), 10);
        assert_int_equal(hdr_count_at(&hdr, 700 * BASE_NS_PER_MS), 5);
        hdr_fini(&hdr);
        load_collector_fini(&collector);
    }
}

/* --- response times by when requests were due --- */

enum { START_S = 100, SINCE_EPOCH_S = 1000 };

/* A thread's shard, handed over: its home is the second `home`, and nothing due before `owed` (ms
 * since the start) is to come. */
struct due_at {
    int64_t ms;
    int64_t took_ms;
};

static void hand_over(struct load_collector *c, int64_t home, const struct due_at *ended,
                      size_t count, int64_t owed_ms)
{
    struct base_error err;
    struct load_shard shard = {0};
    assert_true(load_shard_init(&shard, 1, &err));
    shard.home = (START_S + home) * BASE_NS_PER_S;
    shard.home_length = BASE_NS_PER_S;
    shard.owed =
        owed_ms == INT64_MAX ? INT64_MAX : START_S * BASE_NS_PER_S + owed_ms * BASE_NS_PER_MS;
    for (size_t i = 0; i < count; i++) {
        const struct load_due due = {.intended =
                                         START_S * BASE_NS_PER_S + ended[i].ms * BASE_NS_PER_MS};
        struct load_cell *cell = load_shard_cell(&shard, 0, 0);
        cell->counts.ok++;
        load_shard_response(&shard, cell, &due, ended[i].took_ms * BASE_NS_PER_MS);
    }
    assert_true(load_collector_take(c, 0, &shard, &err));
    load_shard_fini(&shard);
}

/* The log's lines as "kind start length total max", one each. */
struct lines {
    char all[2048];
};

static bool on_line(void *ctx, struct hlog_entry *entry)
{
    struct lines *lines = ctx;
    size_t len = strlen(lines->all);
    (void)snprintf(lines->all + len, sizeof lines->all - len, "%s %.3f %.3f %lld %.0f\n",
                   strrchr(entry->tag, '/') + 1, entry->start - SINCE_EPOCH_S, entry->length,
                   (long long)entry->hdr.total, entry->max);
    return true;
}

static void expect_lines(int fd, off_t *from, const char *expected)
{
    char text[65536];
    struct lines lines = {""};
    struct base_error err;
    ssize_t n = pread(fd, text, sizeof text, *from);
    assert_true(n >= 0);
    *from += n;
    assert_true(hlog_read(text, (size_t)n, NULL, on_line, &lines, &err));
    assert_string_equal(lines.all, expected);
}

static void close_second(struct load_collector *c, int64_t end_ms)
{
    struct base_error err;
    assert_non_null(load_collector_close(
        c, (struct mono_ns){START_S * BASE_NS_PER_S + end_ms * BASE_NS_PER_MS}, 0, &err));
}

/* Ended times are of the reader's intervals; response times of the grid's, told once nothing that
 * was due in them is to come any more. */
static void response_times_lie_where_they_were_due(void **state)
{
    (void)state;
    struct load_collector c;
    struct base_error err;
    off_t at = 0;
    int fd = memfd_create("hlog", MFD_CLOEXEC);
    assert_true(fd >= 0 && load_collector_init(&c, &spec, fd, 2, &err));
    assert_true(load_collector_begin(&c, (struct mono_ns){START_S * BASE_NS_PER_S},
                                     (struct wall_ns){SINCE_EPOCH_S * BASE_NS_PER_S}, &err));
    /* One thread owes what was due at 900 ms. */
    hand_over(&c, 0, (struct due_at[]){{0, 1}, {999, 2}, {1001, 3}}, 3, 1003);
    hand_over(&c, 0, (struct due_at[]){{500, 4}}, 1, 900);
    close_second(&c, 1003);
    expect_lines(fd, &at, "ended 0.000 1.003 4 4\n");
    /* It stalls for a second... */
    hand_over(&c, 1, (struct due_at[]){{1500, 5}}, 1, 2001);
    hand_over(&c, 1, NULL, 0, 900);
    close_second(&c, 2001);
    expect_lines(fd, &at, "ended 1.003 0.998 1 5\n");
    /* ...and then all comes at once. */
    hand_over(&c, 2, (struct due_at[]){{2000, 6}}, 1, 2500);
    hand_over(&c, 2, (struct due_at[]){{900, 1600}, {1900, 600}, {2499, 1}}, 3, 2500);
    close_second(&c, 3000);
    expect_lines(fd, &at,
                 "ended 2.001 0.999 4 1600\n"
                 "response 0.000 1.000 4 1600\n"
                 "response 1.000 1.000 3 600\n");
    /* The rest is told at the end, when there may be no interval. */
    assert_true(load_collector_settle(&c, &err));
    expect_lines(fd, &at, "response 2.000 1.000 2 6\n");
    assert_true(load_collector_settle(&c, &err));
    expect_lines(fd, &at, "");
    load_collector_fini(&c);
    (void)close(fd);
}

static void test_intervals_end_at_multiples(void **state)
{
    (void)state;
    static const struct {
        int64_t since, left; /* of 1000 */
    } cases[] = {{-5, 1005},  {0, 1000},    {1, 999},    {900, 100},  {901, 1099},
                 {999, 1001}, {1000, 1000}, {3250, 750}, {3899, 101}, {3950, 1050}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(
            load_collector_left((struct dur_ns){cases[i].since}, (struct dur_ns){1000}).ns,
            cases[i].left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_load_ends_with_its_schedule_or_its_last_response),
        cmocka_unit_test(own_lateness_is_of_timer_and_loop),
        cmocka_unit_test(response_times_lie_where_they_were_due),
        cmocka_unit_test(test_intervals_end_at_multiples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
