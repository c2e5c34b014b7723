/* SPDX-License-Identifier: Apache-2.0 */
/* A process that is killed, perhaps again and again: what it got, when it exited, when a new one
 * was ready. Signals go through a pidfd, which never hits a recycled pid (pidfd_open(2)). */
#ifndef CHAOS_VICTIM_H
#define CHAOS_VICTIM_H

#include "io/loop.h"
#include "resolve.h"

struct fault_victim {
    struct fault_target target;
    struct fault_process process; /* that was struck last, or is to be */
    int pidfd;
    struct io_watch watch;
    struct mono_ns struck; /* when it got its signal; when found in the journal */
    bool hard;             /* and then SIGKILL, for it had not exited in time */
    bool exited;
    struct dur_ns exited_after;
    bool back; /* a new process is ready */
    struct fault_process next;
    struct dur_ns back_after;
    unsigned kills;        /* processes that have exited by it */
    unsigned returns;      /* and been followed by one that was ready */
    struct dur_ns longest; /* of those, to be ready */
    void (*on_exit)(void *ctx);
    void *ctx;
};

int fault_victim_pidfd(pid_t pid); /* as pidfd_open(2) */
/* Makes its pidfd; only a process that was the right one afterwards is the one it refers to. */
bool fault_victim_open(struct fault_victim *victim, struct base_error *err);
void fault_victim_fini(struct fault_victim *victim);
/* Signals it; on_exit follows, on the loop. */
bool fault_victim_strike(struct fault_victim *victim, struct io_loop *loop, int number,
                         struct base_error *err);
/* SIGKILL on top when it lives on `grace` after that; 0: never. */
void fault_victim_press(struct fault_victim *victim, struct dur_ns grace);
struct dur_ns fault_victim_since(const struct fault_victim *victim);
/* Reads its statusFile for a new process. same_will_do: the old one counts as long as it has not
 * exited, for nothing is left of a kill that never hit. */
void fault_victim_look(struct fault_victim *victim, bool same_will_do);
/* The new process becomes the one to strike; false when it has gone again. */
bool fault_victim_follow(struct fault_victim *victim);

#endif
