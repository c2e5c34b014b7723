/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processor time and memory that the target takes itself, proven by what the kernel says of all its
 * processes: how much more than before. The target goes on with its own work meanwhile, which may
 * become more or less; the bounds leave room for that, and not for half or twice the fault.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app.h"
#include "base/meminfo.h"
#include "step.h"
#include "usage.h"

enum { window_ms = 400 };
static const double mib = 1048576;
static const double cpu_least = 0.5, cpu_most = 1.2;
static const double cpu_own = 0.1, cpu_own_share = 0.5; /* more work of its own: so much, and of
                                                         * what it had before */
static const double memory_least = 0.9, memory_most = 1.1;
static const double memory_own = 16 * 1048576;

static bool is_cpu(const struct app_subject *subject)
{
    return fault_app_order_of(fault_spec_of(subject->fault)) == FAULT_APP_CPU;
}

static double asked_of(const struct app_subject *subject)
{
    const struct fault_spec *spec = fault_spec_of(subject->fault);
    return is_cpu(subject) ? spec->app.cpu * BASE_NS_PER_S : (double)spec->app.memory;
}

/* --- looking --- */

/* By the clock that a process has (clock_getcpuclockid(3)): what threads had that have ended stays
 * counted, which schedstat does not know. */
static int64_t time_of(pid_t pid)
{
    clockid_t clock = 0;
    struct timespec now = {0};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * BASE_NS_PER_S + now.tv_nsec;
}

/* Who it is now: a new process is told at the next renewal. */
static struct app_used used_now(const struct app_subject *subject)
{
    struct app_used used = {.at_ns = base_mono_now().ns};
    struct fault_process *processes = NULL;
    size_t count = 0;
    int64_t ignored = 0;
    if (!fault_target_processes(&subject->target, &processes, &count, NULL))
        return used;
    for (size_t i = 0; i < count; i++) {
        if (!fault_process_alive(&processes[i]))
            continue;
        used.processes++;
        used.bytes += fault_usage_bytes(processes[i].pid);
        used.time_ns += time_of(processes[i].pid);
        fault_usage_threads(processes[i].pid, &ignored, &used.delay_ns);
    }
    free(processes);
    return used;
}

static bool use_check(struct app_subject *subject, struct base_error *err)
{
    struct fault_process *processes = NULL;
    size_t count = 0;
    bool ok = fault_target_processes(&subject->target, &processes, &count, err);
    free(processes);
    if (!ok)
        return base_fail_context(err, "%s: what it takes is measured at its processes",
                                 subject->target.name);
    return count > 0 || base_fail(err, BASE_UNAVAILABLE,
                                  "%s: it has no process on this host, where what it takes could "
                                  "be measured",
                                  subject->target.name);
}

static bool memory_check(struct app_subject *subject, struct base_error *err)
{
    uint64_t asked = (uint64_t)fault_spec_of(subject->fault)->app.memory;
    uint64_t available = base_meminfo("MemAvailable");
    uint64_t margin = base_meminfo("MemTotal") / 10;
    if (available == 0)
        return base_fail(err, BASE_IO, "%s: cannot read /proc/meminfo", subject->target.name);
    if (available < margin + asked)
        return base_fail(err, BASE_LIMIT,
                         "%s: %.0f MiB would leave this host, which has %.0f MiB available, less "
                         "than the tenth of its memory that is never taken; ask for less",
                         subject->target.name, (double)asked / mib, (double)available / mib);
    return use_check(subject, err);
}

static void on_window_over(void *ctx)
{
    struct app_subject *subject = ctx;
    io_timer_stop(&subject->use.timer);
    subject->use.end = used_now(subject);
    subject->answered = subject->use.start.processes > 0 && subject->use.end.processes > 0;
    app_measured(subject);
}

static struct dur_ns window_of(const struct app_subject *subject)
{
    int64_t window = window_ms * BASE_NS_PER_MS;
    int64_t third = fault_spec_of(subject->fault)->lease.ns / 3;
    if (!is_cpu(subject))
        return (struct dur_ns){0};
    return (struct dur_ns){window < third ? window : third};
}

