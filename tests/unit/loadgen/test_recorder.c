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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells_appear_when_used),
        cmocka_unit_test(test_idle_cells_are_freed),
        cmocka_unit_test(test_merge_is_lossless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
