/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop straight on epoll, behind io/loop.h like the one on libev: for threads that do nothing but
 * I/O and pacing. No signals. The storage of watchers holds the structs below.
 *
 * Design notes. The kernel's clock is told about a deadline in one of two ways, and telling it is
 * what costs (on a virtual machine it leaves the guest). A near deadline is the timeout of the wait
 * itself (epoll_pwait2(2), Linux 5.11): nothing is told at all when there is something to read
 * already, as there is most often at high rates. A deadline further away is set in a timerfd once
 * and stays there, however many answers come before it, where a timeout would be set and taken back
 * with every wait. Where epoll_pwait2 is not to be had, every deadline is.
 */
#ifndef IO_DIRECT_H
#define IO_DIRECT_H

#include "io/loop.h"

struct direct;

struct direct_watch {
    int fd;
    unsigned events; /* registered; 0: not in the epoll set */
    bool edge;       /* until its end is reported */
};

struct direct_timer {
    int64_t at;
    size_t slot; /* in the heap, from 1; 0: not started */
    void *owner;
    void (*expire)(void *owner);
};

struct direct *direct_new(struct base_error *err);
void direct_free(struct direct *direct); /* accepts NULL */
void direct_run(struct direct *direct);
void direct_turn(struct direct *direct); /* until one event at least has been told */
void direct_stop(struct direct *direct);
void direct_on_turn(struct direct *direct, void (*on_turn)(void *ctx, struct mono_ns now),
                    void *ctx);

/* on_ready of the watch is called with what is ready. */
void direct_watch_set(struct direct *direct, struct io_watch *watch, struct direct_watch *own,
                      unsigned events);
void direct_watch_again(struct direct *direct, struct io_watch *watch, struct direct_watch *own);
void direct_timer_start(struct direct *direct, struct direct_timer *timer, int64_t at);
void direct_timer_stop(struct direct *direct, struct direct_timer *timer);

#endif
