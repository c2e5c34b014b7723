/* SPDX-License-Identifier: Apache-2.0 */
/* What workers do to a target's processor time, memory and disk, in satellites of their own: they
 * join its control groups first. */
#ifndef CHAOS_STRAIN_H
#define CHAOS_STRAIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/error.h"
#include "model/fault.h"

enum { FAULT_STRAIN_GROUPS = 8 };

struct fault_strain {
    int groups[FAULT_STRAIN_GROUPS]; /* cgroup.procs of each, open for writing */
    size_t group_count;
    double load;     /* cpu: share of one processor, 0..1 */
    uint64_t bytes;  /* memory */
    uint64_t rate;   /* memory: bytes a second */
    uint64_t margin; /* memory: bytes that stay available on the host whatever is asked for */
    struct {
        const char *folder; /* where each makes a file of its own; it outlives the workers */
        int fd;             /* with folder NULL: that file, which is as long as it is to be */
        bool direct;        /* past the page cache */
        bool fill;          /* the whole file is written once, before anything else */
        enum fault_io_mode mode;
        uint64_t bytes; /* of the file; a multiple of block, as is each place in it */
        uint64_t block; /* at a time; a multiple of FAULT_STRAIN_SECTOR */
        uint64_t rate;  /* bytes a second; 0: as fast as it goes */
        uint64_t sync;  /* after so many bytes that were written; 0: never */
    } io;
};
enum { FAULT_STRAIN_SECTOR = 4096 }; /* for direct I/O, no device wants more (open(2)) */
/* A size of blocks that makes 32 of them a second at that rate, within what devices like. */
uint64_t fault_strain_block(uint64_t rate);

/* Of cgroup v1: those whose groups the workers join, beside the target's own. */
enum { FAULT_STRAIN_CONTROLLERS = 5 };
extern const char *const fault_strain_controllers[FAULT_STRAIN_CONTROLLERS];
/* Where the workers go: the group that the topology names, and on a host with v1 controllers those
 * of the process. After a failure, too, some may be open: fault_strain_close. */
bool fault_strain_open(struct fault_strain *strain, const char *group, pid_t process,
                       struct base_error *err);
void fault_strain_close(struct fault_strain *strain);

/* `run` of a satellite, async-signal-safe; ctx is a struct fault_strain. A worker that cannot join
 * ends at once. */
void fault_strain_cpu(void *ctx, int line, struct mono_ns deadline);
void fault_strain_memory(void *ctx, int line, struct mono_ns deadline);
void fault_strain_io(void *ctx, int line, struct mono_ns deadline);
bool fault_strain_join(const struct fault_strain *strain); /* for `run`s */

#endif
