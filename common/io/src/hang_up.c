/* SPDX-License-Identifier: Apache-2.0 */
#include "hang_up.h"

#include <sys/epoll.h>

#include "base/file.h"

enum { EVENTS_PER_TURN = 64 };

bool io_hang_ups_init(struct io_hang_ups *set, struct io_loop *loop,
                      void (*on_ready)(void *ctx, unsigned events), void *ctx,
                      struct base_error *err)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return base_fail_errno(err, "cannot make an epoll set");
    *set = (struct io_hang_ups){.fd = fd};
    io_watch_init(&set->watch, loop, fd, on_ready, ctx);
    io_watch_set(&set->watch, IO_READ);
    return true;
}

void io_hang_ups_take(struct io_hang_ups *set, void (*on_hang_up)(void *ctx, struct io_peer *peer),
                      void *ctx)
{
    struct epoll_event hung[EVENTS_PER_TURN];
    int count = epoll_wait(set->fd, hung, EVENTS_PER_TURN, 0);
    for (int i = 0; i < count; i++) {
        struct io_peer *peer = hung[i].data.ptr;
        peer->reported = true;
        on_hang_up(ctx, peer);
    }
}

void io_hang_ups_fini(struct io_hang_ups *set)
{
    if (set->watch.loop == NULL)
        return;
    io_watch_fini(&set->watch);
    base_fd_close(&set->fd);
}

void io_hang_ups_add(struct io_hang_ups *set, struct io_peer *peer)
{
    if (peer->watched && !peer->reported)
        return;
    /* Changing a member reports its state afresh, edge-triggered or not: epoll_ctl(2). */
    int op = peer->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data = {.ptr = peer}};
    /* Fails for want of memory only; a hang-up is then noticed when the reply is sent. */
    peer->watched = epoll_ctl(set->fd, op, peer->fd, &event) == 0;
    peer->reported = false;
}

void io_hang_ups_remove(struct io_hang_ups *set, struct io_peer *peer)
{
    /* Not left to close(2): a child between fork and exec may hold a copy of the descriptor, and
     * the set would go on to report a peer that is no more. */
    if (peer->watched)
        (void)epoll_ctl(set->fd, EPOLL_CTL_DEL, peer->fd, NULL);
    peer->watched = false;
}
