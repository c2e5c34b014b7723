/* SPDX-License-Identifier: Apache-2.0 */
/* One scenario file from its bytes to its exit code. */
#ifndef CLI_RUN_ONE_H
#define CLI_RUN_ONE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/load.h"

struct run_options {
    const char *out;      /* folder of run directories */
    const char *target;   /* sandbox to use instead of the scenario's; NULL: the scenario's */
    const char *topology; /* file to use instead of either; NULL: none */
    const char *state;    /* state root; NULL: as the environment says */
    bool seed_given;
    uint64_t seed;
    bool without_kernel_faults;
    bool quiet;
    bool dry_run; /* only say what would be done */
};

/* Returns an exit code. *stop is set when nothing may follow: the operator ended it, or a fault may
 * still be in place; otherwise it is left alone. */
int run_one(const char *file, const struct run_options *options, bool *stop);
/* Only what load the scenario would send to its target: -1, or an exit code after its mistakes were
 * told. */
int run_one_load(const char *file, struct load_spec *out, double *max_missed);

#endif
