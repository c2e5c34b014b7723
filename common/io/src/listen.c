/* SPDX-License-Identifier: Apache-2.0 */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

enum { BACKLOG = 4096 }; /* the kernel lowers it to net.core.somaxconn */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool parse(const char *text, uint16_t port, union address *out, socklen_t *out_len)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        *out_len = sizeof out->v4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        *out_len = sizeof out->v6;
        return true;
    }
    return false;
}

static bool set_options(int fd, int family)
{
    static const int on = 1;
    /* Reuse: a restart may bind while connections of its predecessor are in TIME_WAIT. No delay
     * is inherited by accepted connections (tcp(7)), which saves a system call for each. */
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
           (family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0);
}

static bool open_on(int fd, union address *address, socklen_t len, uint16_t *out_port)
{
    if (!set_options(fd, address->any.sa_family) || bind(fd, &address->any, len) != 0 ||
        listen(fd, BACKLOG) != 0 || getsockname(fd, &address->any, &len) != 0)
        return false;
    *out_port =
        ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
    return true;
}

static void describe(struct base_error *err, const char *address, unsigned port)
{
    if (errno == EADDRINUSE) {
        (void)base_fail(err, BASE_UNAVAILABLE,
                        "cannot listen on %s port %u: another program does; stop it (see ss -ltnp) "
                        "or choose another port",
                        address, port);
        if (err != NULL)
            err->sys = EADDRINUSE;
    } else {
        (void)base_fail_errno(err, "cannot listen on %s port %u", address, port);
    }
}

int io_listen(const char *address, uint16_t port, uint16_t *out_port, struct base_error *err)
{
    union address where;
    socklen_t len = 0;
    if (address == NULL || !parse(address, port, &where, &len)) {
        (void)base_fail(err, BASE_INVALID, "'%s' is not an IPv4 or IPv6 address to listen on",
                        address != NULL ? address : "");
        return -1;
    }
    int fd = socket(where.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || !open_on(fd, &where, len, out_port)) {
        describe(err, address, port);
        base_fd_close(&fd);
        return -1;
    }
    return fd;
}
