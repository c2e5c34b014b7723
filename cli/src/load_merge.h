/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOAD_MERGE_H
#define CLI_LOAD_MERGE_H

#include "loadgen/adhoc.h"

int load_merge_command(const struct load_adhoc *adhoc); /* an enum exit_code */

#endif
