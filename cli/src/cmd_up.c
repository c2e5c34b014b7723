/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include "base/text.h"
#include "cli.h"
#include "sandbox/sandbox.h"

static const char help[] =
    "usage: squall up [OPTIONS]\n"
    "Starts PostgreSQL, Prometheus, two users, two gateways and squall-agent on this machine.\n"
    "  --name NAME          which sandbox (default: " SANDBOX_DEFAULT_NAME ")\n"
    "  --state DIR          where state lies (default: $SQUALL_STATE, as root /var/lib/squall,\n"
    "                       otherwise ${XDG_STATE_HOME:-~/.local/state}/squall)\n"
    "  --mode MODE          auto, netns (needs root) or loopback\n"
    "  --subnet A.B.C.0/24  the network to use (default: a free one)\n"
    "  --ready-timeout DUR  how long each service may take (default: 30s)\n"
    "  --new                exit code 5 when it is up already\n"
    "  --foreground         stay, and take everything down at Ctrl-C\n";

struct up_args {
    struct sandbox_options options;
    bool foreground;
    bool help;
};

static void print_line(void *ctx, const char *text)
{
    (void)ctx;
    (void)printf("%s\n", text);
    (void)fflush(stdout);
}

static bool set(struct up_args *args, int key, const char *value)
{
    switch (key) {
    case 'n':
        args->options.name = value;
        return true;
    case 's':
        args->options.state = value;
        return true;
    case 'm':
        args->options.mode = value;
        return true;
    case 'S':
        args->options.subnet = value;
        return true;
    case 't':
        return base_parse_duration(value, &args->options.ready_timeout) &&
               args->options.ready_timeout.ns > 0;
    case 'f':
        args->foreground = true;
        return true;
    case 'N':
        args->options.only_new = true;
        return true;
    case 'd':
        args->options.detached = true;
        return true;
    case 'h':
        args->help = true;
        return true;
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct up_args *args)
{
    static const struct option longs[] = {
        {"name", required_argument, NULL, 'n'},
        {"state", required_argument, NULL, 's'},
        {"mode", required_argument, NULL, 'm'},
        {"subnet", required_argument, NULL, 'S'},
        {"new", no_argument, NULL, 'N'},
        {"foreground", no_argument, NULL, 'f'},
        {"ready-timeout", required_argument, NULL, 't'},
        {"detached", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int key;
    while ((key = getopt_long(argc, argv, "h", longs, NULL)) != -1)
        if (!set(args, key, optarg)) {
            if (key == 't')
                (void)cli_usage("--ready-timeout %s: expected a duration like 30s", optarg);
            else
                (void)cli_usage("up: see squall up --help");
            return false;
        }
    if (optind < argc) {
        (void)cli_usage("unexpected \"%s\"; squall up --help", argv[optind]);
        return false;
    }
    return true;
}

static enum exit_code code_of(enum sandbox_result result, const struct base_error *err)
{
    switch (result) {
    case SANDBOX_DONE:
        return EXIT_CODE_PASS;
    case SANDBOX_ABORTED:
        return EXIT_CODE_ABORTED;
    default:
        return err->code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR;
    }
}

int cmd_up(int argc, char **argv)
{
    struct up_args args = {0};
    struct base_error err = {.message = ""};
    const struct sandbox_sink sink = {.line = print_line};
    if (!parse(argc, argv, &args))
        return EXIT_CODE_USAGE;
    if (args.help) {
        (void)fputs(help, stdout);
        return EXIT_CODE_PASS;
    }
    /* Whoever reads our lines may go away; the platform is not to go with them. */
    (void)signal(SIGPIPE, SIG_IGN);
    enum sandbox_result result = args.foreground ? sandbox_supervise(&args.options, &sink, &err)
                                                 : sandbox_up(&args.options, &sink, &err);
    enum exit_code code = code_of(result, &err);
    if ((result == SANDBOX_FAILED || result == SANDBOX_BUSY) && !args.options.detached)
        return cli_fail(code, &err);
    return (int)code;
}
