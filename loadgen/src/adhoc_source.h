/* SPDX-License-Identifier: Apache-2.0 */
/* What the options together say about when requests are due. */
#ifndef LOAD_ADHOC_SOURCE_H
#define LOAD_ADHOC_SOURCE_H

#include "loadgen/adhoc.h"

/* All options are in: settles source, duration and connections. BASE_INVALID when they contradict
 * each other; reads the recording, if there is one. */
bool load_adhoc_settle(struct load_adhoc *adhoc, struct base_error *err);

#endif
