/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <getopt.h>
#include <stdio.h>

#include "base/text.h"
#include "cli.h"

enum { FIRST = 256 }; /* beyond all letters */

static int take_seed(const char *command, const struct cli_option *option)
{
    uint64_t seed;
    if (!base_parse_u64(optarg, &seed) || seed > INT64_MAX)
        return cli_usage("%s: --%s %s is not a whole number below 2^63", command, option->name,
                         optarg);
    *option->seed = seed;
    return -1;
}

static int take_duration(const char *command, const struct cli_option *option)
{
    struct dur_ns duration;
    if (!base_parse_duration(optarg, &duration) || duration.ns <= 0)
        return cli_usage("%s: --%s %s: expected a duration like 30s", command, option->name,
                         optarg);
    *option->duration = duration;
    return -1;
}

/* An exit code, or -1 to go on. */
static int take(const char *command, const struct cli_option *option)
{
    if (option->given != NULL)
        *option->given = true;
    if (option->flag != NULL)
        *option->flag = true;
    else if (option->text != NULL)
        *option->text = optarg;
    else if (option->seed != NULL)
        return take_seed(command, option);
    else
        return take_duration(command, option);
    return -1;
}

int cli_options_take(int argc, char **argv, const char *help, const struct cli_option *options,
                     size_t count)
{
    struct option longs[CLI_OPTIONS_MAX + 2] = {{"help", no_argument, NULL, 'h'}};
    for (size_t i = 0; i < count; i++)
        longs[i + 1] = (struct option){options[i].name,
                                       options[i].flag != NULL ? no_argument : required_argument,
                                       NULL, FIRST + (int)i};
    int key;
    optind = 1;
    while ((key = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (key == 'h') {
            (void)fputs(help, stdout);
            return EXIT_CODE_PASS;
        }
        if (key < FIRST)
            return cli_usage("%s: see squall %s --help", argv[0], argv[0]);
        int code = take(argv[0], &options[key - FIRST]);
        if (code >= 0)
            return code;
    }
    return -1;
}

int cli_options_only(int argc, char **argv, const char *help, const struct cli_option *options,
                     size_t count)
{
    int code = cli_options_take(argc, argv, help, options, count);
    if (code < 0 && optind < argc)
        return cli_usage("%s: \"%s\" was not expected; squall %s --help", argv[0], argv[optind],
                         argv[0]);
    return code;
}
