/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from one end of a proxied connection and goes to the other, for drivers that look at
 * the bytes: read into `in`, moved by the driver to `out`, written from there. Each is bounded, so
 * that a slow reader makes its writer wait. */
#ifndef CHAOS_PROXY_HALF_H
#define CHAOS_PROXY_HALF_H

#include "base/buf.h"
#include "proxy.h"

enum { PROXY_HALF_CHUNK = 32 * 1024 };

struct proxy_half {
    struct base_buf in;
    struct base_buf out;
    size_t room; /* no more is read while `in` holds so many bytes; the driver's bound for `out` */
    bool ended;  /* that end has said its last */
    bool reset;  /* ... by a reset: what was read before it is passed on still */
    bool unwanted; /* the other end takes no more: what comes is thrown away */
    bool shut;     /* the other end knows that it ended */
};

/* `out` takes one more of whatever `in` may hold when it is at its bound. */
void proxy_half_init(struct proxy_half *half, size_t room);
void proxy_half_fini(struct proxy_half *half);           /* accepts a zeroed value */
void proxy_half_move(struct proxy_half *half, size_t n); /* the first n bytes of in, to out */
bool proxy_half_wants(const struct proxy_half *half);    /* that more is read */

/* --- both of a connection, each by the end that it comes from --- */

/* Reads once; whether anything came, an end included. A client that is gone ends the connection;
 * a server that is gone may have answered before. */
bool proxy_half_fill(struct proxy_conn *conn, struct proxy_half halves[2], enum proxy_end from);
bool proxy_half_drain(struct proxy_conn *conn, struct proxy_half halves[2], enum proxy_end to);
void proxy_half_pass_end(struct proxy_conn *conn, struct proxy_half halves[2], enum proxy_end from);
/* Whether all that is left is to reset the client, too, once it has got everything. */
bool proxy_half_server_reset(const struct proxy_half halves[2]);

#endif
