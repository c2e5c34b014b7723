/* SPDX-License-Identifier: Apache-2.0 */
/* What main of every service does: flags, help, complaints, exit status. */
#ifndef KIT_PROGRAM_H
#define KIT_PROGRAM_H

#include <stdio.h>

#include "kit/flags.h"

enum { KIT_EXIT_OK = 0, KIT_EXIT_RUNTIME = 1, KIT_EXIT_USAGE = 2 };

struct kit_program {
    const char *name; /* "squall-users" */
    const struct kit_flag *flags;
    size_t flag_count;
    void *ctx; /* of check and run: holds what the flags point to */
    bool (*check)(void *ctx, struct base_error *err); /* of the flags together; may be NULL */
    bool (*run)(void *ctx, struct base_error *err);   /* BASE_INVALID: the usage was wrong */
};

/* Help goes to out, one line about what went wrong to complaints; gives main's exit status. */
int kit_program_run(const struct kit_program *program, int argc, char *const *argv, FILE *out,
                    FILE *complaints);

#endif
