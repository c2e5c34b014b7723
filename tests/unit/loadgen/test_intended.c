/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "intended.h"

enum { PHASES = 2, ROUTES = 3, NUMBERS = 20, LINES_MAX = 200 };

/* What was handed out. */
struct taken {
    struct load_intended_line lines[LINES_MAX]; /* without histograms */
    int64_t totals[LINES_MAX];
    size_t count;
    struct hdr sums[NUMBERS][PHASES][ROUTES];
    size_t refuse_at;
};

static bool take(void *ctx, const struct load_intended_line *line, struct base_error *err)
{
    struct taken *taken = ctx;
    if (taken->count == taken->refuse_at)
        return base_fail(err, BASE_IO, "no");
    taken->totals[taken->count] = line->hdr->total;
    taken->lines[taken->count++] = *line;
    if (line->number < NUMBERS) {
        struct hdr *sum = &taken->sums[line->number][line->phase][line->route];
        if (sum->counts == NULL)
            assert_true(hdr_init_latency(sum, NULL));
        assert_true(hdr_add(sum, line->hdr, NULL));
    }
    return true;
}

static void taken_fini(struct taken *taken)
{
    for (size_t i = 0; i < NUMBERS; i++)
        for (size_t p = 0; p < PHASES; p++)
            for (size_t r = 0; r < ROUTES; r++)
                hdr_fini(&taken->sums[i][p][r]);
}

static void expect_line(const struct taken *taken, size_t i, uint64_t number, uint32_t phase,
                        uint32_t route, int64_t total)
{
    assert_true(i < taken->count);
    assert_int_equal(taken->lines[i].number, number);
    assert_int_equal(taken->lines[i].phase, phase);
    assert_int_equal(taken->lines[i].route, route);
    assert_int_equal(taken->totals[i], total);
}

static void closed_in_order_below_the_end(void **state)
{
    (void)state;
    struct load_intended intended;
    struct taken taken = {.refuse_at = SIZE_MAX};
    assert_true(load_intended_init(&intended, NULL));
    assert_true(load_intended_close(&intended, UINT64_MAX, take, &taken, NULL));
    load_intended_add(&intended, 7, 0, 1, 5, 1);
    load_intended_add(&intended, 3, 1, 0, 5, 2);
    load_intended_add(&intended, 5, 0, 0, 5, 3);
    load_intended_add(&intended, 3, 0, 2, 5, 4);
    load_intended_add(&intended, 3, 0, 1, 5, 5);
    load_intended_add(&intended, 3, 0, 2, 9, 6);
    assert_true(load_intended_close(&intended, 3, take, &taken, NULL));
    assert_int_equal(taken.count, 0);
    assert_true(load_intended_close(&intended, 6, take, &taken, NULL));
    assert_int_equal(taken.count, 4);
    expect_line(&taken, 0, 3, 0, 1, 5);
    expect_line(&taken, 1, 3, 0, 2, 10);
    expect_line(&taken, 2, 3, 1, 0, 2);
    expect_line(&taken, 3, 5, 0, 0, 3);
    assert_int_equal(intended.count, 1);
    /* What comes late is handed out with the rest. */
    load_intended_add(&intended, 3, 0, 2, 9, 8);
    assert_true(load_intended_close(&intended, UINT64_MAX, take, &taken, NULL));
    assert_int_equal(taken.count, 6);
    expect_line(&taken, 4, 3, 0, 2, 8);
    expect_line(&taken, 5, 7, 0, 1, 1);
    assert_int_equal(intended.count, 0);
    load_intended_fini(&intended);
    taken_fini(&taken);
}

static void who_refuses_is_not_asked_again(void **state)
{
    (void)state;
    struct load_intended intended;
    struct base_error err;
    struct taken taken = {.refuse_at = 1};
    assert_true(load_intended_init(&intended, NULL));
    load_intended_add(&intended, 1, 0, 0, 5, 1);
    load_intended_add(&intended, 1, 0, 1, 5, 1);
    load_intended_add(&intended, 2, 0, 0, 5, 1);
    assert_false(load_intended_close(&intended, 9, take, &taken, &err));
    assert_int_equal(err.code, BASE_IO);
    assert_int_equal(taken.count, 1);
    load_intended_fini(&intended);
    load_intended_fini(&intended);
    taken_fini(&taken);
}

/* Bucket for bucket, whether values came one by one, as histograms, or late. */
static void nothing_is_lost(void **state)
{
    (void)state;
    enum { SAMPLES = 300000 };
    static struct hdr expected[NUMBERS][PHASES][ROUTES];
    struct load_intended intended;
    static struct taken taken;
    struct base_rng rng;
    struct hdr batch;
    taken.refuse_at = SIZE_MAX;
    base_rng_seed(&rng, 5);
    assert_true(load_intended_init(&intended, NULL));
    assert_true(hdr_init_latency(&batch, NULL));
    load_intended_add_all(&intended, 0, 0, 0, &batch);
    load_intended_add_all(&intended, 0, 0, 0, &(struct hdr){.counts = NULL});
    assert_int_equal(intended.count, 0);
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t number = base_rng_below(&rng, 4) * base_rng_below(&rng, NUMBERS / 4);
        uint32_t phase = (uint32_t)base_rng_below(&rng, PHASES);
        uint32_t route = (uint32_t)base_rng_below(&rng, ROUTES);
        struct hdr *all = &expected[number][phase][route];
        if (all->counts == NULL)
            assert_true(hdr_init_latency(all, NULL));
        /* Zero, and what is above the range, among them. */
        int64_t ns = i % 1000 == 0 ? i % 3000 * INT64_C(2000000000)
                                   : (int64_t)base_rng_exponential(&rng, 5e6);
        hdr_record(all, ns);
        if (i % 10 != 0) {
            load_intended_add(&intended, number, phase, route, ns, 1);
        } else {
            hdr_reset(&batch);
            hdr_record(&batch, ns);
            load_intended_add_all(&intended, number, phase, route, &batch);
        }
        if (i % 60000 == 59999)
            assert_true(
                load_intended_close(&intended, base_rng_below(&rng, NUMBERS), take, &taken, NULL));
    }
    assert_true(load_intended_close(&intended, UINT64_MAX, take, &taken, NULL));
    for (size_t i = 0; i < NUMBERS; i++)
        for (size_t p = 0; p < PHASES; p++)
            for (size_t r = 0; r < ROUTES; r++) {
                struct hdr *all = &expected[i][p][r];
                assert_true(all->counts == NULL ? taken.sums[i][p][r].counts == NULL
                                                : hdr_equal(all, &taken.sums[i][p][r]));
                hdr_fini(all);
            }
    load_intended_fini(&intended);
    hdr_fini(&batch);
    taken_fini(&taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_in_order_below_the_end),
        cmocka_unit_test(who_refuses_is_not_asked_again),
        cmocka_unit_test(nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
