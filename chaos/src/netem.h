/* SPDX-License-Identifier: Apache-2.0 */
/* An impairment as the options of the kernel's qdisc netem: the bytes behind TCA_OPTIONS. Pure. */
#ifndef CHAOS_NETEM_H
#define CHAOS_NETEM_H

#include <stddef.h>

#include "model/fault.h"

enum { NETEM_MAX_OPTIONS = 16384 };

/* What netem cannot do that the fault may ask for; err says it. */
bool netem_can(const struct fault_impairment *what, struct base_error *err);
/* Packets that it may hold: enough for the delay, and no more than the link's buffer. */
uint32_t netem_limit(const struct fault_impairment *what);
/* The length of the bytes written to out. */
size_t netem_options(const struct fault_impairment *what,
                     unsigned char out[static NETEM_MAX_OPTIONS]);

#endif
