/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A series of UDP datagrams, which a socket of ours in the peer's own network namespace sends back:
 * no service is asked, and no kernel, whose "port unreachable" comes once a second at most
 * (icmp(7), icmp_ratelimit). Nobody else's datagrams are answered. Where only some ports are meant
 * one of the two sockets is bound to one of them, whichever end has it free.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "connect.h"
#include "probe.h"

enum {
    ipv4_headers = 20 + 8,
    ipv6_headers = 40 + 8,
    cookie_bytes = 8,
    message_least = cookie_bytes + 4, /* and the index */
    message_max = 1472,
    buffer_bytes = 4 << 20 /* a series for a slow link is sent at once */
};

struct datagrams {
    struct fault_probe *probe;
    int fd; /* of the target's end */
    struct io_watch watch;
    int echo; /* of the peer's */
    struct io_watch echo_watch;
    unsigned char cookie[cookie_bytes]; /* tells our datagrams from those of others */
    size_t len;                         /* of each */
    bool broken;                        /* there is nobody to answer */
    struct base_error why;
};

/* What is sent meets a rule that drops or rejects, or learns of an earlier one that did: it is
 * lost, as others are. */
static bool is_loss(int sys)
{
    return sys == EPERM || sys == ECONNREFUSED || sys == EHOSTUNREACH || sys == ENETUNREACH;
}

/* --- the peer's end --- */

