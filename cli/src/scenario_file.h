/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SCENARIO_FILE_H
#define CLI_SCENARIO_FILE_H

#include "base/buf.h"
#include "scenarios/parse.h"

/* Reads and parses a scenario; prints every problem on standard error when there is one. bytes,
 * when not NULL, is initialised and holds the file as it was read; finish it. */
bool scenario_file_load(const char *path, struct scn_scenario *out, struct base_buf *bytes);
/* Prints problems, a line each. */
void scenario_file_complain(const struct scn_problems *problems);

#endif
