/* SPDX-License-Identifier: Apache-2.0 */
#include "jitter.h"

#include <math.h>

/* In deviations: where the tables of 16 bits end that the kernel's netem takes. */
static const double far_end = 4.0;

/*
 * As tc's tables: pareto is Pareto's distribution of shape 3, and paretonormal a quarter of a
 * normal value and three quarters of tc's Pareto value, 4/3 (x - 1.5), of the same place. tc cuts
 * both off at the end of the table and leaves them so, with a smaller deviation than the user has
 * named. Here centre and width are the mean and the deviation of what has been cut off, so that a
 * jitter is its standard deviation whatever the shape: for x alone, cut off at c = centre + 4
 * width, from mean 1.5 - 1/(2 c^2) and mean square 3 - 2/c. test_jitter.c integrates them all
 * again.
 */
static const struct shape {
    double normal; /* so much of a normal value */
    double pareto; /* and so much of Pareto's */
    double centre;
    double width;
    double kurtosis;
    double median[2]; /* of one way and of two */
} shapes[] = {
    [FAULT_UNIFORM] = {.kurtosis = 1.8},
    [FAULT_NORMAL] = {.normal = 1.0, .width = 1.0, .kurtosis = 3.0},
    [FAULT_PARETO] = {.pareto = 1.0,
                      .centre = 1.4640037,
                      .width = 0.5657426,
                      .kurtosis = 8.168,
                      .median = {-0.3607, -0.4416}},
    [FAULT_PARETO_NORMAL] = {.normal = 0.25,
                             .pareto = 1.0,
                             .centre = 1.4700419,
                             .width = 0.8128067,
                             .kurtosis = 6.787,
                             .median = {-0.2585, -0.3133}},
};

static double share_above(double normal)
{
    return 0.5 * erfc(normal / sqrt(2.0));
}

double jitter_at(enum fault_distribution distribution, double normal)
{
    const struct shape *shape = &shapes[distribution];
    if (distribution == FAULT_UNIFORM)
        return 2.0 * share_above(-normal) - 1.0;
    if (shape->pareto <= 0.0)
        return normal;
    double value = shape->normal * normal + shape->pareto * pow(share_above(normal), -1.0 / 3.0);
    return fmin(far_end, (value - shape->centre) / shape->width);
}

double jitter_deviation(enum fault_distribution distribution)
{
    return distribution == FAULT_UNIFORM ? 1.0 / sqrt(3.0) : 1.0;
}

double jitter_median(enum fault_distribution distribution, int ways)
{
    return shapes[distribution].median[ways - 1];
}

double jitter_kurtosis(enum fault_distribution distribution, int ways)
{
    return 3.0 + (shapes[distribution].kurtosis - 3.0) / ways;
}

/* Two tails seldom meet; but where each is as heavy as Pareto's one way alone reaches the end. */
double jitter_reach(enum fault_distribution distribution, int ways)
{
    if (shapes[distribution].pareto > 0.0)
        return far_end * ways;
    return far_end * jitter_deviation(distribution) * sqrt(ways);
}
