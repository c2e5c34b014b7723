/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>

#include "cli.h"
#include "sandbox/sandbox.h"

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
    static const struct option longs[] = {
        {"name", required_argument, NULL, 'n'},
        {"state", required_argument, NULL, 's'},
        {"purge", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct sandbox_options options = {0};
    struct base_error err = {.message = ""};
    const struct sandbox_sink sink = {.line = print_line};
    bool purge = false;
    int key;
    while ((key = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (key == 'n')
            options.name = optarg;
        else if (key == 's')
            options.state = optarg;
        else if (key == 'p')
            purge = true;
        else if (key == 'h') {
            (void)fputs(help, stdout);
            return EXIT_CODE_PASS;
        } else
            return cli_usage("down: see squall down --help");
    }
    if (optind < argc)
        return cli_usage("unexpected \"%s\"; squall down --help", argv[optind]);
    if (!sandbox_down(&options, purge, &sink, &err))
        return cli_fail(err.code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR, &err);
    return EXIT_CODE_PASS;
}
