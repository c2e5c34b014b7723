/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOAD_JOIN_H
#define CLI_LOAD_JOIN_H

#include "loadgen/adhoc.h"

/* squall load --join: an enum exit_code. */
int load_join_command(const struct load_adhoc *adhoc);

#endif
