/* SPDX-License-Identifier: Apache-2.0 */
#include "direct.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

enum { EVENTS = 64 };

/* Up to here a deadline is near. Chosen, not measured: about what some turns of a busy thread take.
 */
static const int64_t near_deadline = 50 * BASE_NS_PER_US;
/* Beyond it a deadline is far: more than what a turn takes. */
static const int64_t far_deadline = BASE_NS_PER_MS;

struct slot {
    int64_t at;
    struct direct_timer *timer;
};

struct direct {
    int epoll;
    int timerfd; /* edge-triggered: never read, setting it anew is enough */
    int64_t near;
    int64_t told; /* what it is set to; INT64_MAX: nothing that lies ahead */
    bool stop;
    int64_t looked;                                 /* at the clock: when a wait was over last */
    void (*on_turn)(void *ctx, struct mono_ns now); /* NULL: nobody asks */
    void *turn_ctx;
    size_t watches; /* registered */
    int next;       /* of the events below, the first that has not been told */
    int count;
    struct epoll_event events[EVENTS];
    struct slot *heap; /* from 1; the parent of n is n / 2 and is not later */
    size_t timers;
    size_t room;
};

/* Some sandboxes and instruments know no epoll_pwait2, nor do kernels before 5.11. */
static bool can_wait_exactly(int epoll)
{
    static const struct timespec zero;
    struct epoll_event event;
    return epoll_pwait2(epoll, &event, 1, &zero, NULL) >= 0;
}

/* timeout as timeout_at() gives it. */
static int wait_for(struct direct *direct, int64_t timeout)
{
    if (timeout <= 0)
        return epoll_wait(direct->epoll, direct->events, EVENTS, timeout < 0 ? -1 : 0);
    const struct timespec exact = {.tv_nsec = timeout}; /* near, so less than a second */
    return epoll_pwait2(direct->epoll, direct->events, EVENTS, &exact, NULL);
}

struct direct *direct_new(struct base_error *err)
{
    struct direct *direct = base_calloc(1, sizeof *direct);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = direct};
    direct->told = INT64_MAX;
    direct->epoll = epoll_create1(EPOLL_CLOEXEC);
    direct->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (direct->epoll >= 0 && direct->timerfd >= 0 &&
        epoll_ctl(direct->epoll, EPOLL_CTL_ADD, direct->timerfd, &event) == 0) {
        direct->near = can_wait_exactly(direct->epoll) ? near_deadline : 0;
        return direct;
    }
    (void)base_fail_errno(err, "cannot make an epoll event loop");
    direct_free(direct);
    return NULL;
}

void direct_free(struct direct *direct)
{
    if (direct == NULL)
        return;
    base_fd_close(&direct->epoll);
    base_fd_close(&direct->timerfd);
    free(direct->heap);
    free(direct);
}

/* --- timers: a binary heap whose elements know their place --- */

static void put(struct direct *direct, size_t n, struct slot slot)
{
    direct->heap[n] = slot;
    slot.timer->slot = n;
}

static void rise(struct direct *direct, size_t n, struct slot slot)
{
    for (; n > 1 && direct->heap[n / 2].at > slot.at; n /= 2)
        put(direct, n, direct->heap[n / 2]);
    put(direct, n, slot);
}

static void sink(struct direct *direct, size_t n, struct slot slot)
{
    for (;;) {
        size_t child = n * 2;
        if (child < direct->timers && direct->heap[child + 1].at < direct->heap[child].at)
            child++;
        if (child > direct->timers || direct->heap[child].at >= slot.at)
            break;
        put(direct, n, direct->heap[child]);
        n = child;
    }
    put(direct, n, slot);
}

static void place(struct direct *direct, size_t n, struct slot slot)
{
    if (n > 1 && direct->heap[n / 2].at > slot.at)
        rise(direct, n, slot);
    else
        sink(direct, n, slot);
}

void direct_timer_start(struct direct *direct, struct direct_timer *timer, int64_t at)
{
    size_t n = timer->slot;
    timer->at = at;
    if (n == 0) {
        if (direct->timers + 1 >= direct->room) {
            direct->room = direct->room == 0 ? 16 : direct->room * 2;
            direct->heap = base_reallocarray(direct->heap, direct->room, sizeof *direct->heap);
        }
        n = ++direct->timers;
    }
    place(direct, n, (struct slot){at, timer});
}

void direct_timer_stop(struct direct *direct, struct direct_timer *timer)
{
    size_t n = timer->slot;
    if (n == 0)
        return;
    timer->slot = 0;
    struct slot last = direct->heap[direct->timers--];
    if (n <= direct->timers)
        place(direct, n, last);
}

/* Those due now, each once at most: one that is started again for a past time waits for I/O to have
 * its turn. */
static bool expire(struct direct *direct, int64_t now)
{
    size_t most = direct->timers;
    bool any = false;
    while (most-- > 0 && direct->timers > 0 && direct->heap[1].at <= now && !direct->stop) {
        struct direct_timer *timer = direct->heap[1].timer;
        direct_timer_stop(direct, timer);
        timer->expire(timer->owner);
        any = true;
    }
    return any;
}

/* --- descriptors --- */

/* What the kernel has reported of it already must not be told any more: it may be gone. */
static void forget(struct direct *direct, const struct io_watch *watch)
{
    for (int i = direct->next; i < direct->count; i++)
        if (direct->events[i].data.ptr == watch)
            direct->events[i].data.ptr = NULL;
}

/* A library may have closed it without a word (libpq does so with each failure), and the number be
 * another thread's by then: the kernel looks for number and file together, and finds none. */
