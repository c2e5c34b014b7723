/* SPDX-License-Identifier: Apache-2.0 */
/* squall: finds the subcommand. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"up", cmd_up, "start the sandbox platform on this machine"},
    {"down", cmd_down, "stop it and leave nothing behind"},
    {"status", cmd_status, "show what runs in it"},
    {"check", cmd_check, "check scenario files; every mistake with its line"},
    {"schema", cmd_schema, "print the JSON Schema of scenario files"},
    {"run", cmd_run, "run scenario files: load, faults, verdict, report"},
    {"continue", cmd_continue, "let a run go on that waits for an operator"},
    {"load", cmd_load, "send load to a URL, without a scenario"},
    {"report", cmd_report, "judge a run directory again, offline"},
    {"fault", cmd_fault, "apply one fault by hand, list faults, revert one"},
    {"halt", cmd_halt, "revert every fault, everywhere, now"},
    {"doctor", cmd_doctor, "say what this machine lacks and what that switches off"},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
    (void)fprintf(out,
                  "squall %s: does this platform keep its promises while things break?\n\n"
                  "usage: squall COMMAND [OPTIONS]; squall COMMAND --help\n\n",
                  SQUALL_VERSION);
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    (void)fprintf(out, "\nExit codes: 0 pass, 1 objective failed, 2 usage or invalid file, "
                       "3 insufficient evidence,\n4 aborted, 5 tool or infrastructure error, "
                       "6 cleanup not verified.\n");
}

static int unknown_command(const char *word)
{
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    const char *nearest = base_str_nearest(word, names, COMMANDS);
    if (nearest != NULL)
        return cli_usage("there is no command \"%s\"; did you mean \"%s\"?", word, nearest);
    return cli_usage("there is no command \"%s\"; squall --help lists them", word);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_CODE_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_CODE_PASS;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("squall %s\n", SQUALL_VERSION);
        return EXIT_CODE_PASS;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    return unknown_command(argv[1]);
}
