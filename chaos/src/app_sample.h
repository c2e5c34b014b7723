/* SPDX-License-Identifier: Apache-2.0 */
/* How many requests show an app fault, and how many of them at once. Pure. */
#ifndef CHAOS_APP_SAMPLE_H
#define CHAOS_APP_SAMPLE_H

#include "model/fault.h"
#include "statistics.h"

struct app_sample {
    size_t size;   /* while it is in place */
    size_t absent; /* before and after: as many as show the rate at all */
    size_t parallel;
    unsigned told_apart; /* a rate this many times smaller or larger is seen to be wrong; 0: none */
};

/* A correct fault is called wrong, and a missing one right, in at most this share of the series. */
#define APP_SAMPLE_MISS 1e-4

/* As many requests as keep out half and twice the error rate; when a latency leaves no time for
 * that within the lease, as many as there is time for. BASE_INVALID when those could show
 * nothing. */
bool app_sample_plan(const struct fault_spec *spec, struct app_sample *out, struct base_error *err);
/* The counts that were expected, and which wrong rates are not among them. */
void app_sample_describe(const struct app_sample *sample, double rate,
                         struct fault_interval expected, char *out, size_t size);

#endif
