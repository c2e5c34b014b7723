/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes of this host that a topology describes instead of naming them (model/topology.h,
 * "find"): by systemd unit, command line, listening port, cgroup, or pod and container. Found anew
 * each time in /proc; whatever they were found by, what is known of them is the same.
 */
#ifndef CHAOS_FIND_H
#define CHAOS_FIND_H

#include "resolve.h"

struct fault_found {
    struct fault_process *processes; /* the oldest first: the one that started the others */
    size_t count;
    char *netns;  /* "/proc/PID/ns/net" of the oldest; NULL: it shares the agent's own */
    char *cgroup; /* its folder, of cgroup v2, else of the freezer of v1; NULL: the root, or, when
                   * found by command or port, one that holds others too: neither they nor
                   * their children */
    char **addresses; /* of its network namespace, loopback and link-local left out */
    size_t address_count;
};

/* BASE_NOT_FOUND: nothing matches. BASE_DENIED: the agent itself, one of its parents or init would
 * be hit. Reads all of /proc: some milliseconds on a host with hundreds of processes. */
bool fault_find(const char *by, const char *value, struct fault_found *out, struct base_error *err);
void fault_found_fini(struct fault_found *found); /* accepts a zeroed value */

#endif
