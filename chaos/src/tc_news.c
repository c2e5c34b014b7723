/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of routes that come (rtnetlink(7), multicast groups). */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/text.h"
#include "tc_exchange.h"

/* Rules lead to tables, and routes of all tables are listed: a new rule adds no device. */
enum { groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE };
enum {
    message_bytes = 8192,
    queue_bytes = 1 << 20, /* the default holds some 300 messages */
    most_at_once = 100000  /* a queue that never ends must not hold the loop */
};

struct fault_tc_news {
    struct mnl_socket *socket;
    bool due; /* a route has come that nobody has looked at, or what came is not known */
    alignas(struct nlmsghdr) char message[message_bytes];
};

struct fault_tc_news *fault_tc_news_new(const struct fault_netns *netns, struct base_error *err)
{
    static const int size = queue_bytes;
    int fd = fault_netns_socket(netns, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE, err);
    if (fd < 0)
        return NULL;
    struct mnl_socket *socket = mnl_socket_fdopen(fd);
    if (socket == NULL) {
        (void)base_fail_errno(err, "cannot use the rtnetlink socket for news of routes");
        base_fd_close(&fd);
        return NULL;
    }
    struct fault_tc_news *news = base_calloc(1, sizeof *news);
    news->socket = socket;
    /* Without it the queue overflows sooner, and routes are listed more often. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) < 0) {
        (void)base_fail_errno(err, "cannot have the kernel's news of routes");
        fault_tc_news_free(news);
        return NULL;
    }
    return news;
}

void fault_tc_news_free(struct fault_tc_news *news)
{
    if (news == NULL)
        return;
    (void)mnl_socket_close(news->socket);
    free(news);
}

struct hearing {
    struct fault_tc_news *news;
    const struct fault_peers *peers;
};

static int on_message(const struct nlmsghdr *message, void *data)
{
    const struct hearing *hearing = data;
    const struct fault_peers *peers = hearing->peers;
    bool *due = &hearing->news->due;
    /* Where one goes, another may be taken instead; but that was listed. */
    if (message->nlmsg_type == RTM_NEWROUTE)
        for (size_t i = 0; !*due && i < peers->block_count; i++)
            *due = fault_tc_leads_into(message, &peers->blocks[i]);
    return MNL_CB_OK;
}

bool fault_tc_news_due(struct fault_tc_news *news, const struct fault_peers *peers)
{
    struct hearing hearing = {.news = news, .peers = peers};
    for (int i = 0; i < most_at_once; i++) {
        ssize_t n = mnl_socket_recvfrom(news->socket, news->message, sizeof news->message);
        if (n < 0 && errno == EAGAIN)
            return news->due;
        /* ENOBUFS: the queue was full; ENOSPC: a message that does not fit. */
        if (n < 0 || mnl_cb_run(news->message, (size_t)n, 0, 0, on_message, &hearing) < MNL_CB_STOP)
            news->due = true;
    }
    news->due = true;
    return true;
}

void fault_tc_news_listed(struct fault_tc_news *news)
{
    news->due = false;
}
