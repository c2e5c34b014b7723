/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a subcommand as a table: what each is called and where its value goes. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

enum { CLI_OPTIONS_MAX = 32 };

/* The first of these that is set is what the option takes. */
struct cli_option {
    const char *name;        /* without its dashes */
    bool *flag;              /* takes nothing */
    const char **text;       /* points into argv */
    uint64_t *seed;          /* a whole number below 2^63 */
    struct dur_ns *duration; /* a duration above 0 */
    bool *given;             /* may be NULL, beside any of them */
};

/* argv[0] is the subcommand's name; --help and -h print the help. An exit code when that was all
 * (help, a mistake, which has been told), or -1 to go on with argv[optind], the first word. */
int cli_options_take(int argc, char **argv, const char *help, const struct cli_option *options,
                     size_t count);
/* As above, for a subcommand that takes no words. */
int cli_options_only(int argc, char **argv, const char *help, const struct cli_option *options,
                     size_t count);

#endif
