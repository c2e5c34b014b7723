/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io: workers write and read files without names, which vanish with them. Proven by what the kernel
 * says that disks have read and written for them (proc_pid_io(5)), which is nothing where the file
 * system lies in memory.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "folder.h"
#include "stress.h"

enum { window_ms = 300 };
static const double least = 0.5, most = 1.2;
static const uint64_t sync_each = UINT64_C(1) << 20;

static size_t io_workers(const struct fault_spec *spec)
{
    return (size_t)spec->io.workers;
}

static bool io_check(struct fault_stress_subject *subject, const struct topo *topo,
                     struct base_error *err)
{
    const struct fault *fault = subject->fault;
    return fault_folder_open(fault, topo, fault_spec_of(fault)->io.path, &subject->folder, err);
}

static bool io_plan(struct fault_stress_subject *subject, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(subject->fault);
    bool direct = true;
    int64_t all = spec->io.bytes * spec->io.workers * (int64_t)spec->target_count;
    int fd = fault_folder_file(subject->folder, &direct, err); /* only whether it can be */
    if (fd < 0 || !fault_folder_has_room(subject->fault, subject->folder, all, err)) {
        base_fd_close(&fd);
        return false;
    }
    base_fd_close(&fd);
    struct fault_strain *strain = &subject->strain;
    uint64_t block = fault_strain_block((uint64_t)spec->io.rate);
    strain->io.folder = subject->folder;
    strain->io.direct = direct;
    strain->io.mode = spec->io.mode;
    strain->io.fill = spec->io.mode == FAULT_IO_READ;
    strain->io.block = block;
    strain->io.bytes = (uint64_t)spec->io.bytes / block * block;
    strain->io.rate = (uint64_t)spec->io.rate;
    /* What is still to be written cannot be dropped from the page cache. */
    strain->io.sync = direct || spec->io.mode != FAULT_IO_BOTH ? sync_each : block;
    return true;
}

/* In bytes a second, in the direction that is meant. */
static double moved(const struct fault_stress_subject *subject, struct dur_ns window)
{
    enum fault_io_mode mode = fault_spec_of(subject->fault)->io.mode;
    uint64_t read = subject->now.io_read - subject->before.io_read;
    uint64_t written = subject->now.io_written - subject->before.io_written;
    uint64_t bytes = (mode != FAULT_IO_WRITE ? read : 0) + (mode != FAULT_IO_READ ? written : 0);
    return (double)bytes / base_dur_to_s(window);
}

static void say(struct fault_stress_subject *subject, double got, double asked, bool ok)
{
    const struct fault_strain *strain = &subject->strain;
    char value[128];
    char expected[96];
    (void)snprintf(value, sizeof value, "%.2f MiB/s by %zu of %d%s", got / 1048576,
                   subject->now.io_busy, fault_spec_of(subject->fault)->io.workers,
                   strain->io.direct ? ", past the page cache" : ", through the page cache");
    if (asked > 0)
        (void)snprintf(expected, sizeof expected, "%.2f MiB/s: %.2f to %.2f MiB/s", asked / 1048576,
                       asked * least / 1048576, asked * most / 1048576);
    else
        (void)snprintf(expected, sizeof expected, "as much as it gives, to each");
    fault_evidence(subject->fault, subject->target.name, "during", "bytes of disks for its workers",
                   value, expected, ok);
}

static bool io_shown(struct fault_stress_subject *subject, struct dur_ns window, bool record)
{
    const struct fault_spec *spec = fault_spec_of(subject->fault);
    double asked = (double)spec->io.rate * spec->io.workers;
    double got = moved(subject, window);
    /* Blocks under way at both ends of the window. */
    double coarse = (double)subject->strain.io.block * spec->io.workers / base_dur_to_s(window);
    bool all = subject->now.io_busy == (size_t)spec->io.workers;
    bool ok = all && got > 0 &&
              (spec->io.rate == 0 || (got >= asked * least && got <= asked * most + coarse));
    if (record)
        say(subject, got, asked, ok);
    return ok;
}

static struct dur_ns io_window(const struct fault_spec *spec)
{
    int64_t window = window_ms * BASE_NS_PER_MS;
    return (struct dur_ns){window < spec->lease.ns / 4 ? window : spec->lease.ns / 4};
}

static struct dur_ns io_patience(const struct fault_spec *spec)
{
    return (struct dur_ns){spec->lease.ns / 2};
}

const struct fault_stress_kind fault_stress_io = {
    .run = fault_strain_io,
    .workers = io_workers,
    .lost = "is there room, and can that be written there?",
    .check = io_check,
    .plan = io_plan,
    .shown = io_shown,
    .window = io_window,
    .patience = io_patience,
};
