/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of squall: one file cmd_<name>.c each; main.c holds the table. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

#include "base/error.h"
#include "model/verdict.h"

/* argv[0] is the subcommand's name. All return an enum exit_code. */
int cmd_check(int argc, char **argv);
int cmd_continue(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_down(int argc, char **argv);
int cmd_fault(int argc, char **argv);
int cmd_halt(int argc, char **argv);
int cmd_load(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_up(int argc, char **argv);

/* Prints "squall: <message>" on standard error and gives the code back. */
int cli_fail(enum exit_code code, const struct base_error *err);
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2))); /* EXIT_CODE_USAGE */

/* The only argument is --help or -h. */
bool cli_wants_help(int argc, char **argv);

/* The path of a program that lies beside squall; free() it. NULL with err. */
char *cli_sibling(const char *name, struct base_error *err);

#endif
