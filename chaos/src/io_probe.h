/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a disk gives: a process of the agent's own code (a satellite) joins a control group and
 * reads or writes a file past the page cache, as fast as it goes; the kernel's account of it is
 * looked at from here (proc_pid_io(5)).
 */
#ifndef CHAOS_IO_PROBE_H
#define CHAOS_IO_PROBE_H

#include "strain.h"

#define FAULT_IO_PROBE "squall-probe"

struct io_loop;
struct fault_io_probe;

struct fault_io_probe_spec {
    struct fault_strain strain; /* groups and io; what it points to outlives the probe */
    struct dur_ns settle;       /* before it is measured */
    struct dur_ns window;
    /* Looked at when the window begins and ends, for what it grows by. */
    uint64_t (*count)(void *ctx);
    /* On the loop; it has ended, and may be freed inside. */
    void (*on_done)(void *ctx);
    void *ctx;
};

struct fault_io_probe_result {
    bool ok;           /* false: it ended before its time */
    double rate;       /* bytes a second that it had */
    double count_rate; /* of `count`, a second */
};

struct fault_io_probe *fault_io_probe_start(struct io_loop *loop,
                                            const struct fault_io_probe_spec *spec,
                                            struct base_error *err);
struct fault_io_probe_result fault_io_probe_result(const struct fault_io_probe *probe);
/* One that has not ended ends by itself, within a block's time. Accepts NULL. */
void fault_io_probe_free(struct fault_io_probe *probe);

#endif
