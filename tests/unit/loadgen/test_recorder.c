/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "recorder.h"

enum { ROUTES = 2 };

static void test_cells_appear_when_used(void **state)
{
    (void)state;
    struct load_shard shard;
    assert_true(load_shard_init(&shard, ROUTES, NULL));
    assert_null(load_shard_peek(&shard, 5, 1));
    struct load_cell *cell = load_shard_cell(&shard, 5, 1);
    cell->counts.ok = 3;
    assert_ptr_equal(load_shard_cell(&shard, 5, 1), cell);
    assert_null(load_shard_peek(&shard, 5, 0));
    assert_null(load_shard_peek(&shard, 0, 0));
    assert_null(cell->histograms[LOAD_KIND_FAILED].counts);
    load_cell_record(cell, LOAD_KIND_FAILED, 7);
    assert_int_equal(cell->histograms[LOAD_KIND_FAILED].total, 1);
    load_shard_fini(&shard);
}

/* Memory follows the phases in use. */
static void test_idle_cells_are_freed(void **state)
{
    (void)state;
    struct load_shard shard;
    assert_true(load_shard_init(&shard, ROUTES, NULL));
    load_cell_record(load_shard_cell(&shard, 0, 0), LOAD_KIND_SERVICE, 7);
    load_shard_cell(&shard, 1, 0)->counts.intended = 1;
    shard.missed_busy = 1;
    shard.out_of_ports = 2;
    shard.last_end = 3;
    load_shard_reset(&shard);
    assert_non_null(load_shard_peek(&shard, 0, 0));
    assert_int_equal(load_shard_cell(&shard, 0, 0)->histograms[LOAD_KIND_SERVICE].total, 0);
    assert_int_equal(load_shard_cell(&shard, 1, 0)->counts.intended, 0);
    assert_true(load_shard_is_empty(&shard));
    assert_int_equal(shard.missed_busy, 0);
    assert_int_equal(shard.out_of_ports, 0);
    assert_int_equal(shard.last_end, 0);
    load_shard_cell(&shard, 1, 0)->counts.intended = 1;
    load_shard_reset(&shard);
    assert_null(load_shard_peek(&shard, 0, 0));
    assert_non_null(load_shard_peek(&shard, 1, 0));
    load_shard_fini(&shard);
}

/* N workers' merged record equals one worker's record of everything, bucket for bucket. */
static void test_merge_is_lossless(void **state)
{
    (void)state;
    enum { WORKERS = 4, SAMPLES = 100000 };
    struct load_shard one, merged, workers[WORKERS];
    struct base_rng rng;
    base_rng_seed(&rng, 3);
    assert_true(load_shard_init(&one, ROUTES, NULL));
    assert_true(load_shard_init(&merged, ROUTES, NULL));
    for (int i = 0; i < WORKERS; i++)
        assert_true(load_shard_init(&workers[i], ROUTES, NULL));
    for (int i = 0; i < SAMPLES; i++) {
        uint32_t phase = (uint32_t)base_rng_below(&rng, 3);
        uint32_t route = (uint32_t)base_rng_below(&rng, ROUTES + 1);
        enum load_kind kind = (enum load_kind)base_rng_below(&rng, LOAD_KIND_COUNT);
        int64_t value = (int64_t)base_rng_exponential(&rng, 5e6);
        struct load_shard *worker = &workers[base_rng_below(&rng, WORKERS)];
        enum load_delay cause = (enum load_delay)(value % LOAD_DELAY_COUNT);
        load_cell_record(load_shard_cell(&one, phase, route), kind, value);
        load_cell_record(load_shard_cell(worker, phase, route), kind, value);
        load_shard_cell(&one, phase, route)->counts.failed[LOAD_FAIL_RESET]++;
        load_shard_cell(worker, phase, route)->counts.failed[LOAD_FAIL_RESET]++;
        load_shard_late(&one, cause, value);
        load_shard_late(worker, cause, value);
    }
    for (int i = 0; i < WORKERS; i++) {
        workers[i].missed_busy = 10;
        workers[i].out_of_ports = 100;
        workers[i].last_end = i == 1 ? 900 : 500 + i;
        assert_true(load_shard_add(&merged, &workers[i], NULL));
    }
    assert_int_equal(merged.missed_busy, 10 * WORKERS);
    assert_int_equal(merged.out_of_ports, 100 * WORKERS);
    assert_int_equal(merged.last_end, 900);
    for (uint32_t phase = 0; phase < 3; phase++) {
        for (uint32_t route = 0; route <= ROUTES; route++) {
            const struct load_cell *a = load_shard_cell(&one, phase, route);
            const struct load_cell *b = load_shard_cell(&merged, phase, route);
            assert_int_equal(a->counts.failed[LOAD_FAIL_RESET], b->counts.failed[LOAD_FAIL_RESET]);
            for (int kind = 0; kind < LOAD_KIND_COUNT; kind++)
                assert_true(hdr_equal(&a->histograms[kind], &b->histograms[kind]));
        }
    }
    for (int cause = 0; cause < LOAD_DELAY_COUNT; cause++)
        assert_true(hdr_equal(&one.late[cause], &merged.late[cause]));
    load_shard_fini(&one);
    load_shard_fini(&merged);
    for (int i = 0; i < WORKERS; i++)
        load_shard_fini(&workers[i]);
}

