/* SPDX-License-Identifier: Apache-2.0 */
/* memory: proven by what the kernel charges to the worker; done as soon as all is filled. */
#include <stdio.h>

#include "base/meminfo.h"
#include "base/text.h"
#include "stress.h"

enum { smallest_margin_mib = 256 };
static const double margin_share = 0.1; /* of the host's memory: never taken */
static const double least = 0.95, most = 1.05;
static const double own_pages = 4 * 1048576; /* of the worker: its stack, what it writes to */

static size_t memory_workers(const struct fault_spec *spec)
{
    (void)spec;
    return 1;
}

static bool memory_check(struct fault_stress_subject *subject, const struct topo *topo,
                         struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(subject->fault);
    (void)topo;
    return (spec->memory.bytes > 0) != (spec->memory.percent > 0) ||
           base_fail(err, BASE_INVALID, "memory takes either bytes or a percentage");
}

static bool memory_plan(struct fault_stress_subject *subject, struct base_error *err)
{
    const struct fault_spec *spec = fault_spec_of(subject->fault);
    struct fault_strain *strain = &subject->strain;
    uint64_t total = base_meminfo("MemTotal");
    uint64_t available = base_meminfo("MemAvailable");
    if (total == 0 || available == 0)
        return base_fail_errno(err, "cannot read /proc/meminfo");
    strain->margin = (uint64_t)((double)total * margin_share);
    if (strain->margin < UINT64_C(1048576) * smallest_margin_mib)
        strain->margin = UINT64_C(1048576) * smallest_margin_mib;
    strain->bytes =
        spec->memory.bytes > 0
            ? (uint64_t)spec->memory.bytes
            : (uint64_t)((double)fault_usage_limit(subject->target.cgroup, subject->process.pid) *
                         spec->memory.percent);
    strain->rate = (uint64_t)spec->memory.rate;
    if (strain->bytes > available || available - strain->bytes < strain->margin)
        return base_fail(err, BASE_LIMIT,
                         "%llu MiB would leave this host, which has %llu MiB available, less than "
                         "the %llu MiB that are never taken; ask for less",
                         (unsigned long long)(strain->bytes >> 20),
                         (unsigned long long)(available >> 20),
                         (unsigned long long)(strain->margin >> 20));
    double need_s = (double)strain->bytes / (double)strain->rate;
    return need_s <= base_dur_to_s(spec->lease) * 0.6 ||
           base_fail(err, BASE_INVALID,
                     "at this rate the memory is filled after %.1f s, too late for a lease of "
                     "%.1f s: raise the rate or the lease",
                     need_s, base_dur_to_s(spec->lease));
}

static bool memory_shown(struct fault_stress_subject *subject, struct dur_ns window, bool record)
{
    double asked = (double)subject->strain.bytes;
    uint64_t bytes = subject->now.bytes;
    double got = bytes > subject->inherited ? (double)(bytes - subject->inherited) : 0;
    bool ok = got >= asked * least && got <= asked * most + own_pages;
    (void)window;
    if (record) {
        char value[64];
        char expected[96];
        (void)snprintf(value, sizeof value, "%.1f MiB", got / 1048576);
        (void)snprintf(expected, sizeof expected, "%.1f MiB: %.1f to %.1f MiB", asked / 1048576,
                       asked * least / 1048576, (asked * most + own_pages) / 1048576);
        fault_evidence(subject->fault, subject->target.name, "during", "memory of its worker",
                       value, expected, ok);
    }
    return ok;
}

static struct dur_ns memory_window(const struct fault_spec *spec)
{
    (void)spec;
    return (struct dur_ns){0};
}

static struct dur_ns memory_patience(const struct fault_spec *spec)
{
    return (struct dur_ns){spec->lease.ns / 5 * 4};
}

const struct fault_stress_kind fault_stress_memory = {
    .run = fault_strain_memory,
    .workers = memory_workers,
    .check = memory_check,
    .plan = memory_plan,
    .shown = memory_shown,
    .beside = "all in it hold",
    .window = memory_window,
    .patience = memory_patience,
};
