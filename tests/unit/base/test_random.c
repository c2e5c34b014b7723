/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

#include "base/random.h"

/* The first outputs of the authors' own C code for the state 1, 2, 3, 4. */
static void test_reference_sequence(void **state)
{
    (void)state;
    static const uint64_t expected[] = {UINT64_C(11520), UINT64_C(0), UINT64_C(1509978240),
                                        UINT64_C(1215971899390074240)};
    struct base_rng rng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_true(base_rng_u64(&rng) == expected[i]);
}

/* splitmix64's published outputs for the seed 1234567. */
static void test_seeding(void **state)
{
    (void)state;
    struct base_rng rng;
    base_rng_seed(&rng, 1234567);
    assert_true(rng.state[0] == UINT64_C(6457827717110365317));
    assert_true(rng.state[1] == UINT64_C(3203168211198807973));
    assert_true(rng.state[2] == UINT64_C(9817491932198370423));
    assert_true(rng.state[3] == UINT64_C(4593380528125082431));
}

static void test_same_seed_same_sequence(void **state)
{
    (void)state;
    struct base_rng a;
    struct base_rng b;
    struct base_rng c;
    base_rng_seed(&a, 5);
    base_rng_seed(&b, 5);
    base_rng_seed(&c, 6);
    int differ = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t value = base_rng_u64(&a);
        assert_true(value == base_rng_u64(&b));
        differ += value != base_rng_u64(&c);
    }
    assert_int_equal(differ, 100);
}

static void test_unit(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    struct base_rng rng;
    double sum = 0;
    base_rng_seed(&rng, 1);
    for (int i = 0; i < COUNT; i++) {
        double x = base_rng_unit(&rng);
        assert_true(x >= 0 && x < 1);
        sum += x;
    }
    assert_true(fabs(sum / COUNT - 0.5) < 0.005);
}

static void test_exponential(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    struct base_rng rng;
    double sum = 0;
    int above_mean = 0;
    base_rng_seed(&rng, 1);
    for (int i = 0; i < COUNT; i++) {
        double x = base_rng_exponential(&rng, 3);
        assert_true(x >= 0 && isfinite(x));
        sum += x;
        above_mean += x > 3;
    }
    assert_true(fabs(sum / COUNT - 3) < 0.05);
    assert_true(fabs((double)above_mean / COUNT - exp(-1)) < 0.01);
}

static void test_below(void **state)
{
    (void)state;
    enum { COUNT = 60000, SIDES = 6 };
    struct base_rng rng;
    int seen[SIDES] = {0};
    base_rng_seed(&rng, 1);
    for (int i = 0; i < COUNT; i++) {
        uint64_t side = base_rng_below(&rng, SIDES);
        assert_true(side < SIDES);
        seen[side]++;
    }
    for (int i = 0; i < SIDES; i++)
        assert_true(abs(seen[i] - COUNT / SIDES) < COUNT / SIDES / 20);
    assert_true(base_rng_below(&rng, 1) == 0);
    /* Three quarters of the range: without rejection the lower third would be twice as likely. */
    uint64_t most = UINT64_C(3) << 62;
    int low = 0;
    for (int i = 0; i < COUNT; i++)
        low += base_rng_below(&rng, most) < UINT64_C(1) << 62;
    assert_true(abs(low - COUNT / 3) < COUNT / 60);
}

static void test_ids(void **state)
{
    (void)state;
    char a[BASE_ID_TEXT];
    char b[BASE_ID_TEXT];
    base_random_id(a);
    base_random_id(b);
    assert_int_equal(strlen(a), 16);
    assert_int_equal(strspn(a, "0123456789abcdef"), 16);
    assert_string_not_equal(a, b);
    assert_true(base_random_u64() != base_random_u64());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_sequence),
        cmocka_unit_test(test_seeding),
        cmocka_unit_test(test_same_seed_same_sequence),
        cmocka_unit_test(test_unit),
        cmocka_unit_test(test_exponential),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
