/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an operator lets a suspended run go on from elsewhere: over a socket in its run directory,
 * which is there while the run is suspended and lets in whoever runs squall, and root. One message
 * each way: SCN_CONTINUE, and the name of the fault that comes next (empty: somebody else was
 * faster).
 */
#ifndef SCENARIOS_OPERATOR_H
#define SCENARIOS_OPERATOR_H

#include <stdbool.h>

#include "base/error.h"

#define SCN_CONTINUE        "continue"
#define SCN_CONTINUE_SOCKET "continue.sock"

/* Blocks for two seconds at most. *fault is the name of the fault that comes next; free() it.
 * BASE_NOT_FOUND: no run waits for an operator there. */
bool scn_continue(const char *run_dir, char **fault, struct base_error *err);

#endif
