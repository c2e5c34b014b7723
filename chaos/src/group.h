/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups of targets (cgroups(7)): who is in them, what their files say. */
#ifndef CHAOS_GROUP_H
#define CHAOS_GROUP_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* Processes in the group and those below it. */
size_t fault_group_count(const char *group);
/* The file of the group without its last newline; BASE_NOT_FOUND also when the group was removed
 * while its file was open. */
bool fault_group_read(const char *group, const char *file, struct base_buf *out,
                      struct base_error *err);
bool fault_group_has(const char *group, const char *file);
/* Opens it for writing; -1 with err. */
int fault_group_open(const char *group, const char *file, struct base_error *err);
/* Each process in the group and those below it. */
void fault_group_each(const char *group, void (*on_process)(void *ctx, pid_t pid), void *ctx);

/* The process in the group, or below it, that knows itself by that number, which is another one in
 * a PID namespace of its own (NSpid, proc_pid_status(5)); 0: none. */
pid_t fault_group_inner(const char *group, pid_t inner);

/* Where the whole v1 hierarchy of a controller is mounted, or with NULL that of cgroup v2; free()
 * it. NULL: nowhere. */
char *fault_group_mount(const char *controller);
/* Whether a list, parted by commas or blanks, holds the word. */
bool fault_group_lists(const char *list, const char *word);
/* The v1 group of `controller` that the process is in, as a folder; free() it. NULL when it has
 * none of its own: that hierarchy is not mounted, or it is where this process is too. */
char *fault_group_v1(pid_t process, const char *controller);

/* The target's group must hold its process and must not hold this one: a fault there would hit the
 * agent itself, and so could one where that cannot be read. process 0: any. */
bool fault_group_check(const char *group, const char *name, pid_t process, struct base_error *err);

#endif
