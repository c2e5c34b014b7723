/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a suspended run listens for its operator: a socket in the run directory and, when squall
 * has a terminal, its Enter key. Both only while the run is suspended. A run that cannot listen is
 * still ended by the deadline.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "live_internal.h"
#include "operator_socket.h"
#include "scenarios/operator.h"

static const struct dur_ns CLIENT_PATIENCE = {2 * BASE_NS_PER_S};
enum { BACKLOG = 8, MESSAGE_MAX = 64 };

/* ---- the socket ---- */

static void drop_client(struct live_operator *op)
{
    io_watch_fini(&op->client_watch);
    io_timer_stop(&op->client_timer);
    base_fd_close(&op->client);
    if (op->listener >= 0)
        io_watch_set(&op->listener_watch, IO_READ);
}

static void on_client_silent(void *ctx)
{
    drop_client(ctx);
}

static char *describe_client(int fd)
{
    struct ucred peer = {.pid = 0};
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return base_str_dup("squall continue");
    return base_str_printf("squall continue, user %u", (unsigned)peer.uid);
}

static void on_client(void *ctx, unsigned events)
{
    struct live_operator *op = ctx;
    char message[MESSAGE_MAX];
    (void)events;
    ssize_t len = recv(op->client, message, sizeof message, MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    bool asked =
        len == (ssize_t)strlen(SCN_CONTINUE) && memcmp(message, SCN_CONTINUE, (size_t)len) == 0;
    int fd = op->client;
    op->client = -1; /* continuing closes what listens, but the answer is owed */
    io_watch_fini(&op->client_watch);
    BASE_AUTO_FREE char *by = describe_client(fd);
    const char *fault = asked ? run_on_continue(op->run, by) : NULL;
    if (fault != NULL)
        (void)send(fd, fault, strlen(fault), MSG_DONTWAIT | MSG_NOSIGNAL);
    base_fd_close(&fd);
    drop_client(op);
}

/* One at a time; others wait in the backlog, and one that says nothing is sent away. */
static void on_connection(void *ctx, unsigned events)
{
    struct live_operator *op = ctx;
    (void)events;
    op->client = accept4(op->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (op->client < 0)
        return;
    io_watch_set(&op->listener_watch, 0);
    io_watch_init(&op->client_watch, op->loop, op->client, on_client, op);
    io_watch_set(&op->client_watch, IO_READ);
    io_timer_start(&op->client_timer, CLIENT_PATIENCE);
}

static bool listen_in(struct live_operator *op)
{
    struct sockaddr_un address;
    if (!operator_address(op->run_dir, &op->folder, &address, NULL))
        return false;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t before = umask(0177); /* ours and root's alone */
    bool ok = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
              listen(fd, BACKLOG) == 0;
    (void)umask(before);
    if (!ok) {
        base_fd_close(&fd);
        return false;
    }
    op->listener = fd;
    io_watch_init(&op->listener_watch, op->loop, fd, on_connection, op);
    io_watch_set(&op->listener_watch, IO_READ);
    return true;
}

/* ---- the terminal ---- */

/* Reading as a background job would stop squall, and with it the renewal of leases. */
static bool has_terminal(const struct live_operator *op)
{
    return op->terminal >= 0 && isatty(op->terminal) == 1 && tcgetpgrp(op->terminal) == getpgrp();
}

static void on_terminal(void *ctx, unsigned events)
{
    struct live_operator *op = ctx;
    char line[256];
    (void)events;
    ssize_t len = has_terminal(op) ? read(op->terminal, line, sizeof line) : 0;
    if (len <= 0)
        io_watch_fini(&op->terminal_watch);
    else if (memchr(line, '\n', (size_t)len) != NULL)
        (void)run_on_continue(op->run, "the terminal");
}

/* ---- both ---- */

void live_operator_init(struct live_operator *op, struct io_loop *loop, struct run *run,
                        const char *run_dir, int terminal)
{
    *op = (struct live_operator){.loop = loop,
                                 .run = run,
                                 .run_dir = run_dir,
                                 .terminal = terminal,
                                 .folder = -1,
                                 .listener = -1,
                                 .client = -1};
    io_timer_init(&op->client_timer, loop, on_client_silent, op);
}

static void stop_listening(struct live_operator *op)
{
    io_watch_fini(&op->terminal_watch);
    io_watch_fini(&op->listener_watch);
    base_fd_close(&op->listener);
    drop_client(op);
    if (op->folder >= 0)
        (void)unlinkat(op->folder, SCN_CONTINUE_SOCKET, 0);
    base_fd_close(&op->folder);
}

bool live_operator_listen(struct live_operator *op, bool on)
{
    if (!on) {
        stop_listening(op);
        return true;
    }
    bool heard = listen_in(op);
    if (has_terminal(op)) {
        (void)tcflush(op->terminal, TCIFLUSH); /* what was typed before is no answer */
        io_watch_init(&op->terminal_watch, op->loop, op->terminal, on_terminal, op);
        io_watch_set(&op->terminal_watch, IO_READ);
        heard = true;
    }
    return heard;
}

void live_operator_fini(struct live_operator *op)
{
    if (op->loop == NULL)
        return;
    stop_listening(op);
    io_timer_fini(&op->client_timer);
}
