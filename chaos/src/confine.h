/* SPDX-License-Identifier: Apache-2.0 */
/* What this process may still do (capabilities(7)). */
#ifndef CHAOS_CONFINE_H
#define CHAOS_CONFINE_H

#include <stdint.h>

#include "base/error.h"

/* Gives up every capability outside of `keep` (bits), for good and for all that it executes: sets
 * PR_SET_NO_NEW_PRIVS, empties the ambient and inheritable sets, and the bounding set where it may.
 * Acts on the calling thread and those it starts from then on. */
bool fault_confine(uint64_t keep, struct base_error *err);
/* Whether the calling thread has a capability (CAP_...). */
bool fault_has_capability(int capability);

#endif
