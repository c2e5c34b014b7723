/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libev adapter; the only file that sees ev.h. Each watcher of ours carries the libev watcher
 * in its opaque storage, whose `data` points back.
 *
 * Design notes
 * - ev_loop_new, never the default loop: the default loop reaps every child of the process with
 *   waitpid(-1) (ev(3), "ev_child"), which would steal exits from child.c.
 * - ev_io_modify instead of ev_io_set: a stop and a start in one turn then end in no epoll_ctl at
 *   all, which keeps an alarm that is set again from its own callback at one system call.
 * - An alarm's descriptor is never read: setting it anew takes back that it was readable
 *   (timerfd_settime(2) resets the count of expirations), and that has to be done anyway. One that
 *   is not set anew stays readable with its watcher stopped, which costs one turn of the loop.
 * - A stopped watcher leaves the descriptor in libev's epoll set; libev drops it lazily when it
 *   next reports. A closed descriptor has left by itself, but for one that a child of fork() still
 *   has: then the number that libev drops may be another thread's by now. The kernel looks for
 *   number and file together, so nothing happens to that one; tsan knows numbers alone.
 * - A direct loop (direct.h) hides behind the same functions; each asks first which one it is.
 */
#include "io/loop.h"

#include <errno.h>
#include <ev.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "direct.h"

_Static_assert(sizeof(struct ev_io) <= sizeof((struct io_watch *)NULL)->storage, "io storage");
_Static_assert(sizeof(struct ev_timer) <= sizeof((struct io_timer *)NULL)->storage, "timer");
_Static_assert(sizeof(struct ev_signal) <= sizeof((struct io_signal *)NULL)->storage, "signal");
_Static_assert(_Alignof(struct ev_io) <= _Alignof(max_align_t), "io alignment");
_Static_assert(_Alignof(struct ev_timer) <= _Alignof(max_align_t), "timer alignment");
_Static_assert(_Alignof(struct ev_signal) <= _Alignof(max_align_t), "signal alignment");
_Static_assert(sizeof(struct direct_watch) <= sizeof((struct io_watch *)NULL)->storage, "direct");
_Static_assert(sizeof(struct direct_timer) <= sizeof((struct io_timer *)NULL)->storage, "direct");
_Static_assert((int)IO_READ == (int)EV_READ && (int)IO_WRITE == (int)EV_WRITE, "passed through");

#ifdef __SANITIZE_THREAD__
/* Both may take a number out of their epoll set that is another thread's already: see direct.c. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libev.so\nrace:direct_let_go\n";
}
#endif

struct io_loop {
    struct ev_loop *ev; /* or: */
    struct direct *direct;
    struct ev_check turn;
    void (*on_turn)(void *ctx, struct mono_ns now);
    void *turn_ctx;
};

struct io_loop *io_loop_new(struct base_error *err)
{
    struct io_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        (void)base_fail_errno(err, "cannot make an event loop");
        return NULL;
    }
    loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (loop->ev == NULL) {
        (void)base_fail(err, BASE_IO,
                        "cannot make an epoll event loop: out of descriptors (see ulimit -n) or "
                        "the kernel has no epoll");
        free(loop);
        return NULL;
    }
    return loop;
}

struct io_loop *io_loop_new_direct(struct base_error *err)
{
    struct direct *direct = direct_new(err);
    if (direct == NULL)
        return NULL;
    struct io_loop *loop = base_calloc(1, sizeof *loop);
    loop->direct = direct;
    return loop;
}

static void turn_begins(struct ev_loop *ev, struct ev_check *check, int events)
{
    struct io_loop *loop = check->data;
    (void)ev;
    (void)events;
    loop->on_turn(loop->turn_ctx, base_mono_now());
}