static void on_question(void *ctx, unsigned events)
{
    (void)events;
    const struct datagrams *all = ctx;
    unsigned char data[message_max];
    for (;;) {
        struct sockaddr_storage from;
        socklen_t len = sizeof from;
        ssize_t n =
            recvfrom(all->echo, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
        if (n < 0 && (errno == EINTR || is_loss(errno)))
            continue;
        if (n < 0)
            return;
        /* One that cannot be sent is one that did not come. */
        if ((size_t)n == all->len && memcmp(data, all->cookie, cookie_bytes) == 0)
            (void)sendto(all->echo, data, (size_t)n, MSG_DONTWAIT, (const struct sockaddr *)&from,
                         len);
    }
}

/* --- the target's end --- */

static void on_answer(void *ctx, unsigned events)
{
    (void)events;
    const struct datagrams *all = ctx;
    unsigned char data[message_max];
    for (;;) {
        ssize_t n = recv(all->fd, data, sizeof data, MSG_DONTWAIT);
        uint32_t index;
        if (n < 0 && (errno == EINTR || is_loss(errno)))
            continue;
        if (n < 0)
            return;
        if ((size_t)n != all->len || memcmp(data, all->cookie, cookie_bytes) != 0)
            continue;
        memcpy(&index, data + cookie_bytes, sizeof index);
        fault_probe_answered(all->probe, index, (struct dur_ns){0});
        return; /* the series may be over; what is there still wakes the watch again */
    }
}

/* --- opening --- */

static bool bind_to(int fd, const struct fault_peer *where, uint16_t port)
{
    struct fault_peer place = *where;
    struct sockaddr_storage address;
    place.port = port;
    socklen_t len = fault_peer_address(&place, &address);
    return bind(fd, (const struct sockaddr *)&address, len) == 0;
}

static bool bind_to_named(int fd, const struct fault_peer *where,
                          const struct fault_probe_plan *plan)
{
    for (size_t i = 0; i < plan->port_count; i++) {
        uint64_t port = 0;
        if (base_parse_u64(plan->ports[i], &port) && bind_to(fd, where, (uint16_t)port))
            return true;
    }
    return false;
}

static bool bind_ends(const struct datagrams *all, const struct fault_probe_task *task,
                      struct base_error *err)
{
    const struct fault_probe_plan *plan = &task->plan;
    const struct fault_peer anywhere = {.family = task->peer->family};
    if (plan->port_count > 0 && bind_to_named(all->echo, task->peer, plan))
        return true;
    if (!bind_to(all->echo, task->peer, 0))
        return base_fail_errno(err, "cannot take a UDP port of %s", task->peer->text);
    return plan->port_count == 0 || bind_to_named(all->fd, &anywhere, plan) ||
           base_fail_errno(
               err, "none of the ports is free for UDP, at neither end, so that what befalls "
                    "them cannot be measured");
}

static bool settle_peer(struct datagrams *all, const struct fault_probe_task *task,
                        struct base_error *err)
{
    static const int bytes = buffer_bytes;
    struct fault_netns home = {.fd = -1};
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (!fault_netns_open(task->peer->home, &home, err))
        return false;
    all->echo = fault_netns_socket(&home, task->peer->family, SOCK_DGRAM | SOCK_NONBLOCK, 0, err);
    fault_netns_close(&home);
    if (all->echo < 0 || !bind_ends(all, task, err))
        return false;
    (void)setsockopt(all->echo, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    (void)setsockopt(all->echo, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    return (getsockname(all->echo, (struct sockaddr *)&address, &len) == 0 &&
            connect(all->fd, (const struct sockaddr *)&address, len) == 0) ||
           base_fail_errno(err, "cannot send UDP to %s", task->peer->text);
}

static bool datagram_open(struct fault_probe *probe, struct base_error *err)
{
    static const int bytes = buffer_bytes;
    struct fault_probe_task *task = fault_probe_task_of(probe);
    size_t headers = task->peer->family == AF_INET6 ? ipv6_headers : ipv4_headers;
    int fd =
        fault_netns_socket(task->netns, task->peer->family, SOCK_DGRAM | SOCK_NONBLOCK, 0, err);
    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    struct datagrams *all = base_calloc(1, sizeof *all);
    const uint64_t cookie = base_random_u64();
    *all = (struct datagrams){.probe = probe, .fd = fd, .echo = -1, .len = message_least};
    memcpy(all->cookie, &cookie, sizeof all->cookie);
    if (task->plan.bytes > headers + message_least)
        all->len = task->plan.bytes - headers;
    if (all->len > message_max)
        all->len = message_max;
    /* A peer that is gone, or has no port for us, has not answered: the series says why. */
    all->broken = !settle_peer(all, task, &all->why);
    io_watch_init(&all->watch, task->loop, all->fd, on_answer, all);
    io_watch_init(&all->echo_watch, task->loop, all->echo, on_question, all);
    if (!all->broken) {
        io_watch_set(&all->watch, IO_READ);
        io_watch_set(&all->echo_watch, IO_READ);
    }
    task->state = all;
    return true;
}

static bool datagram_send(struct fault_probe *probe, size_t index, struct base_error *err)
{
    const struct fault_probe_task *task = fault_probe_task_of(probe);
    const struct datagrams *all = task->state;
    unsigned char message[message_max] = {0};
    const uint32_t number = (uint32_t)index;
    if (all->broken) {
        *err = all->why;
        return base_fail_context(err, "%s", task->peer->label);
    }
    memcpy(message, all->cookie, cookie_bytes);
    memcpy(message + cookie_bytes, &number, sizeof number);
    /* The first may only be told of an answer to an earlier one. */
    if (send(all->fd, message, all->len, MSG_DONTWAIT) >= 0 ||
        (is_loss(errno) && send(all->fd, message, all->len, MSG_DONTWAIT) >= 0))
        return true;
    return is_loss(errno) ||
           base_fail_errno(err, "cannot send a UDP datagram to %s", task->peer->text);
}

static void datagram_close(struct fault_probe *probe)
{
    struct fault_probe_task *task = fault_probe_task_of(probe);
    struct datagrams *all = task->state;
    if (all == NULL)
        return;
    io_watch_fini(&all->watch);
    io_watch_fini(&all->echo_watch);
    base_fd_close(&all->fd);
    base_fd_close(&all->echo);
    free(all);
    task->state = NULL;
}

const struct fault_probe_ops fault_probe_datagram = {
    .open = datagram_open, .send = datagram_send, .close = datagram_close};
