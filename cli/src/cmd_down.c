/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli.h"
#include "sandbox_arguments.h"

static const char help[] =
    "usage: squall down [OPTIONS]\n"
    "Stops a sandbox and removes its processes, namespaces, links and control groups; works after\n"
    "a crash too. The database and the logs stay for a fast next start.\n"
    "  --name NAME   which sandbox (default: " SANDBOX_DEFAULT_NAME ")\n"
    "  --state DIR   where state lies (see squall up --help)\n"
    "  --purge       remove the database, the logs and all other state as well\n";

static void print_line(void *ctx, const char *text)
{
    (void)ctx;
    (void)printf("%s\n", text);
}

int cmd_down(int argc, char **argv)
{
    struct sandbox_arguments arguments;
    struct base_error err = {.message = ""};
    const struct sandbox_sink sink = {.line = print_line};
    int code = sandbox_arguments_read(argc, argv, help, "purge", &arguments);
    if (code >= 0)
        return code;
    if (!sandbox_down(&arguments.options, arguments.flag, &sink, &err))
        return sandbox_failed(&err);
    return EXIT_CODE_PASS;
}