void io_loop_on_turn(struct io_loop *loop, void (*on_turn)(void *ctx, struct mono_ns now),
                     void *ctx)
{
    if (loop->direct != NULL) {
        direct_on_turn(loop->direct, on_turn, ctx);
        return;
    }
    loop->on_turn = on_turn;
    loop->turn_ctx = ctx;
    ev_check_init(&loop->turn, turn_begins);
    ev_set_priority(&loop->turn, EV_MAXPRI); /* before what the wait has brought */
    loop->turn.data = loop;
    ev_check_start(loop->ev, &loop->turn);
    ev_unref(loop->ev); /* it alone keeps no loop running */
}

void io_loop_free(struct io_loop *loop)
{
    if (loop == NULL)
        return;
    direct_free(loop->direct);
    if (loop->ev != NULL)
        ev_loop_destroy(loop->ev);
    free(loop);
}

void io_loop_run(struct io_loop *loop)
{
    if (loop->direct != NULL)
        direct_run(loop->direct);
    else
        (void)ev_run(loop->ev, 0);
}

void io_loop_run_once(struct io_loop *loop)
{
    if (loop->direct != NULL)
        direct_turn(loop->direct);
    else
        (void)ev_run(loop->ev, EVRUN_ONCE);
}

void io_loop_stop(struct io_loop *loop)
{
    if (loop->direct != NULL)
        direct_stop(loop->direct);
    else
        ev_break(loop->ev, EVBREAK_ALL);
}

/* --- watch --- */

static struct direct_watch *watch_direct(struct io_watch *watch)
{
    return (struct direct_watch *)(void *)watch->storage;
}

static struct ev_io *watch_ev(struct io_watch *watch)
{
    return (struct ev_io *)(void *)watch->storage;
}

static void watch_ready(struct ev_loop *ev, struct ev_io *w, int revents)
{
    (void)ev;
    struct io_watch *watch = w->data;
    /* EV_ERROR (the descriptor is bad) comes with both bits: the owner's read or write then meets
     * the error itself. */
    watch->on_ready(watch->ctx, (unsigned)revents & (IO_READ | IO_WRITE));
}

void io_watch_init(struct io_watch *watch, struct io_loop *loop, int fd,
                   void (*on_ready)(void *ctx, unsigned events), void *ctx)
{
    *watch = (struct io_watch){.ctx = ctx, .on_ready = on_ready, .loop = loop};
    if (loop->direct != NULL) {
        watch_direct(watch)->fd = fd;
        return;
    }
    struct ev_io *w = watch_ev(watch);
    ev_io_init(w, watch_ready, fd, 0);
    w->data = watch;
}

void io_watch_set(struct io_watch *watch, unsigned events)
{
    if (watch->loop->direct != NULL) {
        direct_watch_set(watch->loop->direct, watch, watch_direct(watch), events);
        return;
    }
    struct ev_io *w = watch_ev(watch);
    unsigned now = ev_is_active(w) ? (unsigned)w->events & (IO_READ | IO_WRITE) : 0;
    if (events == now)
        return;
    ev_io_stop(watch->loop->ev, w);
    if (events == 0)
        return;
    ev_io_modify(w, (int)events);
    ev_io_start(watch->loop->ev, w);
}

void io_watch_edge(struct io_watch *watch)
{
    if (watch->loop->direct != NULL)
        watch_direct(watch)->edge = true;
}

void io_watch_again(struct io_watch *watch)
{
    if (watch->loop->direct != NULL)
        direct_watch_again(watch->loop->direct, watch, watch_direct(watch));
}

void io_watch_fini(struct io_watch *watch)
{
    if (watch->loop == NULL)
        return;
    if (watch->loop->direct != NULL)
        direct_watch_set(watch->loop->direct, watch, watch_direct(watch), 0);
    else
        ev_io_stop(watch->loop->ev, watch_ev(watch));
    watch->loop = NULL;
}

/* --- timer --- */

static struct ev_timer *timer_ev(struct io_timer *timer)
{
    return (struct ev_timer *)(void *)timer->storage;
}

static struct direct_timer *timer_direct(struct io_timer *timer)
{
    return (struct direct_timer *)(void *)timer->storage;
}

