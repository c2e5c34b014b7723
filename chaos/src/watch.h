/* SPDX-License-Identifier: Apache-2.0 */
/* Faults that do not follow their target's instances: those that come meanwhile, or come back out
 * of the fault's reach, are listed in its record as missed. */
#ifndef CHAOS_WATCH_H
#define CHAOS_WATCH_H

#include "lookout.h"

struct agent_watch;

/* find: as of fault_env. Looks while a fault is in force, and not at all otherwise. */
struct agent_watch *agent_watch_new(struct fault_env *env);
void agent_watch_free(struct agent_watch *watch); /* accepts NULL */
/* From now on, until it is over. */
void agent_watch_add(struct agent_watch *watch, const struct fault *fault);

#endif
