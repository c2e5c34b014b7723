/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices that peers hang up, on sockets that nobody reads at the moment too. An epoll set of its
 * own, edge-triggered for EPOLLRDHUP alone: a socket enters it once and stays until it is closed,
 * so that watching costs no system call on each request. A peer that only shuts down its sending
 * side counts as gone, as in nginx.
 */
#ifndef IO_HANG_UP_H
#define IO_HANG_UP_H

#include "io/loop.h"

struct io_peer {   /* one connection */
    void *waiting; /* what its hang-up concerns; NULL: nothing, it will be read again */
    int fd;
    bool watched;  /* in the set */
    bool reported; /* its edge has been seen: to be armed again before relying on it */
    struct io_peer *next, **link; /* of patience.h */
    struct mono_ns due;           /* when it must have got on with its request; 0: no hurry */
};

struct io_hang_ups {
    int fd;
    struct io_watch watch;
};

/* on_ready: somebody hung up; take it with io_hang_ups_take. */
bool io_hang_ups_init(struct io_hang_ups *set, struct io_loop *loop,
                      void (*on_ready)(void *ctx, unsigned events), void *ctx,
                      struct base_error *err);
void io_hang_ups_fini(struct io_hang_ups *set); /* accepts a zeroed set */
/* Calls back for each peer that hung up, some at a time; peers must not be released meanwhile. */
void io_hang_ups_take(struct io_hang_ups *set, void (*on_hang_up)(void *ctx, struct io_peer *peer),
                      void *ctx);
void io_hang_ups_add(struct io_hang_ups *set,
                     struct io_peer *peer); /* again: reports a past hang-up anew */
void io_hang_ups_remove(struct io_hang_ups *set, struct io_peer *peer); /* before its fd closes */

#endif