static void timer_due(void *owner)
{
    struct io_timer *timer = owner;
    timer->on_expire(timer->ctx);
}

static void timer_expired(struct ev_loop *ev, struct ev_timer *w, int revents)
{
    (void)ev;
    (void)revents;
    struct io_timer *timer = w->data;
    timer->on_expire(timer->ctx);
}

void io_timer_init(struct io_timer *timer, struct io_loop *loop, void (*on_expire)(void *ctx),
                   void *ctx)
{
    *timer = (struct io_timer){.ctx = ctx, .on_expire = on_expire, .loop = loop};
    if (loop->direct != NULL) {
        *timer_direct(timer) = (struct direct_timer){.owner = timer, .expire = timer_due};
        return;
    }
    struct ev_timer *w = timer_ev(timer);
    ev_timer_init(w, timer_expired, 0., 0.);
    w->data = timer;
}

void io_timer_start(struct io_timer *timer, struct dur_ns after)
{
    if (timer->loop->direct != NULL) {
        int64_t at = base_mono_now().ns + (after.ns > 0 ? after.ns : 0);
        direct_timer_start(timer->loop->direct, timer_direct(timer), at);
        return;
    }
    struct ev_timer *w = timer_ev(timer);
    ev_timer_stop(timer->loop->ev, w);
    /* libev counts from when its turn began; after a long callback that would fire too early. */
    ev_now_update(timer->loop->ev);
    ev_timer_set(w, after.ns > 0 ? base_dur_to_s(after) : 0., 0.);
    ev_timer_start(timer->loop->ev, w);
}

void io_timer_stop(struct io_timer *timer)
{
    if (timer->loop->direct != NULL)
        direct_timer_stop(timer->loop->direct, timer_direct(timer));
    else
        ev_timer_stop(timer->loop->ev, timer_ev(timer));
}

bool io_timer_active(const struct io_timer *timer)
{
    if (timer->loop->direct != NULL)
        return ((const struct direct_timer *)(const void *)timer->storage)->slot > 0;
    const struct ev_timer *w = (const struct ev_timer *)(const void *)timer->storage;
    return w->active != 0; /* what ev_is_active asks, which casts const away */
}

void io_timer_fini(struct io_timer *timer)
{
    if (timer->loop == NULL)
        return;
    io_timer_stop(timer);
    timer->loop = NULL;
}

/* --- alarm: in a direct loop its watch's storage holds a timer --- */

static struct direct_timer *alarm_direct(struct io_alarm *alarm)
{
    return (struct direct_timer *)(void *)alarm->watch.storage;
}

static void alarm_due(void *owner)
{
    struct io_alarm *alarm = owner;
    alarm->set = false;
    alarm->on_expire(alarm->ctx);
}

static void alarm_ready(void *ctx, unsigned events)
{
    (void)events;
    struct io_alarm *alarm = ctx;
    /* Set anew, for later, after the kernel had reported the earlier time. */
    if (base_mono_before(base_mono_now(), alarm->when))
        return;
    alarm->set = false;
    io_watch_set(&alarm->watch, 0);
    alarm->on_expire(alarm->ctx);
}

bool io_alarm_init(struct io_alarm *alarm, struct io_loop *loop, void (*on_expire)(void *ctx),
                   void *ctx, struct base_error *err)
{
    if (loop->direct != NULL) {
        *alarm =
            (struct io_alarm){.fd = -1, .ctx = ctx, .on_expire = on_expire, .watch.loop = loop};
        *alarm_direct(alarm) = (struct direct_timer){.owner = alarm, .expire = alarm_due};
        return true;
    }
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return base_fail_errno(err, "cannot make a timer descriptor (timerfd_create)");
    *alarm = (struct io_alarm){.fd = fd, .ctx = ctx, .on_expire = on_expire};
    io_watch_init(&alarm->watch, loop, fd, alarm_ready, alarm);
    return true;
}

