/* SPDX-License-Identifier: Apache-2.0 */
/* What is written down about each shape of jitter, integrated again. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "jitter.h"

static void assert_near(double is, double expected, double tolerance)
{
    if (!(fabs(is - expected) <= tolerance))
        fail_msg("%g, expected %g +- %g", is, expected, tolerance);
}

static double density(double normal)
{
    return exp(-normal * normal / 2.0) / sqrt(2.0 * 3.14159265358979323846);
}

static void moments_are_as_written(void **state)
{
    (void)state;
    for (int shape = FAULT_UNIFORM; shape <= FAULT_PARETO_NORMAL; shape++) {
        enum fault_distribution distribution = (enum fault_distribution)shape;
        static const double step = 1e-4;
        double mean = 0;
        double squares = 0;
        double fourths = 0;
        for (int i = -80000; i <= 80000; i++) {
            double value = jitter_at(distribution, i * step);
            double weight = density(i * step) * step;
            mean += value * weight;
            squares += value * value * weight;
            fourths += pow(value, 4.0) * weight;
        }
        assert_near(mean, 0.0, 1e-5);
        assert_near(sqrt(squares), jitter_deviation(distribution), 1e-5);
        assert_near(fourths / (squares * squares), jitter_kurtosis(distribution, 1), 1e-3);
        assert_near(jitter_at(distribution, 0.0), jitter_median(distribution, 1), 1e-4);
        assert_near(jitter_kurtosis(distribution, 2) - 3.0,
                    (jitter_kurtosis(distribution, 1) - 3.0) / 2.0, 1e-9);
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* All sums of two values that are as likely as each other. */
static void the_median_of_two_ways_is_as_written(void **state)
{
    (void)state;
    enum { half = 250, points = 2 * half };
    static double sums[points * points];
    for (int shape = FAULT_UNIFORM; shape <= FAULT_PARETO_NORMAL; shape++) {
        enum fault_distribution distribution = (enum fault_distribution)shape;
        double value[points];
        double normal = -8.0;
        double below = 0.0;
        for (int i = 0; i < points; i++) {
            while (below < (i + 0.5) / points) {
                below += density(normal) * 1e-4;
                normal += 1e-4;
            }
            value[i] = jitter_at(distribution, normal);
        }
        for (int i = 0; i < points * points; i++)
            sums[i] = value[i / points] + value[i % points];
        qsort(sums, points * points, sizeof *sums, by_size);
        assert_near(sums[points * points / 2], jitter_median(distribution, 2), 0.003);
    }
}

/* More is more, in the order of what it is made from, and nothing is farther than its reach. */
static void values_keep_their_order_and_their_reach(void **state)
{
    (void)state;
    for (int shape = FAULT_UNIFORM; shape <= FAULT_PARETO_NORMAL; shape++) {
        enum fault_distribution distribution = (enum fault_distribution)shape;
        double last = -HUGE_VAL;
        for (int i = -390; i <= 390; i++) {
            double value = jitter_at(distribution, i / 100.0);
            assert_true(value >= last && fabs(value) <= jitter_reach(distribution, 1));
            last = value;
        }
        assert_true(jitter_reach(distribution, 2) > jitter_reach(distribution, 1));
    }
    assert_near(jitter_at(FAULT_PARETO, -40.0), (1.0 - 1.4640037) / 0.5657426, 1e-6);
    assert_true(jitter_at(FAULT_PARETO, 40.0) <= 4.0);         /* where the share above is 0 */
    assert_true(jitter_at(FAULT_PARETO_NORMAL, -4.2) >= -2.0); /* so much of a delay there is */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_as_written),
        cmocka_unit_test(the_median_of_two_ways_is_as_written),
        cmocka_unit_test(values_keep_their_order_and_their_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
