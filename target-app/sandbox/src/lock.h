/* SPDX-License-Identifier: Apache-2.0 */
/* Who owns a sandbox: a lock that vanishes with its holder, and a file that says who it is. */
#ifndef SANDBOX_LOCK_H
#define SANDBOX_LOCK_H

#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/error.h"
#include "place.h"

enum sandbox_phase { SANDBOX_PHASE_STARTING, SANDBOX_PHASE_RUNNING, SANDBOX_PHASE_STOPPING };

struct sandbox_supervisor {
    pid_t pid;
    uint64_t start_ticks;
    enum sandbox_phase phase;
};

const char *sandbox_phase_name(enum sandbox_phase phase);

/* The lock of the sandbox, waiting at most that long; a descriptor to close. -1 with
 * BASE_UNAVAILABLE while another process holds it. place->dir exists. */
int sandbox_lock(const struct sandbox_place *place, struct dur_ns wait, struct base_error *err);
/* Whether some process holds it; asks without taking it. */
bool sandbox_locked(const struct sandbox_place *place);
/* The lock under which addresses are chosen: in netns mode one for the machine, whose routes all
 * see; in loopback mode one for the state root. */
int sandbox_lock_addresses(const struct sandbox_place *place, bool loopback,
                           struct base_error *err);

bool sandbox_supervisor_write(const struct sandbox_place *place, enum sandbox_phase phase,
                              struct base_error *err);
/* false when nothing (readable) is recorded. */
bool sandbox_supervisor_read(const struct sandbox_place *place, struct sandbox_supervisor *out);

#endif
