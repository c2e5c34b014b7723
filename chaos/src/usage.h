/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes of a control group use, those of ours told from the others by their name. */
#ifndef CHAOS_USAGE_H
#define CHAOS_USAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FAULT_WORKER "squall-stress"

struct fault_usage {
    size_t workers;
    size_t others;
    int64_t time_ns;    /* of the processors, that the workers have had */
    int64_t delay_ns;   /* that they have waited for one */
    uint64_t bytes;     /* memory of the workers' own */
    uint64_t all_bytes; /* and of all */
    uint64_t io_read;   /* bytes that the workers have had from disks */
    uint64_t io_written;
    size_t io_busy; /* workers that have had any */
};

struct fault_usage fault_usage_of(const char *group);
void fault_usage_strike(const char *group); /* SIGKILL to every worker in it */
uint64_t fault_usage_bytes(pid_t pid);      /* anonymous memory of one process */
/* Adds what all threads of a process have had of processors, and have waited for one. */
void fault_usage_threads(pid_t pid, int64_t *time_ns, int64_t *delay_ns);
/* What disks have read and written for it (proc_pid_io(5)). */
void fault_usage_io(pid_t pid, uint64_t *read, uint64_t *written);
/* How many processes of the group the kernel has killed for want of memory: memory.events of v2,
 * memory.oom_control of the v1 group that `process` is in. */
uint64_t fault_usage_oom_kills(const char *group, pid_t process);
/* What the group may have; the whole host's memory when nothing limits it. */
uint64_t fault_usage_limit(const char *group, pid_t process);

#endif
