/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of options of squall load (adhoc_options.c): parsing and help come from it. */
#ifndef LOAD_ADHOC_OPTIONS_H
#define LOAD_ADHOC_OPTIONS_H

#include "loadgen/adhoc.h"

struct load_option {
    char letter; /* 0: none */
    const char *name;
    const char *takes; /* NULL: a flag */
    const char *help;
    /* value: as written, NULL for a flag. False: the help is told as what was expected. */
    bool (*set)(struct load_adhoc *adhoc, const char *value);
};
enum { LOAD_OPTIONS_MAX = 64 }; /* load_adhoc.given has a bit for each */
extern const struct load_option load_options[];
extern const size_t load_option_count;

/* Reads the command line into adhoc, which has its defaults; argv[0] is skipped. */
bool load_adhoc_take(struct load_adhoc *adhoc, int argc, const char *const *argv,
                     struct base_error *err);

#endif
