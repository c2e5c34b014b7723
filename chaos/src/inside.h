/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a target still lives in the control group that a fault holds: one that was started again,
 * or moved, may be elsewhere, where nothing is done to it. */
#ifndef CHAOS_INSIDE_H
#define CHAOS_INSIDE_H

#include "resolve.h"

/* false: it is ready, and its process is not there. One that is dead or just being started, and one
 * whose process nobody can tell, is taken to be. */
bool fault_target_inside(const struct fault_target *target, const char *group,
                         struct base_error *err);

#endif
