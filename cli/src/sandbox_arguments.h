/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of a command that acts on a sandbox that is there: --name, --state, and a switch of
 * the command's own. */
#ifndef CLI_SANDBOX_ARGUMENTS_H
#define CLI_SANDBOX_ARGUMENTS_H

#include "sandbox/sandbox.h"

struct sandbox_arguments {
    struct sandbox_options options; /* texts point into argv */
    bool flag;                      /* the command's own switch was given */
};

/* argv[0] is the command's name, flag its switch without dashes. An exit code when that was all
 * (help, a mistake), -1 to go on. */
int sandbox_arguments_read(int argc, char **argv, const char *help, const char *flag,
                           struct sandbox_arguments *out);

/* As cli_fail, with the code that the error calls for. */
int sandbox_failed(const struct base_error *err);

#endif
