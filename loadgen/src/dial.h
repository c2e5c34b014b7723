/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that libcurl makes (adapter: dial.c): through a proxy (HTTP's CONNECT, SOCKS), to a
 * name, to a unix socket. Once one stands, libcurl lets go of its socket, and it is a line (line.h)
 * like any other: TLS with the target and all that is said are the line's owner's.
 *
 * Design notes. CURLOPT_CONNECT_ONLY on a multi handle of the thread, in which an easy handle stays
 * no longer than its attempt. Taking it out makes libcurl close the connection, which is when the
 * socket is kept from being closed. The answer to CONNECT is read byte by byte (7.88), so nothing
 * of what follows is lost. Few attempts are under way at once: each of those that need a name may
 * have a thread of its own until the first has brought it.
 */
#ifndef LOAD_DIAL_H
#define LOAD_DIAL_H

#include "driver.h"

struct load_dials; /* of one thread */
struct load_dial;  /* an attempt */

struct load_dialled {
    int fd;                /* the caller's from here on; -1: refused */
    struct dur_ns connect; /* how long TCP took, to the proxy where there is one */
    enum load_cause cause; /* when refused */
};

/* For engines on lines: sets pool->dials where the spec has libcurl connect. */
bool load_dials_init(struct load_pool *pool, struct base_error *err);
void load_dials_fini(struct load_pool *pool); /* after its attempts; where there are none, too */

/* Connects to conn->address, from conn->source. on_end comes once, at a later turn of the loop,
 * behind which the attempt is gone. */
struct load_dial *load_dial_start(struct load_dials *dials, const struct load_conn *conn,
                                  void (*on_end)(void *ctx, const struct load_dialled *end),
                                  void *ctx);
/* What it waits for: the cause when it has taken too long. */
enum load_cause load_dial_awaits(const struct load_dial *dial);
void load_dial_drop(struct load_dial *dial); /* accepts NULL; without on_end */

#endif