static bool use_start(struct app_subject *subject, struct base_error *err)
{
    (void)err;
    subject->answered = false;
    subject->use.start = used_now(subject);
    io_timer_init(&subject->use.timer, fault_env_of(subject->fault)->loop, on_window_over, subject);
    io_timer_start(&subject->use.timer, window_of(subject));
    return true;
}

static void use_cancel(struct app_subject *subject)
{
    io_timer_fini(&subject->use.timer);
}

/* --- judging --- */

struct app_sight {
    double now;    /* ns a second, or bytes */
    double waited; /* cpu: for a processor */
    double rise;   /* since before */
    double low;    /* what the rise is to be */
    double high;
};

static struct app_sight sight_of(const struct app_subject *subject)
{
    const struct app_used *start = &subject->use.start;
    const struct app_used *end = &subject->use.end;
    double window_s = (double)(end->at_ns - start->at_ns) / BASE_NS_PER_S;
    double asked = asked_of(subject);
    double before = (double)subject->use.before;
    struct app_sight sight = {.now = (double)end->bytes};
    if (is_cpu(subject) && window_s > 0) {
        sight.now = (double)(end->time_ns - start->time_ns) / window_s;
        if (end->delay_ns > start->delay_ns) /* not when a thread that waited has ended */
            sight.waited = (double)(end->delay_ns - start->delay_ns) / window_s;
    }
    sight.rise = sight.now - before;
    sight.low = asked * (is_cpu(subject) ? cpu_least : memory_least);
    sight.high = is_cpu(subject)
                     ? asked * cpu_most + cpu_own * BASE_NS_PER_S + before * cpu_own_share
                     : asked * memory_most + memory_own;
    return sight;
}

static void use_record(struct app_subject *subject, const struct app_sight *sight, bool ok)
{
    double unit = is_cpu(subject) ? BASE_NS_PER_S / 100.0 : mib;
    const char *word = is_cpu(subject) ? "% of a processor" : "MiB";
    char value[160] = "no process of it is there";
    char expected[128] = "a process of it";
    char waited[64] = "";
    if (is_cpu(subject))
        (void)snprintf(waited, sizeof waited, ", waited %.1f %% for one", sight->waited / unit);
    if (subject->answered)
        (void)snprintf(value, sizeof value, "%.1f %s%s, %+.1f since before", sight->now / unit,
                       word, waited, sight->rise / unit);
    if (subject->round == FAULT_STEP_PREPARE && subject->answered)
        (void)snprintf(value, sizeof value, "%.1f %s", sight->now / unit, word);
    if (subject->round == FAULT_STEP_VERIFY)
        (void)snprintf(expected, sizeof expected, "%.1f more: %.1f%s to %.1f",
                       asked_of(subject) / unit, sight->low / unit,
                       is_cpu(subject) ? " with the waiting" : "", sight->high / unit);
    if (subject->round == FAULT_STEP_VERIFY_GONE)
        (void)snprintf(expected, sizeof expected, "less than %.1f more, half of the fault",
                       asked_of(subject) / 2 / unit);
    fault_evidence(subject->fault, subject->target.name, fault_step_when(subject->round),
                   is_cpu(subject) ? "processor time of its processes" : "memory of its processes",
                   value, expected, ok);
}

static bool use_ok(struct app_subject *subject, bool record)
{
    struct app_sight sight = sight_of(subject);
    bool ok = subject->answered;
    if (subject->round == FAULT_STEP_PREPARE && ok)
        subject->use.before = sight.now > 0 ? (int64_t)sight.now : 0;
    else if (subject->round == FAULT_STEP_VERIFY)
        ok = ok && sight.rise > 0 && sight.rise + sight.waited >= sight.low &&
             sight.rise <= sight.high;
    else
        ok = ok && sight.rise < asked_of(subject) / 2;
    if (record)
        use_record(subject, &sight, ok);
    return ok;
}

/* The target fills its memory as fast as it can: on a busy host that takes a while. */
static struct dur_ns memory_patience(const struct fault_spec *spec)
{
    return (struct dur_ns){spec->lease.ns / 5 * 3};
}

const struct app_order app_cpu = {
    .check = use_check,
    .start = use_start,
    .cancel = use_cancel,
    .ok = use_ok,
};
const struct app_order app_memory = {
    .check = memory_check,
    .start = use_start,
    .cancel = use_cancel,
    .ok = use_ok,
    .patience = memory_patience,
};
