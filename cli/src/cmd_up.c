/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>

#include "cli.h"
#include "options.h"
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

static void print_line(void *ctx, const char *text)
{
    (void)ctx;
    (void)printf("%s\n", text);
    (void)fflush(stdout);
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
    bool foreground = false;
    struct sandbox_options options = {.name = NULL};
    struct base_error err = {.message = ""};
    const struct sandbox_sink sink = {.line = print_line};
    const struct cli_option table[] = {
        {"name", .text = &options.name},
        {"state", .text = &options.state},
        {"mode", .text = &options.mode},
        {"subnet", .text = &options.subnet},
        {"ready-timeout", .duration = &options.ready_timeout},
        {"new", .flag = &options.only_new},
        {"foreground", .flag = &foreground},
        {"detached", .flag = &options.detached},
    };
    int usage = cli_options_only(argc, argv, help, table, sizeof table / sizeof table[0]);
    if (usage >= 0)
        return usage;
    /* Whoever reads our lines may go away; the platform is not to go with them. */
    (void)signal(SIGPIPE, SIG_IGN);
    enum sandbox_result result =
        foreground ? sandbox_supervise(&options, &sink, &err) : sandbox_up(&options, &sink, &err);
    enum exit_code code = code_of(result, &err);
    if ((result == SANDBOX_FAILED || result == SANDBOX_BUSY) && !options.detached)
        return cli_fail(code, &err);
    return (int)code;
}
