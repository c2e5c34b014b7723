/* SPDX-License-Identifier: Apache-2.0 */
/* squall run: scenario files, one after the other. */
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#include "cli.h"
#include "options.h"
#include "run_one.h"
#include "scenario_file.h"

static const char help[] =
    "usage: squall run FILE... [OPTIONS]\n"
    "Runs scenario files, one after the other: steady state, load, faults, verdict, report. "
    "Nothing\n"
    "begins when one of them is invalid; nothing follows a run that was interrupted or halted, or\n"
    "that may have left a fault in place.\n\n"
    "  --out DIR                where run directories go (default: squall-runs)\n"
    "  --target NAME            the sandbox to use, instead of the scenario's target\n"
    "  --topology FILE          a platform that squall did not start, as its topology.json says\n"
    "  --state DIR              where sandboxes keep their state (default: $SQUALL_STATE)\n"
    "  --seed N                 instead of the scenario's seed\n"
    "  --without-kernel-faults  leave out faults that need root; named in every report\n"
    "  --dry-run                say what would be done to whom, and do nothing\n"
    "  --quiet                  only the verdict\n";

/* Which exit code speaks for several runs: cleanup first, then what was asked for, then trouble. */
static int worse(int a, int b)
{
    static const int order[] = {EXIT_CODE_UNCLEAN, EXIT_CODE_ABORTED, EXIT_CODE_ERROR,
                                EXIT_CODE_USAGE,   EXIT_CODE_FAIL,    EXIT_CODE_INSUFFICIENT};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (a == order[i] || b == order[i])
            return order[i];
    }
    return EXIT_CODE_PASS;
}

/* Every mistake of every file is known before anything is touched. */
static bool all_valid(char **files, int count)
{
    bool valid = true;
    for (int i = 0; i < count; i++) {
        struct scn_scenario scenario = {0};
        if (scenario_file_load(files[i], &scenario, NULL))
            scn_scenario_fini(&scenario);
        else
            valid = false;
    }
    return valid;
}

static int run_files(char **files, int count, const struct run_options *options)
{
    int code = EXIT_CODE_PASS;
    bool stop = false;
    if (count > 1 && !all_valid(files, count)) /* one file tells by itself */
        return EXIT_CODE_USAGE;
    for (int i = 0; i < count; i++) {
        if (stop)
            (void)fprintf(stderr, "squall: %s was not run\n", files[i]);
        else
            code = worse(code, run_one(files[i], options, &stop));
    }
    return code;
}

int cmd_run(int argc, char **argv)
{
    struct run_options options = {.out = "squall-runs"};
    const struct cli_option table[] = {
        {"out", .text = &options.out},
        {"target", .text = &options.target},
        {"topology", .text = &options.topology},
        {"state", .text = &options.state},
        {"seed", .seed = &options.seed, .given = &options.seed_given},
        {"without-kernel-faults", .flag = &options.without_kernel_faults},
        {"dry-run", .flag = &options.dry_run},
        {"quiet", .flag = &options.quiet},
    };
    int code = cli_options_take(argc, argv, help, table, sizeof table / sizeof table[0]);
    if (code >= 0)
        return code;
    if (*options.out == '\0')
        return cli_usage("run: --out needs the name of a folder");
    if (optind >= argc)
        return cli_usage("run: which scenario? usage: squall run FILE...");
    if (options.topology != NULL && options.target != NULL)
        return cli_usage("run: --topology and --target each name a platform; give one");
    /* Whoever reads our lines may go away; what is under way is not to go with them. */
    (void)signal(SIGPIPE, SIG_IGN);
    return run_files(argv + optind, argc - optind, &options);
}
