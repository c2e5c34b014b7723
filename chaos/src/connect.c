/* SPDX-License-Identifier: Apache-2.0 */
#include "connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/text.h"

struct fault_connect {
    int fd;
    struct io_watch watch;
    struct io_timer timer; /* patience, or zero when the answer was there at once */
    struct mono_ns started;
    int at_once; /* errno of an immediate answer; 0 connected; -1 none */
    void (*on_done)(void *ctx, const struct fault_connect_result *);
    void *ctx;
};

void fault_connect_cancel(struct fault_connect *connect)
{
    if (connect == NULL)
        return;
    io_watch_fini(&connect->watch);
    io_timer_fini(&connect->timer);
    base_fd_close(&connect->fd);
    free(connect);
}

static void finish(struct fault_connect *connect, int sys)
{
    struct fault_connect_result result = {
        .connected = sys == 0,
        .sys = sys,
        .elapsed = base_mono_sub(base_mono_now(), connect->started),
    };
    void (*on_done)(void *ctx, const struct fault_connect_result *) = connect->on_done;
    void *ctx = connect->ctx;
    fault_connect_cancel(connect);
    on_done(ctx, &result);
}

static void on_ready(void *ctx, unsigned events)
{
    (void)events;
    struct fault_connect *connect = ctx;
    int sys = 0;
    socklen_t len = sizeof sys;
    if (getsockopt(connect->fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
        sys = errno;
    finish(connect, sys);
}

static void on_expire(void *ctx)
{
    struct fault_connect *connect = ctx;
    finish(connect, connect->at_once >= 0 ? connect->at_once : ETIMEDOUT);
}

socklen_t fault_peer_address(const struct fault_peer *peer, struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){0};
    if (peer->family == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(peer->port)};
        memcpy(&in.sin_addr, peer->address, sizeof in.sin_addr);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(peer->port)};
    memcpy(&in6.sin6_addr, peer->address, sizeof in6.sin6_addr);
    memcpy(out, &in6, sizeof in6);
    return sizeof in6;
}

struct fault_connect *fault_connect_start(struct io_loop *loop, const struct fault_netns *netns,
                                          const struct fault_peer *peer, struct dur_ns patience,
                                          void (*on_done)(void *ctx,
                                                          const struct fault_connect_result *),
                                          void *ctx, struct base_error *err)
{
    int fd = fault_netns_socket(netns, peer->family, SOCK_STREAM | SOCK_NONBLOCK, 0, err);
    if (fd < 0)
        return NULL;
    struct fault_connect *connect_to = base_calloc(1, sizeof *connect_to);
    *connect_to = (struct fault_connect){
        .fd = fd, .started = base_mono_now(), .at_once = -1, .on_done = on_done, .ctx = ctx};
    io_watch_init(&connect_to->watch, loop, fd, on_ready, connect_to);
    io_timer_init(&connect_to->timer, loop, on_expire, connect_to);
    struct sockaddr_storage address;
    socklen_t len = fault_peer_address(peer, &address);
    if (connect(fd, (const struct sockaddr *)&address, len) == 0)
        connect_to->at_once = 0;
    else if (errno != EINPROGRESS)
        connect_to->at_once = errno;
    if (connect_to->at_once < 0)
        io_watch_set(&connect_to->watch, IO_WRITE);
    io_timer_start(&connect_to->timer, connect_to->at_once < 0 ? patience : (struct dur_ns){0});
    return connect_to;
}

void fault_dur_describe(struct dur_ns time, char out[static BASE_DUR_TEXT])
{
    struct dur_ns rounded = {time.ns / BASE_NS_PER_US * BASE_NS_PER_US};
    if (rounded.ns > 10 * BASE_NS_PER_MS)
        rounded.ns = rounded.ns / BASE_NS_PER_MS * BASE_NS_PER_MS;
    base_dur_format(rounded, out);
}

void fault_connect_describe(const struct fault_connect_result *result, char *out, size_t size)
{
    char took[BASE_DUR_TEXT];
    fault_dur_describe(result->elapsed, took);
    if (result->connected)
        (void)snprintf(out, size, "connected in %s", took);
    else if (result->sys == ETIMEDOUT)
        (void)snprintf(out, size, "no answer in %s", took);
    else
        (void)snprintf(out, size, "%s after %s", strerror(result->sys), took);
}
