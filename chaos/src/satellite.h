/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process of the agent's own code beside it, which outlives the agent by what its deadline says
 * and no longer: what has to happen although the agent is dead or stopped happens there.
 *
 * It is forked twice, so that it is nobody's child, and has a session of its own: no signal to the
 * agent's children, group or terminal reaches it. Agent and satellite hold the two ends of a line
 * (a socket); each sees the other's death as its end. Over it the agent says the deadline, on the
 * monotonic clock, and the satellite repeats what it has understood: only then does it count.
 *
 * In the satellite only async-signal-safe functions may be called: it is a fork of a process with
 * threads (fork(2)).
 */
#ifndef CHAOS_SATELLITE_H
#define CHAOS_SATELLITE_H

#include <sys/types.h>

#include "io/loop.h"

struct fault_satellite;

struct fault_satellite_spec {
    const char *name; /* as ps shows it, at most 15 letters */
    /* What it does; runs in the satellite, which ends when it returns. */
    void (*run)(void *ctx, int line, struct mono_ns deadline);
    void *run_ctx;
    const int *keep; /* descriptors that it needs; all others are closed there */
    size_t keep_count;
    /* On the loop, never from inside a call: it holds the deadline that it was told last; it is no
     * more (the satellite may be freed inside). */
    void (*on_held)(void *ctx);
    void (*on_end)(void *ctx);
    void *ctx;
};

/* Forks, and waits for nothing. on_held follows; or on_end, when it could not be started after all.
 */
struct fault_satellite *fault_satellite_start(struct io_loop *loop,
                                              const struct fault_satellite_spec *spec,
                                              struct mono_ns deadline, struct base_error *err);
/* on_held follows once it has understood. */
bool fault_satellite_renew(struct fault_satellite *satellite, struct mono_ns deadline,
                           struct base_error *err);
/* SIGKILL, so that also a stopped one does nothing more; on_end follows. */
void fault_satellite_kill(struct fault_satellite *satellite);
pid_t fault_satellite_pid(const struct fault_satellite *satellite); /* once it has held; else 0 */
/* Why it never was one; code BASE_OK: it was. */
const struct base_error *fault_satellite_why(const struct fault_satellite *satellite);
/* Lets go of the line, as if the agent had died; accepts NULL. */
void fault_satellite_free(struct fault_satellite *satellite);

/* --- for run, in the satellite --- */
/* Takes what has come over the line without waiting and repeats it; false when the agent's end is
 * closed or the deadline has passed. */
bool fault_satellite_holds(int line, struct mono_ns *deadline);
/* Waits for something to come over the line, for at most `most`. */
void fault_satellite_wait(int line, struct dur_ns most);

#endif
