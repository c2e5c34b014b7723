/* SPDX-License-Identifier: Apache-2.0 */
/* squall schema: the format of scenario files, for editors and for people. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "scenarios/schema.h"

int cmd_schema(int argc, char **argv)
{
    bool keys = argc == 2 && strcmp(argv[1], "--keys") == 0;
    if (cli_wants_help(argc, argv)) {
        (void)puts(
            "usage: squall schema [--keys]\n"
            "Prints the JSON Schema of scenario files; with --keys, every key with its type,\n"
            "default, range and meaning.");
        return EXIT_CODE_PASS;
    }
    if (argc > 1 && !keys)
        return cli_usage("schema: unknown argument \"%s\"; squall schema --help", argv[1]);
    BASE_AUTO_FREE char *text = keys ? scn_schema_help() : scn_schema_text();
    (void)fputs(text, stdout);
    return EXIT_CODE_PASS;
}
