/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of a server that must get on with their requests. libmicrohttpd's own timeout counts
 * from the last byte, so that a peer that sends one now and then keeps its connection for ever;
 * here a whole request has a deadline. And when all connections are taken, the one that has kept us
 * waiting for longest gives way, so that whoever comes next is heard. Not for connections whose
 * request is being worked on: those have all the time they need.
 */
#ifndef IO_PATIENCE_H
#define IO_PATIENCE_H

#include "hang_up.h"

struct io_patience {
    struct io_timer timer;
    struct dur_ns request; /* for a whole request; 0: nobody is hurried */
    struct dur_ns idle;    /* between two requests */
    struct io_peer *peers;
};

void io_patience_init(struct io_patience *patience, struct io_loop *loop, struct dur_ns request,
                      struct dur_ns idle);
void io_patience_fini(struct io_patience *patience); /* accepts a zeroed value */
/* A new connection; until _remove, which must come before its descriptor is closed. */
void io_patience_add(struct io_patience *patience, struct io_peer *peer);
void io_patience_remove(struct io_patience *patience, struct io_peer *peer);
void io_patience_begins(const struct io_patience *patience, struct io_peer *peer); /* a request */
void io_patience_whole(struct io_peer *peer); /* it is all there, and worked on */
void io_patience_rests(const struct io_patience *patience, struct io_peer *peer); /* answered */
/* Shuts down the connection that has made us wait for longest; none when all are worked on. */
void io_patience_make_room(struct io_patience *patience);

#endif
