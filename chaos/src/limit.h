/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lowered limits of one target, and how they were: the soft limit on open files of its processes
 * (setrlimit(2)), and pids.max of its control group. Putting them back is async-signal-safe, for a
 * watchdog does it too.
 */
#ifndef CHAOS_LIMIT_H
#define CHAOS_LIMIT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "resolve.h"

enum { FAULT_LIMIT_PROCESSES = 128, FAULT_LIMIT_TEXT = 32 };

struct fault_limit_process {
    struct fault_process process;
    uint64_t soft; /* as it was; UINT64_MAX: none */
};

struct fault_limit {
    int64_t files; /* the soft limit that is set; -1: left alone, or not known yet */
    int64_t pids;  /* pids.max; likewise */
    struct fault_limit_process processes[FAULT_LIMIT_PROCESSES]; /* the target's own first */
    size_t count;
    int members; /* cgroup.procs for reading: those that were forked since; -1: no group */
    int pids_fd; /* pids.max; -1: none */
    char pids_old[FAULT_LIMIT_TEXT];
};

/* What a share of a limit comes to: rounded down, 1 at least. now: as the kernel writes it. false:
 * there is none ("max") of which a share could be taken. */
bool fault_limit_part(const char *now, double share, int64_t *out, struct base_error *err);
/* Notes how it is now. group: the target's; NULL: its process alone counts. */
bool fault_limit_note(struct fault_limit *limit, const struct fault_process *main,
                      const char *group, struct base_error *err);
/* The folder whose pids.max limits the process: its cgroup v2 group, or its own v1 pids group;
 * free() it. NULL: none. */
char *fault_limit_pids_group(const char *group, pid_t process);
bool fault_limit_open(struct fault_limit *limit, const char *group, const char *pids_group,
                      struct base_error *err);
void fault_limit_close(struct fault_limit *limit);

bool fault_limit_lower(const struct fault_limit *limit, struct base_error *err);
/* Whatever is as it was set, also in processes forked since, becomes as it was. Harmless when
 * repeated. false: something could not be put back. */
bool fault_limit_restore(const struct fault_limit *limit);
/* Processes of the group (NULL: the one alone) whose soft limit is the one that was set. */
size_t fault_limit_lowered(const struct fault_limit *limit, const char *group);
bool fault_limit_soft(pid_t pid, uint64_t *out);
/* Of all the processes together. */
size_t fault_limit_threads(const struct fault_limit *limit);

#endif
