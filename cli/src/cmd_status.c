/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "cli.h"
#include "sandbox_arguments.h"

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
        return sandbox_failed(&err);
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
    struct sandbox_arguments arguments;
    int code = sandbox_arguments_read(argc, argv, help, "json", &arguments);
    return code >= 0 ? code : show(&arguments.options, arguments.flag);
}