static void alarm_program(struct io_alarm *alarm, int64_t at_ns)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = at_ns / BASE_NS_PER_S, .tv_nsec = at_ns % BASE_NS_PER_S}};
    /* Cannot fail: the descriptor is ours and the time is in range (timerfd_settime(2)). */
    (void)timerfd_settime(alarm->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void io_alarm_set(struct io_alarm *alarm, struct mono_ns when)
{
    if (alarm->set && alarm->when.ns == when.ns)
        return;
    alarm->set = true;
    alarm->when = when;
    if (alarm->watch.loop->direct != NULL) {
        direct_timer_start(alarm->watch.loop->direct, alarm_direct(alarm), when.ns);
        return;
    }
    alarm_program(alarm, when.ns > 0 ? when.ns : 1); /* zero would disarm */
    io_watch_set(&alarm->watch, IO_READ);
}

void io_alarm_clear(struct io_alarm *alarm)
{
    alarm->set = false;
    if (alarm->watch.loop->direct != NULL) {
        direct_timer_stop(alarm->watch.loop->direct, alarm_direct(alarm));
        return;
    }
    io_watch_set(&alarm->watch, 0);
    alarm_program(alarm, 0);
}

void io_alarm_fini(struct io_alarm *alarm)
{
    if (alarm->watch.loop == NULL)
        return;
    if (alarm->watch.loop->direct != NULL) {
        direct_timer_stop(alarm->watch.loop->direct, alarm_direct(alarm));
        alarm->watch.loop = NULL;
        return;
    }
    io_watch_fini(&alarm->watch);
    base_fd_close(&alarm->fd);
}

/* --- signal --- */

static struct ev_signal *signal_ev(struct io_signal *signal)
{
    return (struct ev_signal *)(void *)signal->storage;
}

static void signal_arrived(struct ev_loop *ev, struct ev_signal *w, int revents)
{
    (void)ev;
    (void)revents;
    struct io_signal *signal = w->data;
    signal->on_signal(signal->ctx, w->signum);
}

void io_signal_init(struct io_signal *signal, struct io_loop *loop, int number,
                    void (*on_signal)(void *ctx, int number), void *ctx)
{
    *signal = (struct io_signal){.ctx = ctx, .on_signal = on_signal, .loop = loop};
    struct ev_signal *w = signal_ev(signal);
    ev_signal_init(w, signal_arrived, number);
    w->data = signal;
    ev_signal_start(loop->ev, w);
}

void io_signal_fini(struct io_signal *signal)
{
    if (signal->loop == NULL)
        return;
    ev_signal_stop(signal->loop->ev, signal_ev(signal));
    signal->loop = NULL;
}

/* --- wake --- */

static void wake_ready(void *ctx, unsigned events)
{
    (void)events;
    struct io_wake *wake = ctx;
    uint64_t count;
    if (read(wake->fd, &count, sizeof count) == (ssize_t)sizeof count)
        wake->on_wake(wake->ctx);
}

bool io_wake_init(struct io_wake *wake, struct io_loop *loop, void (*on_wake)(void *ctx), void *ctx,
                  struct base_error *err)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return base_fail_errno(err, "cannot make a wake-up descriptor (eventfd)");
    *wake = (struct io_wake){.fd = fd, .ctx = ctx, .on_wake = on_wake};
    io_watch_init(&wake->watch, loop, fd, wake_ready, wake);
    io_watch_set(&wake->watch, IO_READ);
    return true;
}

void io_wake_send(struct io_wake *wake)
{
    int keep = errno; /* a signal handler must not change it: signal-safety(7) */
    static const uint64_t one = 1;
    ssize_t written;
    do {
        written = write(wake->fd, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
    /* EAGAIN: the counter is full, so a wake-up is pending already. */
    errno = keep;
}

void io_wake_fini(struct io_wake *wake)
{
    if (wake->watch.loop == NULL)
        return;
    io_watch_fini(&wake->watch);
    base_fd_close(&wake->fd);
}
