/* SPDX-License-Identifier: Apache-2.0 */
/* What workers do to a target's processor time and memory, in satellites of their own: they join
 * its control groups first. */
#ifndef CHAOS_STRAIN_H
#define CHAOS_STRAIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/error.h"

enum { FAULT_STRAIN_GROUPS = 8 };

struct fault_strain {
    int groups[FAULT_STRAIN_GROUPS]; /* cgroup.procs of each, open for writing */
    size_t group_count;
    double load;     /* cpu: share of one processor, 0..1 */
    uint64_t bytes;  /* memory */
    uint64_t rate;   /* memory: bytes a second */
    uint64_t margin; /* memory: bytes that stay available on the host whatever is asked for */
};

/* Where the workers go: the group that the topology names, and on a host with v1 controllers those
 * of the process. After a failure, too, some may be open: fault_strain_close. */
bool fault_strain_open(struct fault_strain *strain, const char *group, pid_t process,
                       struct base_error *err);
void fault_strain_close(struct fault_strain *strain);

/* `run` of a satellite, async-signal-safe; ctx is a struct fault_strain. A worker that cannot join
 * ends at once. */
void fault_strain_cpu(void *ctx, int line, struct mono_ns deadline);
void fault_strain_memory(void *ctx, int line, struct mono_ns deadline);
/* A number of /proc/meminfo in bytes, "MemAvailable" say; 0: cannot be read. */
uint64_t fault_meminfo(const char *key);

#endif
