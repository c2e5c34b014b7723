/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_arguments.h"

#include <getopt.h>
#include <stdio.h>

#include "cli.h"

int sandbox_arguments_read(int argc, char **argv, const char *help, const char *flag,
                           struct sandbox_arguments *out)
{
    const struct option longs[] = {
        {"name", required_argument, NULL, 'n'},
        {"state", required_argument, NULL, 's'},
        {flag, no_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct sandbox_arguments read = {.flag = false};
    int key;
    while ((key = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (key) {
        case 'n':
            read.options.name = optarg;
            break;
        case 's':
            read.options.state = optarg;
            break;
        case 'f':
            read.flag = true;
            break;
        case 'h':
            (void)fputs(help, stdout);
            return EXIT_CODE_PASS;
        default:
            return cli_usage("%s: see squall %s --help", argv[0], argv[0]);
        }
    }
    if (optind < argc)
        return cli_usage("unexpected \"%s\"; squall %s --help", argv[optind], argv[0]);
    *out = read;
    return -1;
}

int sandbox_failed(const struct base_error *err)
{
    return cli_fail(err->code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR, err);
}
