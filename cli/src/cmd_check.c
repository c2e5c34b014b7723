/* SPDX-License-Identifier: Apache-2.0 */
/* squall check: every mistake of scenario files, with its place. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "scenario_file.h"

static void show_oddities(const struct scn_scenario *scenario)
{
    struct scn_problems odd = {0};
    scn_warnings(scenario, &odd);
    for (size_t i = 0; i < odd.count; i++)
        (void)fprintf(stderr, "%s:%u:%u: warning: %s\n", odd.items[i].file, odd.items[i].mark.line,
                      odd.items[i].mark.column, odd.items[i].message);
    scn_problems_fini(&odd);
}

int cmd_check(int argc, char **argv)
{
    if (cli_wants_help(argc, argv)) {
        (void)puts(
            "usage: squall check FILE...\n"
            "Reports every mistake of scenario files as file:line:column: what, and what was\n"
            "expected; what is only odd, as a warning. What depends on the platform is checked by "
            "squall run before it begins.");
        return EXIT_CODE_PASS;
    }
    if (argc < 2)
        return cli_usage("check: which file? usage: squall check FILE...");
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            return cli_usage("check: \"%s\" was not expected; squall check --help (a file of that "
                             "name: ./%s)",
                             argv[i], argv[i]);
    }
    int code = EXIT_CODE_PASS;
    for (int i = 1; i < argc; i++) {
        struct scn_scenario scenario = {0};
        if (!scenario_file_load(argv[i], &scenario, NULL)) {
            code = EXIT_CODE_USAGE;
            continue;
        }
        show_oddities(&scenario);
        (void)printf("%s: ok: scenario \"%s\", faults: %zu, thresholds: %zu, SLOs: %zu\n", argv[i],
                     scenario.name, scenario.fault_count, scenario.threshold_count,
                     scenario.slo_count);
        scn_scenario_fini(&scenario);
    }
    return code;
}