/* At home from its first nanosecond to its last; all others are strays, and both together are what
 * ended. */
static void test_what_was_due_elsewhere_is_kept_apart(void **state)
{
    (void)state;
    static const struct {
        int64_t intended;
        bool home;
    } cases[] = {{1000, true}, {1099, true}, {1100, false},      {999, false},  {1050, true},
                 {0, false},   {-5, false},  {INT64_MAX, false}, {1200, false}, {INT64_MIN, false}};
    enum { CASES = sizeof cases / sizeof *cases, HOME = 3 };
    struct load_shard shard, merged;
    assert_true(load_shard_init(&shard, ROUTES, NULL) && load_shard_init(&merged, ROUTES, NULL));
    struct load_cell *cell = load_shard_cell(&shard, 1, 0);
    struct load_due due = {.phase = 1, .intended = 1};
    load_shard_response(&shard, cell, &due, 7); /* not placed yet: nothing is at home */
    assert_int_equal(shard.stray_count, 1);
    load_shard_reset(&shard);
    assert_int_equal(shard.stray_count, 0);
    shard.home = 1000;
    shard.home_length = 100;
    for (size_t i = 0; i < CASES; i++) {
        size_t before = shard.stray_count;
        due.intended = cases[i].intended;
        load_shard_response(&shard, load_shard_cell(&shard, 1, 0), &due, (int64_t)i + 1);
        assert_int_equal(shard.stray_count - before, cases[i].home ? 0 : 1);
        if (!cases[i].home) {
            const struct load_stray *last = &shard.strays[before];
            assert_int_equal(last->intended, cases[i].intended);
            assert_int_equal(last->ns, i + 1);
            assert_int_equal(last->phase, 1);
            assert_int_equal(last->route, 0);
        }
    }
    assert_int_equal(load_shard_cell(&shard, 1, 0)->histograms[LOAD_KIND_RESPONSE].total, HOME);
    assert_true(load_shard_add(&merged, &shard, NULL));
    const struct hdr *ended = &load_shard_cell(&merged, 1, 0)->histograms[LOAD_KIND_RESPONSE];
    assert_int_equal(ended->total, CASES);
    for (size_t i = 0; i < CASES; i++)
        assert_int_equal(hdr_count_at(ended, (int64_t)i + 1), 1);
    load_shard_fini(&shard);
    load_shard_fini(&merged);
}

/* A stall's end brings a million of them; the room is given back. */
static void test_many_strays_leave_nothing_behind(void **state)
{
    (void)state;
    enum { MANY = 1000000 };
    struct load_shard shard;
    assert_true(load_shard_init(&shard, ROUTES, NULL));
    for (int i = 0; i < MANY; i++)
        load_shard_stray(&shard, &(struct load_stray){.intended = i});
    assert_int_equal(shard.stray_count, MANY);
    assert_int_equal(shard.strays[MANY - 1].intended, MANY - 1);
    load_shard_reset(&shard);
    assert_true(shard.stray_cap < 10000);
    load_shard_fini(&shard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells_appear_when_used),
        cmocka_unit_test(test_idle_cells_are_freed),
        cmocka_unit_test(test_merge_is_lossless),
        cmocka_unit_test(test_what_was_due_elsewhere_is_kept_apart),
        cmocka_unit_test(test_many_strays_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
