/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hurry.h"

#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* sched_setattr(2)'s first version; <linux/sched/types.h> cannot be had beside glibc's <sched.h>.
 */
struct scheduling {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

static const uint64_t shortest_ns = 100000;

static void ask(int nice_level, uint64_t slice_ns)
{
    if (sched_getscheduler(0) != SCHED_OTHER)
        return; /* somebody chose a policy for us */
    if (nice_level < 0)
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), nice_level);
    struct scheduling attr = {.size = sizeof attr,
                              .policy = SCHED_OTHER,
                              .nice = getpriority(PRIO_PROCESS, (id_t)gettid()),
                              .runtime = slice_ns};
    (void)syscall(SYS_sched_setattr, 0, &attr, 0U);
}

void base_hurry(int nice_level)
{
    ask(nice_level, shortest_ns);
}

void base_hurry_no_more(void)
{
    ask(0, 0);
}
