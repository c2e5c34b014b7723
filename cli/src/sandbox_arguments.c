/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_arguments.h"

#include "cli.h"
#include "options.h"

int sandbox_arguments_read(int argc, char **argv, const char *help, const char *flag,
                           struct sandbox_arguments *out)
{
    struct sandbox_arguments read = {.flag = false};
    const struct cli_option table[] = {
        {"name", .text = &read.options.name},
        {"state", .text = &read.options.state},
        {flag, .flag = &read.flag},
    };
    int code = cli_options_only(argc, argv, help, table, sizeof table / sizeof table[0]);
    if (code >= 0)
        return code;
    *out = read;
    return -1;
}

int sandbox_failed(const struct base_error *err)
{
    return cli_fail(err->code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR, err);
}
