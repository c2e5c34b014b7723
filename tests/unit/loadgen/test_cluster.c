/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/text.h"
#include "cluster.h"
#include "cluster_slots.h"
#include "cluster_tally.h"
#include "model/hlog.h"
#include "schedule.h"

/* Round trips of 0.2 to 20 ms in which the answer is made anywhere: the estimate is wrong by half
 * of the fastest at most, and the fastest of 16 is fast. */
static void test_the_clock_is_as_good_as_the_fastest_answer(void **state)
{
    (void)state;
    static const int64_t offset = INT64_C(1763712345678901234);
    struct base_rng rng;
    base_rng_seed(&rng, 11);
    for (int round = 0; round < 200; round++) {
        struct load_cluster_clock clock = {.samples = 0};
        int64_t now = 1000000, best = INT64_MAX;
        for (int i = 0; i < 16; i++) {
            int64_t there = 100000 + (int64_t)base_rng_below(&rng, 10000000);
            int64_t back = 100000 + (int64_t)base_rng_below(&rng, 10000000);
            load_cluster_clock_add(&clock, (struct mono_ns){now},
                                   (struct mono_ns){now + there + back},
                                   (struct wall_ns){now + there + offset});
            best = there + back < best ? there + back : best;
            now += there + back + 5000;
        }
        int64_t error = clock.offset - offset;
        assert_int_equal(clock.rtt.ns, best);
        assert_true(error <= best / 2 && error >= -best / 2);
        struct mono_ns at = load_cluster_clock_mono(&clock, (struct wall_ns){offset + 777});
        assert_int_equal(at.ns, 777 - error);
    }
}

