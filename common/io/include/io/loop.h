/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: libev behind opaque storage (adapter: src/loop.c). Everything here belongs to the
 * loop's thread, except io_wake_send. Callbacks run from io_loop_run and may start, stop or finish
 * any watcher, their own included. Watchers are embedded in their owner and must not move while
 * started.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/error.h"

struct io_loop;

struct io_loop *io_loop_new(struct base_error *err); /* an epoll loop; NULL with err */
/* For a thread that does nothing but I/O and pacing: without signals, alarms and timers both of
 * nanoseconds (src/direct.h). */
struct io_loop *io_loop_new_direct(struct base_error *err);
/* Calls on_turn whenever a wait for events is over, before any other callback; once a loop. now:
 * when it was over. */
void io_loop_on_turn(struct io_loop *loop, void (*on_turn)(void *ctx, struct mono_ns now),
                     void *ctx);
void io_loop_free(struct io_loop *loop);     /* accepts NULL; all watchers are finished first */
void io_loop_run(struct io_loop *loop);      /* until io_loop_stop or no watcher is started */
void io_loop_run_once(struct io_loop *loop); /* one turn, waiting for at least one event */
void io_loop_stop(struct io_loop *loop);     /* io_loop_run returns after this turn */

/* --- readiness of a descriptor (not owned) --- */
enum { IO_READ = 1, IO_WRITE = 2 };

struct io_watch {
    void *ctx;
    void (*on_ready)(void *ctx, unsigned events); /* IO_READ | IO_WRITE */
    struct io_loop *loop;
    _Alignas(max_align_t) unsigned char storage[64];
};
void io_watch_init(struct io_watch *watch, struct io_loop *loop, int fd,
                   void (*on_ready)(void *ctx, unsigned events), void *ctx);
void io_watch_set(struct io_watch *watch,
                  unsigned events); /* 0 stops; costs nothing if unchanged */
/* Before the first set: the owner reads until a read falls short and calls io_watch_again after one
 * that did not, so it need only be told of what has come since. An end is told until it is met. A
 * loop on libev tells all the same. */
void io_watch_edge(struct io_watch *watch);
void io_watch_again(struct io_watch *watch); /* tells of what is there; nothing unless edge */
void io_watch_fini(struct io_watch *watch);  /* accepts a zeroed watcher */

/* --- coarse timer: milliseconds late at worst; for timeouts and periods --- */
struct io_timer {
    void *ctx;
    void (*on_expire)(void *ctx);
    struct io_loop *loop;
    _Alignas(max_align_t) unsigned char storage[64];
};
void io_timer_init(struct io_timer *timer, struct io_loop *loop, void (*on_expire)(void *ctx),
                   void *ctx);
void io_timer_start(struct io_timer *timer, struct dur_ns after); /* once; restarts when started */
void io_timer_stop(struct io_timer *timer);
bool io_timer_active(const struct io_timer *timer);
void io_timer_fini(struct io_timer *timer); /* accepts a zeroed timer */

/* --- precise alarm: an absolute monotonic time on a timerfd, microseconds late; for pacing --- */
struct io_alarm {
    int fd;
    bool set;
    struct mono_ns when; /* while set */
    struct io_watch watch;
    void *ctx;
    void (*on_expire)(void *ctx);
};
bool io_alarm_init(struct io_alarm *alarm, struct io_loop *loop, void (*on_expire)(void *ctx),
                   void *ctx, struct base_error *err);
void io_alarm_set(struct io_alarm *alarm, struct mono_ns when); /* past times fire at once */
void io_alarm_clear(struct io_alarm *alarm);
void io_alarm_fini(struct io_alarm *alarm);

/* --- signals, delivered on the loop; one watcher a signal number and process --- */
struct io_signal {
    void *ctx;
    void (*on_signal)(void *ctx, int number);
    struct io_loop *loop;
    _Alignas(max_align_t) unsigned char storage[64];
};
void io_signal_init(struct io_signal *signal, struct io_loop *loop, int number,
                    void (*on_signal)(void *ctx, int number), void *ctx); /* started at once */
void io_signal_fini(struct io_signal *signal);

/* --- waking another thread's loop; several sends before it wakes are one --- */
struct io_wake {
    int fd;
    struct io_watch watch;
    void *ctx;
    void (*on_wake)(void *ctx);
};
bool io_wake_init(struct io_wake *wake, struct io_loop *loop, void (*on_wake)(void *ctx), void *ctx,
                  struct base_error *err);
void io_wake_send(struct io_wake *wake); /* any thread; async-signal-safe */
void io_wake_fini(struct io_wake *wake);

#endif
