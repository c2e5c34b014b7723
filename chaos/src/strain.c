/* SPDX-License-Identifier: Apache-2.0 */
#include "strain.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/meminfo.h"
#include "base/text.h"
#include "group.h"
#include "satellite.h"

enum {
    slice_us = 1000,  /* of work between two looks at the clock and the line */
    window_ms = 1000, /* within which the load is evened out */
    fill_ms = 5,
    full_ms = 50,
    page = 4096
};
static const uint64_t look_each = UINT64_C(8) << 20; /* bytes between two looks at the host */

const char *const fault_strain_controllers[FAULT_STRAIN_CONTROLLERS] = {"cpu", "cpuacct", "cpuset",
                                                                        "memory", "blkio"};

static bool open_one(struct fault_strain *strain, const char *group, struct base_error *err)
{
    int fd = fault_group_open(group, "cgroup.procs", err);
    if (fd >= 0)
        strain->groups[strain->group_count++] = fd;
    return fd >= 0;
}

bool fault_strain_open(struct fault_strain *strain, const char *group, pid_t process,
                       struct base_error *err)
{
    bool ok = open_one(strain, group, err);
    for (size_t i = 0; ok && i < FAULT_STRAIN_CONTROLLERS; i++) {
        char *own = fault_group_v1(process, fault_strain_controllers[i]);
        if (own != NULL && !base_str_eq(own, group))
            ok = open_one(strain, own, err);
        free(own);
    }
    return ok;
}

void fault_strain_close(struct fault_strain *strain)
{
    while (strain->group_count > 0)
        base_fd_close(&strain->groups[--strain->group_count]);
}

bool fault_strain_join(const struct fault_strain *strain)
{
    for (size_t i = 0; i < strain->group_count; i++)
        if (write(strain->groups[i], "0", 1) != 1) /* the writer itself: cgroups(7) */
            return false;
    return true;
}

static int64_t own_time_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * BASE_NS_PER_S + now.tv_nsec;
}

static void spin(struct dur_ns length)
{
    struct mono_ns end = base_mono_add(base_mono_now(), length);
    while (base_mono_before(base_mono_now(), end))
        continue;
}

/* Compares the time that it got with the time it is to have, so that a busy machine or a quota
 * makes it try harder and a coarse clock does not add up. */
void fault_strain_cpu(void *ctx, int line, struct mono_ns deadline)
{
    const struct fault_strain *strain = ctx;
    struct dur_ns slice = {slice_us * BASE_NS_PER_US};
    if (!fault_strain_join(strain))
        return;
    struct mono_ns since = base_mono_now();
    int64_t used = own_time_ns();
    while (fault_satellite_holds(line, &deadline)) {
        struct dur_ns passed = base_mono_sub(base_mono_now(), since);
        if (passed.ns > window_ms * BASE_NS_PER_MS) {
            since = base_mono_now();
            used = own_time_ns();
        } else if ((double)(own_time_ns() - used) < strain->load * (double)passed.ns ||
                   strain->load >= 1.0) {
            spin(slice);
        } else {
            fault_satellite_wait(line, slice);
        }
    }
}

/* When memory is short it is this process that the kernel should take, not the host's. */
static void offer_to_oom_killer(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t written = write(fd, "1000", 4);
    (void)written;
    (void)close(fd);
}

/* Writes to a page make it ours; each differs, so that nothing can merge or compress them away. */
__attribute__((no_sanitize("address", "thread"))) /* their shadows would be ours as well */
static void
touch(volatile unsigned char *memory, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += page)
        *(volatile uint64_t *)(volatile void *)(memory + at) =
            at * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

/* How far it may fill now: no faster than asked, and what would leave the host short of memory is
 * not filled. What is missing then is measured, and said. */
static uint64_t fill_to(const struct fault_strain *strain, uint64_t filled, struct mono_ns began)
{
    double due = base_dur_to_s(base_mono_sub(base_mono_now(), began)) * (double)strain->rate;
    uint64_t to = due < (double)strain->bytes ? (uint64_t)due / page * page : strain->bytes;
    if (to > filled + look_each)
        to = filled + look_each;
    if (to > filled && base_meminfo("MemAvailable") < strain->margin + (to - filled))
        to = filled;
    return to;
}

void fault_strain_memory(void *ctx, int line, struct mono_ns deadline)
{
    const struct fault_strain *strain = ctx;
    uint64_t filled = 0;
    offer_to_oom_killer();
    if (!fault_strain_join(strain))
        return;
    unsigned char *memory = mmap(NULL, strain->bytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return;
    struct mono_ns began = base_mono_now();
    while (fault_satellite_holds(line, &deadline)) {
        uint64_t to = fill_to(strain, filled, began);
        touch(memory, filled, to);
        if (to < filled + look_each)
            fault_satellite_wait(line, base_dur_ms(to < strain->bytes ? fill_ms : full_ms));
        filled = to;
    }
}
