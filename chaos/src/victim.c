/* SPDX-License-Identifier: Apache-2.0 */
#include "victim.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

int fault_victim_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0U);
}

bool fault_victim_open(struct fault_victim *victim, struct base_error *err)
{
    victim->pidfd = fault_victim_pidfd(victim->process.pid);
    if (victim->pidfd < 0)
        return base_fail_errno(err, "cannot open process %d of %s", (int)victim->process.pid,
                               victim->target.name);
    return fault_process_alive(&victim->process) ||
           base_fail(err, BASE_UNAVAILABLE, "%s has just exited by itself", victim->target.name);
}

void fault_victim_fini(struct fault_victim *victim)
{
    io_watch_fini(&victim->watch);
    base_fd_close(&victim->pidfd);
    fault_target_fini(&victim->target);
}

struct dur_ns fault_victim_since(const struct fault_victim *victim)
{
    return base_mono_sub(base_mono_now(), victim->struck);
}

static void on_exit_seen(void *ctx, unsigned events)
{
    (void)events;
    struct fault_victim *victim = ctx;
    victim->exited = true;
    victim->exited_after = fault_victim_since(victim);
    victim->kills++;
    io_watch_set(&victim->watch, 0);
    victim->on_exit(victim->ctx);
}

bool fault_victim_strike(struct fault_victim *victim, struct io_loop *loop, int number,
                         struct base_error *err)
{
    victim->struck = base_mono_now();
    victim->hard = false;
    victim->exited = false;
    victim->back = false;
    io_watch_init(&victim->watch, loop, victim->pidfd, on_exit_seen, victim);
    io_watch_set(&victim->watch, IO_READ);
    return syscall(SYS_pidfd_send_signal, victim->pidfd, number, NULL, 0U) == 0 ||
           base_fail_errno(err, "cannot send signal %d to process %d of %s", number,
                           (int)victim->process.pid, victim->target.name);
}

void fault_victim_press(struct fault_victim *victim, struct dur_ns grace)
{
    if (grace.ns <= 0 || victim->exited || victim->hard || victim->pidfd < 0 ||
        fault_victim_since(victim).ns < grace.ns)
        return;
    victim->hard = true; /* should it fail, its still being there is what is recorded */
    (void)syscall(SYS_pidfd_send_signal, victim->pidfd, SIGKILL, NULL, 0U);
}

void fault_victim_look(struct fault_victim *victim, bool same_will_do)
{
    BASE_AUTO_FREE char *word = NULL;
    struct fault_process now = {0};
    /* The file is replaced atomically; one that cannot be read counts as not ready yet. */
    if (victim->back || !fault_target_process(&victim->target, &now, &word, NULL))
        return;
    bool ready = base_str_eq(word, "ready") && fault_process_alive(&now);
    bool same = now.pid == victim->process.pid && now.start_ticks == victim->process.start_ticks;
    if (!ready || (same && (victim->exited || !same_will_do)))
        return;
    victim->back = true;
    victim->next = now;
    victim->back_after = fault_victim_since(victim);
    victim->returns += victim->exited ? 1 : 0;
    if (victim->longest.ns < victim->back_after.ns)
        victim->longest = victim->back_after;
}

bool fault_victim_follow(struct fault_victim *victim)
{
    io_watch_fini(&victim->watch);
    victim->watch = (struct io_watch){0};
    base_fd_close(&victim->pidfd);
    victim->process = victim->next;
    if (fault_victim_open(victim, NULL))
        return true;
    base_fd_close(&victim->pidfd);
    victim->back = false; /* whoever follows it is waited for */
    return false;
}
