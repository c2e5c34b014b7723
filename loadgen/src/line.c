/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "dial.h"

#define TO(state) (1U << LOAD_LINE_##state)
static const unsigned moves[LOAD_LINE_STATES] = {
    [LOAD_LINE_COLD] = TO(CONNECTING) | TO(CLOSED),
    [LOAD_LINE_CONNECTING] = TO(UP) | TO(SHAKING) | TO(BACKOFF) | TO(CLOSED),
    [LOAD_LINE_SHAKING] = TO(UP) | TO(BACKOFF) | TO(CLOSED),
    [LOAD_LINE_UP] = TO(CONNECTING) | TO(BACKOFF) | TO(CLOSED),
    [LOAD_LINE_BACKOFF] = TO(CONNECTING) | TO(CLOSED),
    [LOAD_LINE_CLOSED] = 0,
};

/* The one function that changes a line's state. */
static void move(struct load_line *line, enum load_line_state to)
{
    if ((moves[line->state] & 1U << to) == 0)
        abort(); /* a bug here, and going on would count requests wrongly */
    line->state = to;
}

static void close_socket(struct load_line *line)
{
    io_timer_stop(&line->timer);
    load_dial_drop(line->dial);
    line->dial = NULL;
    io_watch_fini(&line->watch);
    load_tls_close(line->tls);
    line->tls = NULL;
    base_fd_close(&line->fd);
}

static void back_off(struct load_line *line)
{
    close_socket(line);
    move(line, LOAD_LINE_BACKOFF);
    io_timer_start(&line->timer, load_backoff_fail(&line->backoff, &line->conn->pool->rng));
}

void load_line_refuse(struct load_line *line, enum load_cause cause, const char *why)
{
    char kept[LOAD_WHY] = "";
    if (why == NULL && line->tls != NULL)
        why = load_tls_why(line->tls);
    if (why != NULL)
        (void)snprintf(kept, sizeof kept, "%s", why); /* it may die with the socket */
    back_off(line);
    line->owner->on_refused(line->ctx, cause, kept);
}

static void watch(struct load_line *line)
{
    io_watch_init(&line->watch, line->conn->pool->loop, line->fd, line->owner->on_socket,
                  line->ctx);
    if (line->owner->drains && line->all_tls == NULL)
        io_watch_edge(&line->watch);
}

static void connect_to(struct load_line *line)
{
    const struct load_conn *conn = line->conn;
    const struct sockaddr *address = load_address_any(conn->address);
    line->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (line->fd < 0) {
        load_line_refuse(line, load_cause_of_errno(errno), NULL);
        return;
    }
    line->opened_at = base_mono_now().ns;
    static const int one = 1;
    /* Best effort: a request goes out in one send, so Nagle could only ever delay its tail. */
    (void)setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(line);
    if ((conn->source != NULL && !load_address_bind(line->fd, conn->source)) ||
        (connect(line->fd, address, conn->address->len) != 0 && errno != EINPROGRESS)) {
        load_line_refuse(line, load_cause_of_errno(errno), NULL);
        return;
    }
    io_watch_set(&line->watch, IO_WRITE);
    io_timer_start(&line->timer, conn->pool->connect_limit);
}

static void on_dialled(void *ctx, const struct load_dialled *end);

void load_line_open(struct load_line *line)
{
    struct load_pool *pool = line->conn->pool;
    move(line, LOAD_LINE_CONNECTING);
    if (pool->dials == NULL) {
        connect_to(line);
        return;
    }
    line->dial = load_dial_start(pool->dials, line->conn, on_dialled, line);
    io_timer_start(&line->timer, pool->connect_limit);
}

void load_line_reopen(struct load_line *line, bool at_once)
{
    if (!at_once) {
        back_off(line);
        return;
    }
    close_socket(line);
    load_line_open(line);
}

static void on_timer(void *ctx)
{
    struct load_line *line = ctx;
    if (line->state == LOAD_LINE_CONNECTING || line->state == LOAD_LINE_SHAKING)
        load_line_refuse(
            line, line->dial != NULL ? load_dial_awaits(line->dial) : LOAD_CAUSE_CONNECT_TIMEOUT,
            NULL);
    else if (line->state == LOAD_LINE_BACKOFF)
        load_line_open(line);
}

void load_line_init(struct load_line *line, const struct load_conn *conn, struct load_tls *all_tls,
                    const struct load_line_owner *owner, void *ctx)
{
    *line =
        (struct load_line){.owner = owner, .ctx = ctx, .conn = conn, .all_tls = all_tls, .fd = -1};
    io_timer_init(&line->timer, conn->pool->loop, on_timer, line);
}

static void usable(struct load_line *line, int64_t now)
{
    io_timer_stop(&line->timer);
    move(line, LOAD_LINE_UP);
    io_watch_set(&line->watch, IO_READ);
    line->owner->on_up(line->ctx, now);
}

static void shake(struct load_line *line)
{
    switch (load_tls_handshake(line->tls)) {
    case LOAD_TLS_WANTS_READ:
        io_watch_set(&line->watch, IO_READ);
        break;
    case LOAD_TLS_WANTS_WRITE:
        io_watch_set(&line->watch, IO_WRITE);
        break;
    case LOAD_TLS_DONE:
        usable(line, base_mono_now().ns);
        break;
    case LOAD_TLS_FAILED:
        load_line_refuse(line, LOAD_CAUSE_TLS, NULL);
        break;
    case LOAD_TLS_ENDED:
        load_line_refuse(line, LOAD_CAUSE_CONNECT_RESET, NULL);
        break;
    }
}

static void connected(struct load_line *line)
{
    if (line->all_tls == NULL) {
        usable(line, line->connected_at);
        return;
    }
    line->tls = load_tls_open(line->all_tls, line->fd, line->conn->address->number);
    if (line->tls == NULL) {
        load_line_refuse(line, LOAD_CAUSE_OTHER, NULL);
        return;
    }
    move(line, LOAD_LINE_SHAKING);
    shake(line);
}

static void on_dialled(void *ctx, const struct load_dialled *end)
{
    struct load_line *line = ctx;
    line->dial = NULL;
    if (end->fd < 0) {
        load_line_refuse(line, end->cause, NULL);
        return;
    }
    line->fd = end->fd;
    watch(line);
    line->connected_at = base_mono_now().ns;
    line->opened_at = line->connected_at - end->connect.ns;
    connected(line);
}

/* connect(2) has ended. */
static void reached(struct load_line *line)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(line->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0) {
        load_line_refuse(line, load_cause_of_errno(error), NULL);
        return;
    }
    line->connected_at = base_mono_now().ns;
    connected(line);
}

void load_line_go_on(struct load_line *line)
{
    if (line->state == LOAD_LINE_CONNECTING)
        reached(line);
    else if (line->state == LOAD_LINE_SHAKING)
        shake(line);
}

void load_line_fini(struct load_line *line)
{
    if (line->conn == NULL || line->state == LOAD_LINE_CLOSED)
        return;
    close_socket(line);
    io_timer_fini(&line->timer);
    move(line, LOAD_LINE_CLOSED);
}
