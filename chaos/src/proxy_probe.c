/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy_probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "connect.h"

struct proxy_probe {
    int fd;
    struct io_watch watch;
    struct io_timer timer; /* patience, or zero when it is over before it began */
    struct proxy_probe_plan plan;
    size_t unsaid; /* bytes at the end of `say` */
    bool connected;
    bool over;
    bool reset;
    struct mono_ns said;
    struct mono_ns first;
    struct proxy_probe_result result;
    void (*on_done)(void *ctx, const struct proxy_probe_result *);
    void *ctx;
};

void proxy_probe_cancel(struct proxy_probe *probe)
{
    if (probe == NULL)
        return;
    io_watch_fini(&probe->watch);
    io_timer_fini(&probe->timer);
    base_fd_close(&probe->fd);
    free(probe);
}

static void finish(struct proxy_probe *probe, enum proxy_probe_end end, int sys)
{
    struct proxy_probe_result result = probe->result;
    void (*on_done)(void *ctx, const struct proxy_probe_result *) = probe->on_done;
    void *ctx = probe->ctx;
    result.end = end;
    result.sys = sys;
    result.ended = base_mono_sub(base_mono_now(), probe->said);
    proxy_probe_cancel(probe);
    on_done(ctx, &result);
}

static void say(struct proxy_probe *probe)
{
    while (probe->unsaid > 0) {
        ssize_t n = send(probe->fd, probe->plan.say + probe->plan.say_len - probe->unsaid,
                         probe->unsaid, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            /* Who is told here is not told again when reading. */
            probe->reset = probe->reset || errno == ECONNRESET;
            break;
        }
        probe->unsaid -= (size_t)n;
    }
    io_watch_set(&probe->watch, probe->unsaid > 0 ? IO_READ | IO_WRITE : IO_READ);
}

static void keep(struct proxy_probe_result *result, const char *bytes, size_t len)
{
    size_t room = result->bytes < PROXY_PROBE_KEPT - 1 ? PROXY_PROBE_KEPT - 1 - result->bytes : 0;
    memcpy(result->kept + (PROXY_PROBE_KEPT - 1 - room), bytes, len < room ? len : room);
    result->bytes += len;
}

static void hear(struct proxy_probe *probe, const char *bytes, size_t len)
{
    struct proxy_probe_result *result = &probe->result;
    struct mono_ns now = base_mono_now();
    bool first = result->bytes == 0;
    if (first) {
        probe->first = now;
        result->first = base_mono_sub(now, probe->said);
    }
    result->spread = base_mono_sub(now, probe->first);
    keep(result, bytes, len);
    if (first && probe->plan.half_close)
        (void)shutdown(probe->fd, SHUT_WR);
}

static void on_ready(void *ctx, unsigned events)
{
    (void)events;
    struct proxy_probe *probe = ctx;
    char chunk[16384];
    if (!probe->connected) {
        int sys = 0;
        socklen_t len = sizeof sys;
        if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
            sys = errno;
        if (sys != 0) {
            finish(probe, PROXY_PROBE_REFUSED, sys);
            return;
        }
        probe->connected = true;
        probe->said = base_mono_now();
    }
    say(probe);
    ssize_t n = recv(probe->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        bool closed = n == 0 && !probe->reset;
        finish(probe, closed ? PROXY_PROBE_CLOSED : PROXY_PROBE_RESET, n < 0 ? errno : 0);
        return;
    }
    hear(probe, chunk, (size_t)n);
    const struct proxy_probe_plan *plan = &probe->plan;
    if (plan->datagram || (plan->enough > 0 && probe->result.bytes >= plan->enough)) {
        finish(probe, PROXY_PROBE_ENOUGH, 0);
        return;
    }
    if (probe->unsaid == 0 && !plan->half_close && !plan->say_once && plan->enough > 0)
        probe->unsaid = plan->say_len;
    say(probe);
}

static void on_expire(void *ctx)
{
    struct proxy_probe *probe = ctx;
    if (probe->over)
        finish(probe, PROXY_PROBE_REFUSED, probe->result.sys);
    else if (probe->connected)
        finish(probe, PROXY_PROBE_SILENT, 0);
    else
        finish(probe, PROXY_PROBE_REFUSED, ETIMEDOUT);
}

struct proxy_probe *proxy_probe_start(struct io_loop *loop, const struct fault_netns *netns,
                                      const struct fault_peer *peer,
                                      const struct proxy_probe_plan *plan,
                                      void (*on_done)(void *ctx, const struct proxy_probe_result *),
                                      void *ctx, struct base_error *err)
{
    int type = plan->datagram ? SOCK_DGRAM : SOCK_STREAM;
    int fd = fault_netns_socket(netns, peer->family, type | SOCK_NONBLOCK, 0, err);
    if (fd < 0)
        return NULL;
    struct proxy_probe *probe = base_calloc(1, sizeof *probe);
    *probe = (struct proxy_probe){.fd = fd,
                                  .plan = *plan,
                                  .unsaid = plan->say_len,
                                  .said = base_mono_now(),
                                  .on_done = on_done,
                                  .ctx = ctx};
    io_watch_init(&probe->watch, loop, fd, on_ready, probe);
    io_timer_init(&probe->timer, loop, on_expire, probe);
    struct sockaddr_storage address;
    socklen_t len = fault_peer_address(peer, &address);
    if (connect(fd, (const struct sockaddr *)&address, len) < 0 && errno != EINPROGRESS) {
        probe->over = true;
        probe->result.sys = errno;
    } else {
        io_watch_set(&probe->watch, IO_WRITE);
    }
    io_timer_start(&probe->timer, probe->over ? base_dur_ms(0) : plan->patience);
    return probe;
}

void proxy_probe_describe(const struct proxy_probe_result *result, char *out, size_t size)
{
    char first[BASE_DUR_TEXT];
    char ended[BASE_DUR_TEXT];
    char spread[BASE_DUR_TEXT];
    base_dur_format_brief(result->first, first);
    base_dur_format_brief(result->ended, ended);
    base_dur_format_brief(result->spread, spread);
    switch (result->end) {
    case PROXY_PROBE_NONE:
        (void)snprintf(out, size, "not measured");
        break;
    case PROXY_PROBE_ENOUGH:
        (void)snprintf(out, size, "%zu bytes from %s on, within %s", result->bytes, first, spread);
        break;
    case PROXY_PROBE_CLOSED:
        (void)snprintf(out, size, "%zu bytes, closed after %s", result->bytes, ended);
        break;
    case PROXY_PROBE_RESET:
        (void)snprintf(out, size, "%zu bytes, reset after %s", result->bytes, ended);
        break;
    case PROXY_PROBE_SILENT:
        (void)snprintf(out, size, "%zu bytes, open after %s", result->bytes, ended);
        break;
    case PROXY_PROBE_REFUSED:
        (void)snprintf(out, size, "not connected: %s after %s", strerror(result->sys), ended);
        break;
    }
}
