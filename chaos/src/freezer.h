/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freezing a target's processes by the best means it has: the cgroup v2 freezer of its group, a
 * cgroup v1 freezer group, or SIGSTOP to its process, or to all that were found of it (those alone:
 * their children go on).
 */
#ifndef CHAOS_FREEZER_H
#define CHAOS_FREEZER_H

#include "resolve.h"

enum fault_freezer_means { FAULT_FREEZER_V2, FAULT_FREEZER_V1, FAULT_FREEZER_SIGNAL };

struct fault_freezer_kin { /* another process that was found of the target */
    int fd;                /* a pidfd; -1: it is no more */
    struct fault_process process;
};

enum { FAULT_FREEZER_KIN = 64 };

struct fault_freezer {
    enum fault_freezer_means means;
    int fd;            /* the group's file, or a pidfd; -1: what was to be frozen is no more */
    const char *group; /* the target's; NULL: SIGSTOP */
    struct fault_process process;
    struct fault_freezer_kin *kin; /* SIGSTOP alone */
    size_t kin_count;
};

enum fault_freezer_state {
    FAULT_FREEZER_GONE,
    FAULT_FREEZER_THAWED,
    FAULT_FREEZER_BETWEEN, /* some processes are frozen already, or still */
    FAULT_FREEZER_FROZEN
};

/* The target outlives it. Refuses a group that holds the agent itself or not the process. process
 * may be none (pid 0) when there is a group. */
bool fault_freezer_open(const struct fault_target *target, const struct fault_process *process,
                        struct fault_freezer *out, struct base_error *err);
/* As after open, for reverting: what is gone meanwhile is no error. */
bool fault_freezer_reopen(const struct fault_target *target, const struct fault_process *process,
                          struct fault_freezer *out, struct base_error *err);
/* Kin that the journal tells of, before that: what is gone meanwhile is no error. */
bool fault_freezer_add_kin(struct fault_freezer *freezer, const struct fault_process *process,
                           struct base_error *err);
void fault_freezer_close(struct fault_freezer *freezer);

/* Async-signal-safe. Harmless when it is so already; true when there is nothing left to freeze. */
bool fault_freezer_set(const struct fault_freezer *freezer, bool frozen);
/* What the kernel says about it now. text gets it in words. */
bool fault_freezer_look(const struct fault_freezer *freezer, enum fault_freezer_state *out,
                        char *text, size_t text_size, struct base_error *err);
/* What fault_freezer_look reads: "cgroup.events of its group". */
const char *fault_freezer_metric(const struct fault_freezer *freezer);
/* Whether a process that was to be frozen is there. */
bool fault_freezer_holds_any(const struct fault_freezer *freezer);

#endif
