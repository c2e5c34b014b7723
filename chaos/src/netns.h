/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network namespaces: a handle on one, and sockets made inside it. setns(2) acts on one thread and
 * a socket stays in the namespace it was made in, so a short-lived thread enters, makes the socket
 * and ends: the agent's own threads never leave their namespace, on no error path.
 */
#ifndef CHAOS_NETNS_H
#define CHAOS_NETNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct fault_netns {
    int fd; /* -1: closed */
    uint64_t dev;
    uint64_t ino;
};

/* Opens path (a bind mount as of `ip netns`, or /proc/PID/ns/net). BASE_DENIED when it is the
 * agent's own namespace: a fault there would hit the host. */
bool fault_netns_open(const char *path, struct fault_netns *out, struct base_error *err);
/* A new one, which lasts until it is closed and nothing is inside any more. */
bool fault_netns_new(struct fault_netns *out, struct base_error *err);
/* The agent's own: to measure from, never to change. */
bool fault_netns_own(struct fault_netns *out, struct base_error *err);
/* The calling thread goes inside, and stays there until it ends. */
bool fault_netns_enter(const struct fault_netns *netns, struct base_error *err);
void fault_netns_close(struct fault_netns *netns); /* accepts a zeroed value with fd -1 */
bool fault_netns_same(const struct fault_netns *a, const struct fault_netns *b);
/* As socket(2) with SOCK_CLOEXEC, inside; -1 with err. netns NULL: inside a new namespace that
 * ends when the socket is closed. */
int fault_netns_socket(const struct fault_netns *netns, int domain, int type, int protocol,
                       struct base_error *err);

#endif
