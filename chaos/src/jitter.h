/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of jitter, for both backends and for who measures it. Pure. */
#ifndef CHAOS_JITTER_H
#define CHAOS_JITTER_H

#include "model/fault.h"

/* The value in units of the fault's jitter that has the same place in this distribution as `normal`
 * has in the standard normal one: the same share of all values is below. */
double jitter_at(enum fault_distribution distribution, double normal);

/* Of one way in these units. The mean is 0. */
double jitter_deviation(enum fault_distribution distribution);
/* Of the sum of one or two ways that know nothing of each other. */
double jitter_median(enum fault_distribution distribution, int ways);
double jitter_kurtosis(enum fault_distribution distribution, int ways);
/* What is farther from the middle hardly occurs, or never. */
double jitter_reach(enum fault_distribution distribution, int ways);

#endif
