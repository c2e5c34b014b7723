/* SPDX-License-Identifier: Apache-2.0 */
#include "established.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "netlink.h"

enum {
    most = 100000, /* more connections than any service of a test platform has */
    open_states = 1 << TCP_ESTABLISHED | 1 << TCP_SYN_SENT | 1 << TCP_FIN_WAIT1 |
                  1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSE_WAIT
};

struct request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

struct found {
    const struct fault_nft_redirect *redirect; /* whose connections are looked for */
    struct request *list;
    size_t count;
};

/* An IPv4 address in an IPv6 socket is an IPv4 address. */
struct address {
    int family;
    unsigned char bytes[sizeof(struct in6_addr)];
};

static struct address address_of(int family, const __be32 words[4])
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct address address = {.family = family};
    memcpy(address.bytes, words, family == AF_INET ? 4 : sizeof address.bytes);
    if (family == AF_INET6 && memcmp(address.bytes, mapped, sizeof mapped) == 0) {
        address.family = AF_INET;
        memmove(address.bytes, address.bytes + sizeof mapped, 4);
        memset(address.bytes + 4, 0, sizeof address.bytes - 4);
    }
    return address;
}

static bool same(const struct address *a, int family, const unsigned char *bytes)
{
    return a->family == family && memcmp(a->bytes, bytes, family == AF_INET ? 4 : 16) == 0;
}

static bool is_ours(const struct nlmsghdr *message, const struct inet_diag_msg *diag)
{
    int left = (int)message->nlmsg_len - (int)NLMSG_LENGTH(sizeof *diag);
    for (const struct rtattr *attr = (const void *)(diag + 1);
         left >= (int)sizeof *attr && attr->rta_len >= sizeof *attr && attr->rta_len <= left;
         left -= (int)RTA_ALIGN(attr->rta_len),
                             attr = (const void *)((const char *)attr + RTA_ALIGN(attr->rta_len))) {
        uint32_t mark;
        if (attr->rta_type != INET_DIAG_MARK || attr->rta_len < RTA_LENGTH(sizeof mark))
            continue;
        memcpy(&mark, attr + 1, sizeof mark);
        return (mark & FAULT_NFT_MARK_MASK) == FAULT_NFT_MARK;
    }
    return false;
}

static bool is_met(const struct fault_nft_redirect *redirect, const struct nlmsghdr *message,
                   const struct inet_diag_msg *diag)
{
    bool outbound = redirect->side == FAULT_OUTBOUND;
    uint16_t port = ntohs(outbound ? diag->id.idiag_dport : diag->id.idiag_sport);
    struct address local = address_of(diag->idiag_family, diag->id.idiag_src);
    struct address remote = address_of(diag->idiag_family, diag->id.idiag_dst);
    bool named = false;
    for (size_t i = 0; i < redirect->port_count; i++)
        named = named || redirect->ports[i] == port;
    bool own = same(&remote, local.family, local.bytes);
    bool peer = redirect->peers->count == 0 ||
                fault_peers_hold(redirect->peers, remote.family, remote.bytes, own);
    /* What the target says to itself never comes in from outside; our proxy does so, too. */
    return named && (outbound || !own) && peer && !is_ours(message, diag);
}

static void remember(void *ctx, const struct nlmsghdr *message)
{
    struct found *found = ctx;
    const struct inet_diag_msg *diag = (const void *)(message + 1);
    if (message->nlmsg_len < NLMSG_LENGTH(sizeof *diag) || found->count == most ||
        !is_met(found->redirect, message, diag))
        return;
    found->list = base_reallocarray(found->list, found->count + 1, sizeof *found->list);
    found->list[found->count++] = (struct request){
        .header = {.nlmsg_len = sizeof(struct request),
                   .nlmsg_type = SOCK_DESTROY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .body = {.sdiag_family = diag->idiag_family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = UINT32_MAX,
                 .id = diag->id},
    };
}

static int ask(int fd, const struct request *request, struct found *found)
{
    if (send(fd, request, sizeof *request, 0) < 0)
        return errno;
    return fault_netlink_hear(fd, remember, found);
}

static bool look(int fd, struct found *found, struct base_error *err)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < sizeof families; i++) {
        struct request request = {
            .header = {.nlmsg_len = sizeof request,
                       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
            .body = {.sdiag_family = families[i],
                     .sdiag_protocol = IPPROTO_TCP,
                     .idiag_states = open_states},
        };
        errno = ask(fd, &request, found);
        /* ENOENT: a kernel without IPv6 */
        if (errno != 0 && !(errno == ENOENT && families[i] == AF_INET6))
            return base_fail_errno(err, "cannot list the target's connections (CONFIG_INET_DIAG)");
    }
    return true;
}

bool fault_established_reset(const struct fault_netns *netns,
                             const struct fault_nft_redirect *redirect, size_t *count,
                             struct base_error *err)
{
    static const struct timeval patience = {.tv_sec = 2};
    struct found found = {.redirect = redirect};
    BASE_AUTO_FD int fd = fault_netns_socket(netns, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG, err);
    if (fd < 0)
        return false;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
        return base_fail_errno(err, "cannot set up the socket to list connections");
    bool ok = look(fd, &found, err);
    for (size_t i = 0; ok && i < found.count; i++) {
        struct found none = {.redirect = redirect};
        errno = ask(fd, &found.list[i], &none);
        ok =
            errno == 0 || errno == ENOENT ||
            base_fail_errno(err, "cannot end an established connection (CONFIG_INET_DIAG_DESTROY)");
    }
    free(found.list);
    if (ok && count != NULL)
        *count = found.count;
    return ok;
}
