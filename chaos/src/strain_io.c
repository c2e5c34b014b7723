/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that write and read a file without a name. Only async-signal-safe functions and plain
 * system calls: each is a fork of a process with threads. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "satellite.h"
#include "strain.h"

enum {
    pause_us = 1000,  /* when it is ahead of its rate */
    window_ms = 1000, /* within which the rate is evened out */
    blocks_a_second = 32,
    largest_block = 256 * 1024
};

struct work {
    const struct fault_strain *strain;
    int fd;
    unsigned char *block;
    uint64_t at;       /* of the next block in the file */
    uint64_t unsynced; /* bytes */
    uint64_t stamp;
};

uint64_t fault_strain_block(uint64_t rate)
{
    uint64_t block = FAULT_STRAIN_SECTOR;
    while (block < largest_block && (rate == 0 || block * 2 * blocks_a_second <= rate))
        block *= 2;
    return block;
}

static bool open_file(struct work *work)
{
    const struct fault_strain *strain = work->strain;
    int flags = O_TMPFILE | O_RDWR | O_CLOEXEC;
    work->fd = strain->io.fd;
    if (strain->io.folder == NULL)
        return true;
    work->fd = open(strain->io.folder, strain->io.direct ? flags | O_DIRECT : flags, 0600);
    return work->fd >= 0 && fallocate(work->fd, 0, 0, (off_t)strain->io.bytes) == 0;
}

/* Each sector differs from all others, so that no device can store it once for all. */
static void mark(struct work *work)
{
    for (uint64_t at = 0; at < work->strain->io.block; at += FAULT_STRAIN_SECTOR) {
        work->stamp = (work->stamp + 1) * UINT64_C(0x9e3779b97f4a7c15);
        memcpy(work->block + at, &work->stamp, sizeof work->stamp);
    }
}

static bool write_block(struct work *work)
{
    const struct fault_strain *strain = work->strain;
    mark(work);
    if (pwrite(work->fd, work->block, strain->io.block, (off_t)work->at) !=
        (ssize_t)strain->io.block)
        return false;
    work->unsynced += strain->io.block;
    if (strain->io.sync == 0 || work->unsynced < strain->io.sync)
        return true;
    work->unsynced = 0;
    return fdatasync(work->fd) == 0;
}

/* What is in the page cache already is no I/O. */
static bool read_block(struct work *work)
{
    const struct fault_strain *strain = work->strain;
    uint64_t block = strain->io.block;
    if (!strain->io.direct)
        (void)posix_fadvise(work->fd, (off_t)work->at, (off_t)block, POSIX_FADV_DONTNEED);
    return pread(work->fd, work->block, block, (off_t)work->at) == (ssize_t)block;
}

static void advance(struct work *work)
{
    work->at = (work->at + work->strain->io.block) % work->strain->io.bytes;
}

/* false: it failed, or its time is over. */
static bool fill_file(struct work *work, int line, struct mono_ns *deadline)
{
    for (uint64_t done = 0; done < work->strain->io.bytes; done += work->strain->io.block) {
        if (!fault_satellite_holds(line, deadline) || !write_block(work))
            return false;
        advance(work);
    }
    return fdatasync(work->fd) == 0;
}

/* Bytes that were moved; 0: it failed. */
static uint64_t move_block(struct work *work)
{
    enum fault_io_mode mode = work->strain->io.mode;
    uint64_t moved = 0;
    if (mode != FAULT_IO_READ && !write_block(work))
        return 0;
    moved += mode != FAULT_IO_READ ? work->strain->io.block : 0;
    if (mode != FAULT_IO_WRITE && !read_block(work))
        return 0;
    moved += mode != FAULT_IO_WRITE ? work->strain->io.block : 0;
    advance(work);
    return moved;
}

static void work_on(struct work *work, int line, struct mono_ns *deadline)
{
    const double rate = (double)work->strain->io.rate;
    struct mono_ns since = base_mono_now();
    uint64_t done = 0;
    while (fault_satellite_holds(line, deadline)) {
        struct dur_ns passed = base_mono_sub(base_mono_now(), since);
        if (passed.ns > window_ms * BASE_NS_PER_MS) {
            since = base_mono_now();
            done = 0;
        } else if (rate > 0 && (double)done > rate * base_dur_to_s(passed)) {
            fault_satellite_wait(line, (struct dur_ns){pause_us * BASE_NS_PER_US});
        } else {
            uint64_t moved = move_block(work);
            if (moved == 0)
                return;
            done += moved;
        }
    }
}

void fault_strain_io(void *ctx, int line, struct mono_ns deadline)
{
    const struct fault_strain *strain = ctx;
    struct work work = {.strain = strain, .stamp = (uint64_t)getpid()};
    if (!fault_strain_join(strain))
        return;
    /* Direct I/O wants memory at a multiple of the sector: a page is. */
    work.block =
        mmap(NULL, strain->io.block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (work.block == MAP_FAILED || !open_file(&work))
        return;
    if (strain->io.fill && !fill_file(&work, line, &deadline))
        return;
    work_on(&work, line, &deadline);
}
