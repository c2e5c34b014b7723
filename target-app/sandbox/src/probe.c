/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { TIMEOUT_MS = 1500, BODY_MAX = 64 << 10 };

static void finish(struct sandbox_probe *probe, bool ready, const char *why)
{
    sandbox_probe_cancel(probe);
    probe->on_result(probe->ctx, ready, why);
}

static void on_response(void *ctx, const struct io_http_response *response)
{
    struct sandbox_probe *probe = ctx;
    char why[sizeof response->error.message] = "";
    bool ready = response->ok && response->status == 200;
    probe->call = NULL;
    if (!response->ok)
        (void)snprintf(why, sizeof why, "%s", response->error.message);
    else if (!ready)
        (void)snprintf(why, sizeof why, "http://%s:%u%s answers %d: %.300s", probe->address,
                       (unsigned)probe->port, probe->path, response->status, response->body);
    finish(probe, ready, why);
}

static void start_http(struct sandbox_probe *probe)
{
    BASE_AUTO_FREE char *url =
        base_str_printf("http://%s:%u%s", probe->address, (unsigned)probe->port, probe->path);
    static const char *const headers[] = {"X-Traffic: probe", NULL};
    struct io_http_request request = {.url = url,
                                      .headers = headers,
                                      .timeout = base_dur_ms(TIMEOUT_MS),
                                      .max_response = BODY_MAX};
    struct base_error err;
    probe->call = io_http_start(probe->http, &request, on_response, probe, &err);
    if (probe->call == NULL)
        finish(probe, false, err.message);
}

/*
 * PostgreSQL, "Message Flow: Start-up": after the startup packet a server that takes connections
 * answers with an authentication request 'R'; while it is starting or shutting down with an error
 * 'E' (57P03). This is what PQping does; no password is needed to ask.
 */
static void send_startup(struct sandbox_probe *probe)
{
    static const char packet[] = "\0\0\0\x27"
                                 "\0\x03\0\0"
                                 "user\0squall\0"
                                 "database\0postgres\0";
    enum { LENGTH = sizeof packet };
    _Static_assert(LENGTH == 0x27, "the packet's first field is its length");
    if (send(probe->fd, packet, LENGTH, MSG_NOSIGNAL) != LENGTH) {
        char why[160];
        (void)snprintf(why, sizeof why, "no connection to %s:%u: %s", probe->address,
                       (unsigned)probe->port, strerrordesc_np(errno));
        finish(probe, false, why);
        return;
    }
    probe->sent = true;
    io_watch_set(&probe->watch, IO_READ);
}

static void on_socket(void *ctx, unsigned events)
{
    struct sandbox_probe *probe = ctx;
    (void)events;
    if (!probe->sent) {
        send_startup(probe);
        return;
    }
    char answer[512];
    ssize_t n = recv(probe->fd, answer, sizeof answer - 1, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 && answer[0] == 'R')
        finish(probe, true, "");
    else if (n > 0 && answer[0] == 'E')
        finish(probe, false, "PostgreSQL is starting up or shutting down");
    else
        finish(probe, false, "what listens there does not speak PostgreSQL's protocol");
}

static void on_timeout(void *ctx)
{
    finish(ctx, false, "no answer in time");
}

static void start_postgres(struct sandbox_probe *probe)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(probe->port)};
    char why[160];
    probe->sent = false;
    probe->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe->fd < 0 || inet_pton(AF_INET, probe->address, &to.sin_addr) != 1 ||
        (connect(probe->fd, (const struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)) {
        (void)snprintf(why, sizeof why, "no connection to %s:%u: %s", probe->address,
                       (unsigned)probe->port, strerrordesc_np(errno));
        finish(probe, false, why);
        return;
    }
    io_timer_start(&probe->timeout, base_dur_ms(TIMEOUT_MS));
    io_watch_init(&probe->watch, probe->loop, probe->fd, on_socket, probe);
    io_watch_set(&probe->watch, IO_WRITE);
}

void sandbox_probe_init(struct sandbox_probe *probe, struct io_loop *loop, struct io_http *http)
{
    probe->loop = loop;
    probe->http = http;
    probe->call = NULL;
    probe->fd = -1;
    io_timer_init(&probe->timeout, loop, on_timeout, probe);
}

void sandbox_probe_start(struct sandbox_probe *probe)
{
    if (probe->kind == SANDBOX_PROBE_HTTP)
        start_http(probe);
    else
        start_postgres(probe);
}

void sandbox_probe_cancel(struct sandbox_probe *probe)
{
    if (probe->call != NULL)
        io_http_cancel(probe->call);
    probe->call = NULL;
    io_timer_stop(&probe->timeout);
    if (probe->fd >= 0)
        io_watch_fini(&probe->watch);
    base_fd_close(&probe->fd);
}

void sandbox_probe_fini(struct sandbox_probe *probe)
{
    sandbox_probe_cancel(probe);
    io_timer_fini(&probe->timeout);
}
