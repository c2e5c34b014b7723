/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fault that follows its target's instances (`track`): it is made of parts, each an ordinary
 * fault on one instance, with its own journal entry, measurements and absence (ADR 0019). Parts
 * come when instances do, and go when these are replaced; all of them live by the lease of the
 * whole, and the whole is gone when all of them are.
 */
#ifndef CHAOS_FAULT_ROSTER_H
#define CHAOS_FAULT_ROSTER_H

#include "engine.h"

enum { FAULT_ROSTER_LOOK_MS = 500 }; /* how often it is looked who has come */

/* Something has become of a part: the whole looks at it in a turn of its own. Harmless for a fault
 * that has no parts. */
void fault_roster_wake(struct fault *whole);

#endif
