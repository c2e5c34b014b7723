/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli.h"
#include "sandbox/sandbox.h"

static const char help[] =
    "usage: squall status [OPTIONS]\n"
    "Shows what runs in a sandbox. Exit status 0 when every instance is ready, 5 when not.\n"
    "  --name NAME   which sandbox (default: " SANDBOX_DEFAULT_NAME ")\n"
    "  --state DIR   where state lies (see squall up --help)\n"
    "  --json        topology and statuses as JSON\n";

enum { TEXT_MAX = 1 << 20 };

static int show(const struct sandbox_options *options, bool as_json)
{
    struct base_error err = {.message = ""};
    BASE_AUTO_BUF struct base_buf text;
    base_buf_init(&text, TEXT_MAX);
    json_t *status = sandbox_status(options, &err);
    if (status == NULL)
        return cli_fail(err.code == BASE_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_ERROR, &err);
    if (as_json) {
        BASE_AUTO_FREE char *dump = json_dumps(status, JSON_INDENT(2) | JSON_SORT_KEYS);
        (void)base_buf_printf(&text, "%s\n", dump == NULL ? "null" : dump);
    } else {
        sandbox_status_text(status, &text);
    }
    bool healthy = json_is_true(json_object_get(status, "healthy"));
    json_decref(status);
    (void)fputs(text.data, stdout);
    return healthy ? EXIT_CODE_PASS : EXIT_CODE_ERROR;
}

int cmd_status(int argc, char **argv)
{
    static const struct option longs[] = {
        {"name", required_argument, NULL, 'n'},
        {"state", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct sandbox_options options = {0};
    bool as_json = false;
    int key;
    while ((key = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (key == 'n')
            options.name = optarg;
        else if (key == 's')
            options.state = optarg;
        else if (key == 'j')
            as_json = true;
        else if (key == 'h') {
            (void)fputs(help, stdout);
            return EXIT_CODE_PASS;
        } else
            return cli_usage("status: see squall status --help");
    }
    if (optind < argc)
        return cli_usage("unexpected \"%s\"; squall status --help", argv[optind]);
    return show(&options, as_json);
}
