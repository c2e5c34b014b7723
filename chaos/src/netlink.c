/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { datagram_bytes = 32768 };

static int hear_one(int fd, void (*on_message)(void *ctx, const struct nlmsghdr *message),
                    void *ctx, bool *more)
{
    _Alignas(struct nlmsghdr) unsigned char buffer[datagram_bytes];
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n < 0)
        return errno;
    size_t left = (size_t)n;
    for (const struct nlmsghdr *message = (const void *)buffer;
         left >= sizeof *message && message->nlmsg_len >= sizeof *message &&
         message->nlmsg_len <= left;) {
        *more = message->nlmsg_type != NLMSG_DONE && message->nlmsg_type != NLMSG_ERROR;
        if (message->nlmsg_type == NLMSG_ERROR)
            return -((const struct nlmsgerr *)(const void *)(message + 1))->error;
        if (*more)
            on_message(ctx, message);
        size_t step = NLMSG_ALIGN(message->nlmsg_len);
        left -= step < left ? step : left;
        message = (const void *)((const char *)message + step);
    }
    return 0;
}

int fault_netlink_hear(int fd, void (*on_message)(void *ctx, const struct nlmsghdr *message),
                       void *ctx)
{
    bool more = true;
    int failed = 0;
    while (more && failed == 0)
        failed = hear_one(fd, on_message, ctx, &more);
    return failed;
}