static void direct_let_go(const struct direct *direct, int fd)
{
    (void)epoll_ctl(direct->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void control(const struct direct *direct, int op, struct io_watch *watch,
                    const struct direct_watch *own)
{
    struct epoll_event event = {.data.ptr = watch};
    event.events = ((own->events & IO_READ) != 0 ? (unsigned)EPOLLIN : 0U) |
                   ((own->events & IO_WRITE) != 0 ? (unsigned)EPOLLOUT : 0U) |
                   (own->edge ? (unsigned)EPOLLET | EPOLLRDHUP : 0U);
    int done = epoll_ctl(direct->epoll, op, own->fd, &event);
    /* Closed by who did not say so (libcurl), and given out again: a registration goes with its
     * file. */
    if (done != 0 && op == EPOLL_CTL_MOD && errno == ENOENT)
        done = epoll_ctl(direct->epoll, EPOLL_CTL_ADD, own->fd, &event);
    /* EEXIST cannot be, a watch is one; ENOMEM and ENOSPC (max_user_watches) would leave it deaf
     * for ever, and its owner's timeouts would tell lies: end as base_calloc does. */
    if (done != 0)
        abort();
}

void direct_watch_set(struct direct *direct, struct io_watch *watch, struct direct_watch *own,
                      unsigned events)
{
    if (events == own->events)
        return;
    int op = own->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    own->events = events;
    if (events == 0) {
        direct->watches--;
        direct_let_go(direct, own->fd);
        forget(direct, watch);
        return;
    }
    direct->watches += op == EPOLL_CTL_ADD;
    control(direct, op, watch, own);
}

/* To change an edge-triggered registration has the kernel look at once (epoll_ctl(2)). */
void direct_watch_again(struct direct *direct, struct io_watch *watch, struct direct_watch *own)
{
    if (own->edge && own->events != 0)
        control(direct, EPOLL_CTL_MOD, watch, own);
}

static void tell(struct direct *direct, const struct epoll_event *event)
{
    struct io_watch *watch = event->data.ptr;
    struct direct_watch *own = (struct direct_watch *)(void *)watch->storage;
    unsigned ready = 0;
    /* The end may lie behind bytes at which a short read stops, and is reported once only. */
    if (own->edge && (event->events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) {
        own->edge = false;
        control(direct, EPOLL_CTL_MOD, watch, own);
    }
    /* An error or a hang-up is met by whatever the owner waits for (as libev has it). */
    if ((event->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
        ready |= IO_READ;
    if ((event->events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0)
        ready |= IO_WRITE;
    ready &= own->events;
    if (ready != 0)
        watch->on_ready(watch->ctx, ready);
}

static void tell_all(struct direct *direct)
{
    for (direct->next = 0; direct->next < direct->count && !direct->stop;) {
        const struct epoll_event *event = &direct->events[direct->next++];
        if (event->data.ptr == direct)
            direct->told = INT64_MAX;
        else if (event->data.ptr != NULL)
            tell(direct, event);
    }
}

/* --- turning --- */

/* How long to wait, in ns; negative: until something comes, the timerfd's expiry among others. */
static int64_t timeout_at(struct direct *direct, int64_t now)
{
    int64_t at = direct->timers > 0 ? direct->heap[1].at : INT64_MAX;
    if (at <= now)
        return 0;
    if (at >= direct->told) /* it comes first, and what it comes for is looked at then */
        return -1;
    if (at - now <= direct->near)
        return at - now;
    struct itimerspec when = {
        .it_value = {.tv_sec = at / BASE_NS_PER_S, .tv_nsec = at % BASE_NS_PER_S}};
    /* Cannot fail: the descriptor is ours and the time is in range (timerfd_settime(2)). */
    (void)timerfd_settime(direct->timerfd, TFD_TIMER_ABSTIME, &when, NULL);
    direct->told = at;
    return -1;
}

/* There is something to wait for. */
static bool is_of_use(const struct direct *direct)
{
    return direct->watches > 0 || direct->timers > 0;
}

static void wait_and_tell(struct direct *direct, int64_t timeout)
{
    direct->count = wait_for(direct, timeout);
    direct->looked = base_mono_now().ns;
    if (direct->on_turn != NULL)
        direct->on_turn(direct->turn_ctx, (struct mono_ns){direct->looked});
    if (direct->count > 0)
        tell_all(direct);
    direct->count = 0;
}

void direct_on_turn(struct direct *direct, void (*on_turn)(void *ctx, struct mono_ns now),
                    void *ctx)
{
    direct->on_turn = on_turn;
    direct->turn_ctx = ctx;
}

void direct_turn(struct direct *direct)
{
    int64_t now = base_mono_now().ns;
    bool any = expire(direct, now);
    if (is_of_use(direct))
        wait_and_tell(direct, any ? 0 : timeout_at(direct, now));
}

/* No timer can have expired since the last look, unless a turn took as long; then the next one
 * sees it. */
static bool all_are_far(const struct direct *direct)
{
    return direct->timers == 0 || direct->heap[1].at - direct->looked > far_deadline;
}

void direct_run(struct direct *direct)
{
    direct->stop = false;
    direct->looked = base_mono_now().ns;
    while (!direct->stop && is_of_use(direct)) {
        int64_t now = direct->looked;
        if (!all_are_far(direct)) {
            now = base_mono_now().ns;
            if (expire(direct, now))
                now = base_mono_now().ns;
        }
        if (!direct->stop && is_of_use(direct))
            wait_and_tell(direct, timeout_at(direct, now));
    }
}

void direct_stop(struct direct *direct)
{
    direct->stop = true;
}
