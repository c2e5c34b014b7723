/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "collector.h"

static char phase[] = "steady";
static char list[] = "list";
static struct load_route routes[] = {{.name = list, .weight = 1}};
static const struct load_spec spec = {.duration = {10 * BASE_NS_PER_S},
                                      .max_late = {10 * BASE_NS_PER_MS},
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
        cmocka_unit_test(test_intervals_end_at_multiples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
