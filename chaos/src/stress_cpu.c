/* SPDX-License-Identifier: Apache-2.0 */
/* cpu: proven by the time that the kernel gave to the workers. */
#include <stdio.h>

#include "stress.h"

enum { window_ms = 400 };
/* A worker on a busy machine, or in a group with a quota, gets less than it tries to: then it
 * waits, which takes from the others as well. More than asked is wrong anywhere. */
static const double least = 0.5, most = 1.2;

static size_t cpu_workers(const struct fault_spec *spec)
{
    return (size_t)spec->cpu.workers;
}

static bool cpu_plan(struct fault_stress_subject *subject, struct base_error *err)
{
    (void)err;
    subject->strain.load = fault_spec_of(subject->fault)->cpu.load;
    return true;
}

static bool cpu_shown(struct fault_stress_subject *subject, struct dur_ns window, bool record)
{
    const struct fault_spec *spec = fault_spec_of(subject->fault);
    double asked = (double)spec->cpu.workers * spec->cpu.load * 100;
    double got = (double)(subject->now.time_ns - subject->before.time_ns) / (double)window.ns * 100;
    double waited =
        (double)(subject->now.delay_ns - subject->before.delay_ns) / (double)window.ns * 100;
    char value[96];
    char expected[96];
    bool ok = got > 0 && got + waited >= asked * least && got <= asked * most;
    if (!record)
        return ok;
    (void)snprintf(value, sizeof value, "%.1f %% of a processor, waited %.1f %% for one", got,
                   waited);
    (void)snprintf(expected, sizeof expected,
                   "%.1f %%: at least %.1f %% with the waiting, at most "
                   "%.1f %% without",
                   asked, asked * least, asked * most);
    fault_evidence(subject->fault, subject->target.name, "during", "processor time of its workers",
                   value, expected, ok);
    return ok;
}

/* One window, whatever it shows: one after the other until one fits would prove little. */
static struct dur_ns cpu_window(const struct fault_spec *spec)
{
    int64_t window = window_ms * BASE_NS_PER_MS;
    return (struct dur_ns){window < spec->lease.ns / 3 ? window : spec->lease.ns / 3};
}

const struct fault_stress_kind fault_stress_cpu = {
    .run = fault_strain_cpu,
    .workers = cpu_workers,
    .plan = cpu_plan,
    .shown = cpu_shown,
    .window = cpu_window,
    .patience = cpu_window,
};
