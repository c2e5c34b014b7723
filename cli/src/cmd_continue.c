/* SPDX-License-Identifier: Apache-2.0 */
/* squall continue DIR: lets a run go on that was suspended for an operator. */
#include <getopt.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli.h"
#include "options.h"
#include "scenarios/operator.h"

static const char usage[] = "usage: squall continue DIR\n\n"
                            "Lets the run that writes into the run directory DIR go on, which was "
                            "suspended before a fault\n"
                            "(`suspend` in its scenario). Exit code 2 when no run waits there.\n";

int cmd_continue(int argc, char **argv)
{
    struct base_error err = {0};
    BASE_AUTO_FREE char *fault = NULL;
    int code = cli_options_take(argc, argv, usage, NULL, 0);
    if (code >= 0)
        return code;
    if (argc - optind != 1)
        return cli_usage("continue: which run directory? usage: squall continue DIR");
    if (!scn_continue(argv[optind], &fault, &err))
        return cli_fail(err.code == BASE_NOT_FOUND ? EXIT_CODE_USAGE : EXIT_CODE_ERROR, &err);
    (void)printf("it goes on; the next fault is %s\n", fault);
    return EXIT_CODE_PASS;
}
