/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transparent proxy inside a target's network namespace: takes the connections that a redirect
 * (nft.h) sends it, opens one to where each was going (SO_ORIGINAL_DST), and lets a driver decide
 * what passes between the two.
 *
 * Each proxy is a thread with a loop of its own: it enters the namespace for good, so that opening
 * a connection there costs one system call and no visit (netns.h); and the agent's loop, which
 * blocks for milliseconds in nftables transactions, adds nothing to what passes.
 *
 * What is held ends without us, too: sockets have SO_LINGER 0, so that the kernel of an agent that
 * is killed resets them, and TCP keepalive, by which the rule "lapsed" of the redirect resets those
 * of an agent that is stopped.
 */
#ifndef CHAOS_PROXY_H
#define CHAOS_PROXY_H

#include <sys/socket.h>

#include "io/loop.h"
#include "netns.h"

struct fault_proxy;
struct fault_proxy_config;
struct proxy_conn;

enum proxy_end { PROXY_CLIENT, PROXY_SERVER };
static inline enum proxy_end proxy_other(enum proxy_end end)
{
    return end == PROXY_CLIENT ? PROXY_SERVER : PROXY_CLIENT;
}

/* What happens to a connection. All of it on the proxy's thread. */
struct proxy_driver {
    size_t state_size;  /* of what each connection has, zeroed; proxy_conn_state */
    size_t shared_size; /* of what the connections of one proxy share, zeroed */
    void (*share)(void *shared, const void *rules, size_t number); /* fills it; NULL: nothing */
    /* What it does besides connections (UDP): sockets are made by the caller's thread, before the
     * proxy's thread runs; used on that one; given back when it has ended. All NULL: nothing. */
    bool (*start)(void *shared, struct io_loop *loop, const struct fault_proxy_config *config,
                  struct base_error *err);
    uint16_t (*udp_port)(const void *shared, int family);
    void (*stop)(void *shared);
    /* Whether it wants a connection to the server at all; NULL: yes. Asked once, before begin. */
    bool (*wants_server)(const struct proxy_conn *conn);
    void (*begin)(struct proxy_conn *conn); /* both ends are there */
    void (*on_ready)(struct proxy_conn *conn, enum proxy_end end);
    void (*finish)(struct proxy_conn *conn); /* frees what the state holds; only after begin */
};

struct fault_proxy_config {
    const struct fault_netns *netns;
    uint32_t mark; /* of its own connections: SO_MARK */
    const struct proxy_driver *driver;
    const void *rules; /* the driver's; outlives the proxy and does not change */
    size_t number;     /* of this proxy among those of a fault */
};

/* Listens on a port of its own for each address family that the namespace has. */
struct fault_proxy *fault_proxy_start(const struct fault_proxy_config *config,
                                      struct base_error *err);
/* 0: there is no such family. */
uint16_t fault_proxy_port(const struct fault_proxy *proxy, int family);
uint16_t fault_proxy_udp_port(const struct fault_proxy *proxy, int family);
/* Resets every connection and joins the thread: some milliseconds. Accepts NULL. */
void fault_proxy_stop(struct fault_proxy *proxy);

/* --- for the drivers --- */
const void *proxy_conn_rules(const struct proxy_conn *conn);
void *proxy_conn_state(const struct proxy_conn *conn);
void *proxy_conn_shared(const struct proxy_conn *conn);
struct io_loop *proxy_conn_loop(const struct proxy_conn *conn);
int proxy_conn_fd(const struct proxy_conn *conn, enum proxy_end end);
void proxy_conn_watch(struct proxy_conn *conn, enum proxy_end end, unsigned events);
/* Ends it: gracefully, as when both ends have said all, or with a reset of both ends. The driver is
 * called no more, but for finish; the connection's memory stays until this turn of the loop is
 * over. */
enum proxy_close { PROXY_GRACEFUL, PROXY_RESET };
void proxy_conn_close(struct proxy_conn *conn, enum proxy_close how);
bool proxy_conn_closed(const struct proxy_conn *conn);

#endif
