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
    char *cgroup; /* the smallest folder that holds all of them, of cgroup v2, else of the freezer
                   * of v1; NULL: the root, or one that holds others, too */
    char *strangers;  /* why it is NULL: "/x/y holds process 12 (bash), too", which is neither one
                       * of them nor a child of theirs */
    char *elsewhere;  /* "process 12": of them, in another network namespace; NULL: none */
    char **addresses; /* of its network namespace, loopback and link-local left out */
    size_t address_count;
};

/* A process that was found by something else before is found again by "process" and "PID:START",
 * its start as field 22 of /proc/PID/stat; that is the agent's own way, and in no topology. */

/* BASE_NOT_FOUND: nothing matches. BASE_DENIED: the agent itself, one of its parents or init would
 * be hit. Reads all of /proc: some milliseconds on a host with hundreds of processes. */
bool fault_find(const char *by, const char *value, struct fault_found *out, struct base_error *err);
/* "process 12 (bash)": the first in the group that is neither found so nor a child of one that is;
 * free() it. NULL: there is none. */
char *fault_find_stranger(const struct fault_found *found, const char *group);
/* The same of their network namespace, which a fault of a whole namespace would hit. NULL also when
 * it is the agent's own. Looks at every process of the host. */
char *fault_find_neighbour(const struct fault_found *found);
/* "process 12 (bash)"; free() it. */
char *fault_find_name(pid_t pid);
/* The folder of the process' control group, of cgroup v2, else of the freezer of v1; free() it.
 * NULL: the root. */
char *fault_find_group(pid_t pid);
void fault_found_fini(struct fault_found *found); /* accepts a zeroed value */

#endif
