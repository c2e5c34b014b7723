/* SPDX-License-Identifier: Apache-2.0 */
/* The state of one instance and its statusFile (format: topology.json's description), and
 * processes told apart from later ones with the same pid. */
#ifndef SANDBOX_STATUS_FILE_H
#define SANDBOX_STATUS_FILE_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum sandbox_state {
    SANDBOX_STOPPED,
    SANDBOX_STARTING,
    SANDBOX_READY,
    SANDBOX_UNREADY,
    SANDBOX_BACKOFF,
    SANDBOX_GAVE_UP, /* "failed" */
    SANDBOX_STATES
};

const char *sandbox_state_name(enum sandbox_state state);
bool sandbox_state_move_allowed(enum sandbox_state from, enum sandbox_state to);

struct sandbox_status_file {
    const char *name;
    enum sandbox_state state;
    pid_t pid; /* 0: no process */
    uint64_t start_ticks;
    uint64_t restarts;
    const char *last_exit; /* NULL: never ended */
};

bool sandbox_status_write(const char *path, const struct sandbox_status_file *status,
                          struct base_error *err);

/* Signals the process only if it is the one with these start ticks; false when it is not there. */
bool sandbox_process_signal(pid_t pid, uint64_t start_ticks, int number);
/* "pid" and "startTicks" of a status value; false when it names no process. */
bool sandbox_process_of(const json_t *status, pid_t *pid, uint64_t *start_ticks);

#endif