static void test_names(void **state)
{
    (void)state;
    char *plan = load_cluster_key("a-1", NULL, LOAD_CLUSTER_PLAN);
    char *up = load_cluster_key("a-1", "77", LOAD_CLUSTER_UP);
    assert_string_equal(plan, "squall:a-1:plan");
    assert_string_equal(up, "squall:a-1:77:up");
    free(plan);
    free(up);
    assert_true(load_cluster_run_valid("Nightly_2026-11.26"));
    static const char *const bad[] = {"",
                                      "a b",
                                      "a:b",
                                      "a\n",
                                      "ä",
                                      ("1234567890123456789012345678901234567890123456789012345678"
                                       "9012345")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(load_cluster_run_valid(bad[i]));
}

/* Whatever threads each worker has, together they send each arrival once, and all connections. */
static void test_shares_make_the_whole(void **state)
{
    (void)state;
    enum { WORKERS = 3, DUE_MAX = 4096 };
    static const uint32_t threads[WORKERS] = {1, 4, 3};
    static struct load_route route = {.weight = 1};
    const struct load_spec spec = {.arrivals = LOAD_POISSON,
                                   .rate = 500,
                                   .duration = {2 * BASE_NS_PER_S},
                                   .seed = 8,
                                   .routes = &route,
                                   .route_count = 1};
    unsigned char seen[DUE_MAX] = {0};
    uint64_t due = 0, sent = 0;
    assert_true(load_cluster_scheduled(&spec, &due));
    assert_true(due > 800 && due < 1200);
    for (uint32_t w = 0; w < WORKERS; w++) {
        for (uint32_t t = 0; t < threads[w]; t++) {
            struct load_schedule schedule;
            struct load_arrival arrival;
            /* As in run.c: start_workers. */
            load_schedule_init(&schedule, &spec, NULL, w + WORKERS * t, WORKERS * threads[w]);
            while (load_schedule_next(&schedule, &arrival)) {
                assert_int_equal(seen[arrival.number]++, 0);
                sent++;
            }
            load_schedule_fini(&schedule);
        }
    }
    assert_int_equal(sent, due);
    for (uint32_t all = 3; all < 20; all++) {
        uint32_t sum = 0;
        for (uint32_t w = 0; w < WORKERS; w++) {
            uint32_t one = load_cluster_connections(all, w, WORKERS);
            assert_true(one >= all / WORKERS && one <= all / WORKERS + 1);
            sum += one;
        }
        assert_int_equal(sum, all);
    }
}

/* What of several workers' counts must add up to the schedule: passages, not their steps; of users
 * only what they are bound to. */
static void test_what_is_due_of_flows_and_users(void **state)
{
    (void)state;
    char plain[] = "a", flow_name[] = "f", one[] = "one", two[] = "two", first[] = "f.one",
         second[] = "f.two";
    struct load_route route = {.name = plain, .weight = 1};
    struct load_step steps[] = {{.name = one}, {.name = two}};
    struct load_flow flow = {.name = flow_name, .weight = 1, .steps = steps, .step_count = 2};
    struct load_stage stage = {.length = {1}, .from = 4, .to = 4};
    struct load_spec spec = {.routes = &route, .route_count = 1, .flows = &flow, .flow_count = 1};
    struct load_part parts[] = {{.route = plain, .counts.intended = 3},
                                {.route = first, .counts.intended = 5},
                                {.route = second, .counts.intended = 4},
                                {.route = first, .counts.intended = 2}};
    const struct load_result result = {.parts = parts, .part_count = 4, .total.intended = 14};
    assert_int_equal(load_cluster_begun(&spec, &result), 10);
    spec.flow_count = 0;
    assert_int_equal(load_cluster_begun(&spec, &result), 14);
    spec.closed = (struct load_closed){.stages = &stage, .stage_count = 1};
    uint64_t due = 7;
    assert_false(load_cluster_scheduled(&spec, &due));
    spec.closed.each = 5;
    assert_true(load_cluster_scheduled(&spec, &due));
    assert_int_equal(due, 20);
    spec.closed.iterations = 9;
    assert_true(load_cluster_scheduled(&spec, &due));
    assert_int_equal(due, 9);
}

static char *log_of(const char *tag, int64_t value, int64_t count)
{
    struct base_buf log;
    struct hdr hdr;
    base_buf_init(&log, 1 << 20);
    assert_true(hdr_init_latency(&hdr, NULL));
    hdr_record_n(&hdr, value, count);
    assert_true(hlog_write_entry(&log, tag, (struct wall_ns){0}, base_dur_ms(1), &hdr, NULL));
    hdr_fini(&hdr);
    return base_buf_steal(&log);
}

/* 10 fast answers of one and 990 slow ones of the other: the p50 of both is slow, which no mean of
 * the two p50s would say. */
static void test_intervals_add_up(void **state)
{
    (void)state;
    static char phase[] = "load", url[] = "url";
    static struct load_part parts[] = {{phase, url, {.sent = 10, .ok = 10}}};
    struct load_cluster_interval sum;
    struct base_error err;
    struct load_interval one = {.start = {2000},
                                .length = {100},
                                .phase = phase,
                                .in_flight = 3,
                                .parts = parts,
                                .part_count = 1};
    one.counts = (struct load_counts){.sent = 10, .ok = 10};
    assert_true(load_cluster_interval_init(&sum, NULL));
    char *fast = log_of("load/url/ended", 1000, 10);
    char *slow = log_of("load/url/ended", 9000000, 990);
    char *late = log_of("load/-/schedule", 70000, 5);
    char *service = log_of("load/url/service", 1, 100000);
    char *due = log_of("load/url/response", 1, 100000); /* by when requests were due: elsewhere */
    assert_true(load_cluster_interval_add(&sum, &one, fast, strlen(fast), &err));
    one.start.ns = 1990;
    one.length.ns = 150;
    one.counts = (struct load_counts){.sent = 995, .ok = 990, .failed = {5}};
    assert_true(load_cluster_interval_add(&sum, &one, slow, strlen(slow), &err));
    one.counts = (struct load_counts){.missed = 1};
    one.start.ns = 1995;
    one.length.ns = 5;
    assert_true(load_cluster_interval_add(&sum, &one, late, strlen(late), &err));
    assert_true(load_cluster_interval_add(&sum, &one, service, strlen(service), &err));
    one.counts.missed = 0;
    assert_true(load_cluster_interval_add(&sum, &one, due, strlen(due), &err));
    assert_false(load_cluster_interval_add(&sum, &one, "Tag=x,1", 7, &err));
    assert_int_equal(err.code, BASE_CORRUPT);
    struct load_interval all = load_cluster_interval_take(&sum);
    assert_int_equal(all.start.ns, 1990);
    assert_int_equal(all.length.ns, 150);
    assert_int_equal(all.counts.sent, 1005);
    assert_int_equal(all.counts.ok, 1000);
    assert_int_equal(all.counts.failed[0], 5);
    assert_int_equal(all.counts.missed, 2);
    assert_int_equal(all.in_flight, 15);
    assert_int_equal(all.part_count, 1);
    assert_string_equal(all.parts[0].route, "url");
    assert_int_equal(all.parts[0].counts.ok, 50);
    assert_string_equal(all.phase, "load");
    assert_true(all.p50.ns > 8900000 && all.p99.ns > 8900000 && all.max.ns > 8900000);
    assert_true(all.late_p99.ns > 69000 && all.late_p99.ns < 71000);
    load_interval_fini(&all);
    load_cluster_interval_fini(&sum);
    free(fast);
    free(slow);
    free(late);
    free(service);
    free(due);
}

/* Two workers' intervals by phase and route, bucket for bucket; what is of no plan is no figure. */
static void test_a_tally_is_of_all_workers(void **state)
{
    (void)state;
    static char steady[] = "steady", late[] = "late", a[] = "a", b[] = "b", strange[] = "c";
    struct load_route routes[] = {{.name = a, .weight = 1}, {.name = b, .weight = 1}};
    const struct load_spec spec = {.routes = routes, .route_count = 2};
    struct load_part parts[] = {{late, b, {.sent = 7, .ok = 7}}, {steady, a, {.sent = 2, .ok = 1}}};
    struct load_interval one = {.parts = parts, .part_count = 1, .counts = {.sent = 7, .ok = 7}};
    struct load_tally tally;
    struct base_error err;
    assert_true(load_tally_init(&tally, &spec, &err));
    char *fast = log_of("late/b/ended", 1000, 7);
    char *slow = log_of("late/b/ended", 9000000, 3);
    char *again = log_of("late/b/response", 1000, 7);
    char *due = log_of("steady/-/schedule", 70000, 5);
    assert_true(load_tally_add(&tally, &one, fast, strlen(fast), &err));
    one.part_count = 2;
    one.counts = (struct load_counts){.sent = 9, .ok = 8};
    assert_true(load_tally_add(&tally, &one, slow, strlen(slow), &err));
    one.part_count = 0;
    one.counts = (struct load_counts){0};
    assert_true(load_tally_add(&tally, &one, due, strlen(due), &err));
    assert_true(load_tally_add(&tally, &one, again, strlen(again), &err));
    assert_int_equal(tally.cells.phases, 2);
    assert_string_equal(tally.phases[0], "late");
    const struct load_cell *cell = load_shard_cell(&tally.cells, 0, 1);
    assert_int_equal(cell->counts.ok, 14);
    assert_int_equal(cell->histograms[LOAD_KIND_RESPONSE].total, 10);
    assert_true(hdr_max(&cell->histograms[LOAD_KIND_RESPONSE]) >= 9000000);
    assert_int_equal(hdr_value_at_quantile(&cell->histograms[LOAD_KIND_RESPONSE], 0.5), 1000);
    assert_null(load_shard_peek(&tally.cells, 0, 0));
    assert_int_equal(load_shard_cell(&tally.cells, 1, 0)->counts.sent, 2);
    assert_int_equal(load_shard_cell(&tally.cells, 1, 2)->histograms[LOAD_KIND_SCHEDULE].total, 5);
    assert_int_equal(tally.total.sent, 16);
    parts[0].route = strange;
    one.part_count = 1;
    assert_false(load_tally_add(&tally, &one, due, strlen(due), &err));
    assert_int_equal(err.code, BASE_CORRUPT);
    one.part_count = 0;
    static const char *const bad[] = {"steady/c/ended", "steady/a/odd", "steady/a", "steady"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text = log_of(bad[i], 1000, 1);
        assert_false(load_tally_add(&tally, &one, text, strlen(text), &err));
        assert_int_equal(err.code, BASE_CORRUPT);
        free(text);
    }
    load_tally_fini(&tally);
    load_tally_fini(&tally);
    free(fast);
    free(slow);
    free(due);
    free(again);
}

static void test_slots_are_by_time(void **state)
{
    (void)state;
    static const struct {
        int64_t start_ms, length_ms;
        uint64_t slot;
    } cases[] = {{0, 200, 0},  {3, 199, 0},   {200, 204, 1}, {0, 1000, 4}, /* four left out */
                 {1000, 3, 4}, {-500, 90, 0}, {1000, 150, 5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct load_interval one = {.start = {(7000 + cases[i].start_ms) * BASE_NS_PER_MS},
                                          .length = {cases[i].length_ms * BASE_NS_PER_MS}};
        assert_int_equal(
            load_cluster_slot(&one, (struct wall_ns){7000 * BASE_NS_PER_MS}, base_dur_ms(200)),
            cases[i].slot);
    }
}

struct told {
    char names[8][32];
    size_t count;
};

static void on_histogram(void *ctx, const char *phase, const char *route, const char *kind,
                         const struct hdr *hdr)
{
    struct told *told = ctx;
    assert_string_equal(kind, LOAD_ENDED);
    assert_int_equal(hdr_count_at(hdr, 1000), 10);
    assert_int_equal(hdr->total, 10);
    (void)snprintf(told->names[told->count++], sizeof told->names[0], "%s %s", phase, route);
}

/* A worker left two intervals out and sent a longer one; another one's last comes too late for its
 * own place. Nothing is lost, and nothing that is closed changes. */
static void test_slots_close_in_their_order(void **state)
{
    (void)state;
    static char phase[] = "load";
    struct load_slots slots = {.count = 0};
    struct load_interval closed = {.phase = NULL};
    struct base_buf lines;
    struct base_error err;
    struct load_interval one = {.phase = phase, .length = {3}, .counts = {.ok = 7}};
    uint64_t slot = 2;
    assert_true(load_slots_add(&slots, &slot, &one, "", 0, &err));
    assert_int_equal(slot, 2);
    assert_int_equal(slots.count, 3);
    assert_false(load_slots_close(&slots, &closed, &lines));
    assert_false(load_slots_close(&slots, &closed, &lines));
    assert_null(closed.phase);
    slot = 1;
    one.counts.ok = 2;
    static const char *const tags[] = {"load/url/ended", "load/a.b/ended",   "load/url/ended",
                                       "late/url/ended", "load/url/service", "load/url/response"};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        char *log = log_of(tags[i], 1000, 10);
        assert_true(load_slots_add(&slots, &slot, &one, log, strlen(log), &err));
        free(log);
        one.counts.ok = 0;
    }
    assert_int_equal(slot, 2);
    assert_true(load_slots_close(&slots, &closed, &lines));
    assert_int_equal(closed.counts.ok, 9);
    struct told told = {.count = 0};
    const struct load_events events = {.ctx = &told, .on_histogram = on_histogram};
    load_cluster_tell(&lines, &events);
    assert_int_equal(told.count, 4); /* each route's apart, and no other kind's */
    static const char *const names[] = {"load url", "load a.b", "load url", "late url"};
    for (size_t i = 0; i < told.count; i++)
        assert_string_equal(told.names[i], names[i]);
    load_interval_fini(&closed);
    base_buf_fini(&lines);
    slot = 1000000;
    assert_false(load_slots_add(&slots, &slot, &one, "", 0, &err));
    assert_int_equal(err.code, BASE_CORRUPT);
    assert_int_equal(slots.count, 0);
    slot = 3;
    assert_true(load_slots_add(&slots, &slot, &one, "", 0, &err));
    load_slots_fini(&slots); /* with what is still open */
}

static void test_parts_add_up(void **state)
{
    (void)state;
    static char steady[] = "steady", home[] = "home", cart[] = "cart";
    struct load_part parts[] = {{steady, home, {.ok = 3}}, {steady, cart, {.ok = 4}}};
    const struct load_result one = {.parts = parts, .part_count = 2};
    const struct load_result other = {.parts = parts + 1, .part_count = 1};
    struct load_result whole = {.parts = NULL};
    load_cluster_add_parts(&whole, &one);
    load_cluster_add_parts(&whole, &other);
    assert_int_equal(whole.part_count, 2);
    assert_int_equal(whole.parts[0].counts.ok, 3);
    assert_int_equal(whole.parts[1].counts.ok, 8);
    load_result_fini(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_clock_is_as_good_as_the_fastest_answer),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_shares_make_the_whole),
        cmocka_unit_test(test_what_is_due_of_flows_and_users),
        cmocka_unit_test(test_intervals_add_up),
        cmocka_unit_test(test_a_tally_is_of_all_workers),
        cmocka_unit_test(test_slots_are_by_time),
        cmocka_unit_test(test_slots_close_in_their_order),
        cmocka_unit_test(test_parts_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
