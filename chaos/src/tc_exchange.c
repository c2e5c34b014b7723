/* SPDX-License-Identifier: Apache-2.0 */
#include "tc_exchange.h"

#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/text.h"

enum {
    request_bytes = 32768, /* netem's options with a distribution are 9 KiB */
    reply_bytes = 32768
};

struct fault_tc {
    struct mnl_socket *socket;
    uint32_t portid;
    uint32_t seq;
    char request[request_bytes];
    char reply[reply_bytes];
};

struct fault_tc *fault_tc_new(const struct fault_netns *netns, struct base_error *err)
{
    static const struct timeval patience = {.tv_sec = 2};
    int fd = fault_netns_socket(netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, err);
    if (fd < 0)
        return NULL;
    struct mnl_socket *socket = mnl_socket_fdopen(fd);
    if (socket == NULL) {
        (void)base_fail_errno(err, "cannot use the rtnetlink socket");
        base_fd_close(&fd);
        return NULL;
    }
    struct fault_tc *tc = base_calloc(1, sizeof *tc);
    tc->socket = socket;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        (void)base_fail_errno(err, "cannot bind the rtnetlink socket");
        fault_tc_free(tc);
        return NULL;
    }
    tc->portid = mnl_socket_get_portid(socket);
    return tc;
}

void fault_tc_free(struct fault_tc *tc)
{
    if (tc == NULL)
        return;
    (void)mnl_socket_close(tc->socket);
    free(tc);
}

/* --- one exchange --- */

struct nlmsghdr *fault_tc_begin(struct fault_tc *tc, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(tc->request);
    message->nlmsg_type = type;
    message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    message->nlmsg_seq = ++tc->seq;
    return message;
}

bool fault_tc_run(struct fault_tc *tc, struct nlmsghdr *message, fault_tc_each_fn *each, void *ctx,
                  struct base_error *err, const char *what)
{
    if (mnl_socket_sendto(tc->socket, message, message->nlmsg_len) < 0)
        return base_fail_errno(err, "%s", what);
    int more = MNL_CB_OK;
    while (more > MNL_CB_STOP) {
        ssize_t n = mnl_socket_recvfrom(tc->socket, tc->reply, sizeof tc->reply);
        if (n < 0)
            return base_fail_errno(err, "%s: the kernel did not answer", what);
        more = mnl_cb_run(tc->reply, (size_t)n, tc->seq, tc->portid, each, ctx);
    }
    return more == MNL_CB_STOP || base_fail_errno(err, "%s", what);
}
