/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOAD_LEAD_H
#define CLI_LOAD_LEAD_H

#include "loadgen/adhoc.h"

/* squall load --workers: an enum exit_code. */
int load_lead_command(struct load_adhoc *adhoc);

#endif
