/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup v2 folders: one for each sandbox, below it one for each instance. They tell which
 * processes are ours, whatever became of the supervisor. Source: cgroups(7),
 * Documentation/admin-guide/cgroup-v2.rst. */
#ifndef SANDBOX_CGROUP_H
#define SANDBOX_CGROUP_H

#include "base/error.h"
#include "place.h"

/* <cgroup2 mount>/squall/<tag>, in a hybrid hierarchy too; free() it. NULL with err when there is
 * no cgroup v2 that we may write. */
char *sandbox_cgroup_base(const struct sandbox_place *place, struct base_error *err);
bool sandbox_cgroup_make(const char *path, struct base_error *err);
int sandbox_cgroup_procs(const char *path, struct base_error *err); /* cgroup.procs; -1 with err */
/* Whether a process lives in it or below; a missing folder has none. */
bool sandbox_cgroup_populated(const char *path);
/* A chaos agent has paused it: a child that joins it stops before exec, and this process, which
 * waits for that (vfork(2)), with it. */
bool sandbox_cgroup_frozen(const char *path);
/* Signals each process in the folder whose parent is not in it: the ones we started. */
void sandbox_cgroup_signal(const char *path, int number);
void sandbox_cgroup_kill(const char *path); /* all in it and below, at once */
/* Removes the folder and those below it; a missing one is fine. */
bool sandbox_cgroup_remove(const char *path, struct base_error *err);

#endif
