/* SPDX-License-Identifier: Apache-2.0 */
#include "io/connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/text.h"

struct io_connect {
    int fd;
    struct io_watch watch;
    struct io_timer timer; /* patience, or zero when the answer was there at once */
    struct mono_ns started;
    int at_once; /* errno of an immediate answer; 0 connected; -1 none */
    void (*on_done)(void *ctx, const struct io_connect_result *);
    void *ctx;
};

void io_connect_cancel(struct io_connect *connect)
{
    if (connect == NULL)
        return;
    io_watch_fini(&connect->watch);
    io_timer_fini(&connect->timer);
    base_fd_close(&connect->fd);
    free(connect);
}

/* Nothing but the SYN has been acknowledged on a connection that nobody has used. */
static struct dur_ns handshake_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return (struct dur_ns){0};
    return (struct dur_ns){(int64_t)info.tcpi_rtt * BASE_NS_PER_US};
}

static void finish(struct io_connect *connect, int sys)
{
    struct io_connect_result result = {
        .connected = sys == 0,
        .sys = sys,
        .elapsed = base_mono_sub(base_mono_now(), connect->started),
    };
    if (result.connected)
        result.handshake = handshake_of(connect->fd);
    void (*on_done)(void *ctx, const struct io_connect_result *) = connect->on_done;
    void *ctx = connect->ctx;
    io_connect_cancel(connect);
    on_done(ctx, &result);
}

static void on_ready(void *ctx, unsigned events)
{
    (void)events;
    struct io_connect *connect = ctx;
    int sys = 0;
    socklen_t len = sizeof sys;
    if (getsockopt(connect->fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
        sys = errno;
    finish(connect, sys);
}

static void on_expire(void *ctx)
{
    struct io_connect *connect = ctx;
    struct sockaddr_storage ignored;
    socklen_t len = sizeof ignored;
    int sys = connect->at_once >= 0 ? connect->at_once : ETIMEDOUT;
    /* Who has answered by now is not to blame for our looking late. */
    if (getpeername(connect->fd, (struct sockaddr *)&ignored, &len) == 0)
        sys = 0;
    finish(connect, sys);
}

struct io_connect *io_connect_start(struct io_loop *loop, int fd, const struct sockaddr *address,
                                    socklen_t len, struct dur_ns patience,
                                    void (*on_done)(void *ctx, const struct io_connect_result *),
                                    void *ctx)
{
    struct io_connect *attempt = base_calloc(1, sizeof *attempt);
    *attempt = (struct io_connect){
        .fd = fd, .started = base_mono_now(), .at_once = -1, .on_done = on_done, .ctx = ctx};
    io_watch_init(&attempt->watch, loop, fd, on_ready, attempt);
    io_timer_init(&attempt->timer, loop, on_expire, attempt);
    if (connect(fd, address, len) == 0)
        attempt->at_once = 0;
    else if (errno != EINPROGRESS)
        attempt->at_once = errno;
    if (attempt->at_once < 0)
        io_watch_set(&attempt->watch, IO_WRITE);
    io_timer_start(&attempt->timer, attempt->at_once < 0 ? patience : (struct dur_ns){0});
    return attempt;
}

void io_connect_describe(const struct io_connect_result *result, char *out, size_t size)
{
    char took[BASE_DUR_TEXT];
    base_dur_format_brief(result->elapsed, took);
    if (result->connected)
        (void)snprintf(out, size, "connected in %s", took);
    else if (result->sys == ETIMEDOUT)
        (void)snprintf(out, size, "no answer in %s", took);
    else
        (void)snprintf(out, size, "%s after %s", strerror(result->sys), took);
}
