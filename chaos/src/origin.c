/* SPDX-License-Identifier: Apache-2.0 */
#include "origin.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "netlink.h"

enum { most_bytes = 4096, most_flows = 100000 };
static const size_t attr_header = sizeof(struct nlattr);

/* Attributes start at multiples of four. */
static size_t aligned(size_t len)
{
    return (len + 3) & ~(size_t)3;
}

struct fault_origin {
    int fd;
    uint32_t seq;
};

struct fault_origin *fault_origin_new(const struct fault_netns *netns, struct base_error *err)
{
    static const struct timeval patience = {.tv_sec = 1};
    int fd = fault_netns_socket(netns, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, err);
    if (fd < 0)
        return NULL;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0) {
        (void)base_fail_errno(err, "cannot set up the socket to conntrack");
        base_fd_close(&fd);
        return NULL;
    }
    struct fault_origin *origin = base_calloc(1, sizeof *origin);
    origin->fd = fd;
    return origin;
}

void fault_origin_free(struct fault_origin *origin)
{
    if (origin == NULL)
        return;
    base_fd_close(&origin->fd);
    free(origin);
}

/* --- the message --- */

struct message {
    _Alignas(struct nlmsghdr) unsigned char bytes[512];
    size_t len;
};

static size_t open_attr(struct message *message, uint16_t type, size_t payload)
{
    struct nlattr attr = {.nla_len = (uint16_t)(attr_header + payload), .nla_type = type};
    size_t at = message->len;
    memcpy(message->bytes + at, &attr, sizeof attr);
    message->len += attr_header;
    return at;
}

static void put(struct message *message, uint16_t type, const void *value, size_t size)
{
    (void)open_attr(message, type, size);
    memcpy(message->bytes + message->len, value, size);
    message->len += aligned(size);
}

static void close_attr(struct message *message, size_t at)
{
    uint16_t len = (uint16_t)(message->len - at);
    memcpy(message->bytes + at, &len, sizeof len); /* nla_len comes first */
}

static void put_tuple(struct message *message, uint16_t type, const struct sockaddr_storage *source,
                      const struct sockaddr_storage *destination)
{
    static const uint8_t udp = IPPROTO_UDP;
    struct sockaddr_in v4[2];
    struct sockaddr_in6 v6[2];
    memcpy(&v4[0], source, sizeof v4[0]);
    memcpy(&v4[1], destination, sizeof v4[1]);
    memcpy(&v6[0], source, sizeof v6[0]);
    memcpy(&v6[1], destination, sizeof v6[1]);
    size_t tuple = open_attr(message, type | NLA_F_NESTED, 0);
    size_t ip = open_attr(message, CTA_TUPLE_IP | NLA_F_NESTED, 0);
    if (source->ss_family == AF_INET) {
        put(message, CTA_IP_V4_SRC, &v4[0].sin_addr, sizeof v4[0].sin_addr);
        put(message, CTA_IP_V4_DST, &v4[1].sin_addr, sizeof v4[1].sin_addr);
    } else {
        put(message, CTA_IP_V6_SRC, &v6[0].sin6_addr, sizeof v6[0].sin6_addr);
        put(message, CTA_IP_V6_DST, &v6[1].sin6_addr, sizeof v6[1].sin6_addr);
    }
    close_attr(message, ip);
    size_t proto = open_attr(message, CTA_TUPLE_PROTO | NLA_F_NESTED, 0);
    put(message, CTA_PROTO_NUM, &udp, sizeof udp);
    put(message, CTA_PROTO_SRC_PORT, &v4[0].sin_port, sizeof v4[0].sin_port);
    put(message, CTA_PROTO_DST_PORT, &v4[1].sin_port, sizeof v4[1].sin_port);
    close_attr(message, proto);
    close_attr(message, tuple);
}

/* Begins a message to conntrack. */
static void message_begin(struct message *message, int family)
{
    struct nfgenmsg general = {.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0};
    *message = (struct message){.len = NLMSG_HDRLEN};
    memcpy(message->bytes + message->len, &general, sizeof general);
    message->len += NLMSG_ALIGN(sizeof general);
}

static int message_send(struct fault_origin *origin, struct message *message, uint16_t type,
                        uint16_t flags)
{
    struct nlmsghdr header = {.nlmsg_len = (uint32_t)message->len,
                              .nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type),
                              .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
                              .nlmsg_seq = ++origin->seq};
    memcpy(message->bytes, &header, sizeof header);
    return send(origin->fd, message->bytes, message->len, 0) < 0 ? errno : 0;
}

/* --- the answer --- */

struct span {
    const unsigned char *at;
    size_t len;
};

/* The payload of the attribute of this type; of length 0 when there is none. */
static struct span find(struct span in, uint16_t type)
{
    struct nlattr attr;
    while (in.len >= sizeof attr) {
        memcpy(&attr, in.at, sizeof attr);
        if (attr.nla_len < sizeof attr || attr.nla_len > in.len)
            break;
        if ((attr.nla_type & NLA_TYPE_MASK) == type)
            return (struct span){in.at + attr_header, (size_t)attr.nla_len - attr_header};
        size_t step = aligned(attr.nla_len);
        if (step > in.len)
            break;
        in = (struct span){in.at + step, in.len - step};
    }
    return (struct span){0};
}

static bool read_destination(struct span attributes, int family, struct sockaddr_storage *out)
{
    struct span tuple = find(attributes, CTA_TUPLE_ORIG);
    struct span ip = find(tuple, CTA_TUPLE_IP);
    struct span port = find(find(tuple, CTA_TUPLE_PROTO), CTA_PROTO_DST_PORT);
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct span address = find(ip, family == AF_INET ? CTA_IP_V4_DST : CTA_IP_V6_DST);
    if (port.len != 2 || address.len != (family == AF_INET ? 4U : 16U))
        return false;
    *out = (struct sockaddr_storage){0};
    memcpy(&v4.sin_port, port.at, 2);
    memcpy(&v6.sin6_port, port.at, 2);
    if (family == AF_INET) {
        memcpy(&v4.sin_addr, address.at, 4);
        memcpy(out, &v4, sizeof v4);
    } else {
        memcpy(&v6.sin6_addr, address.at, 16);
        memcpy(out, &v6, sizeof v6);
    }
    return true;
}

bool fault_origin_of(struct fault_origin *origin, const struct sockaddr_storage *from,
                     const struct sockaddr_storage *at, struct sockaddr_storage *out)
{
    struct message message;
    _Alignas(struct nlmsghdr) unsigned char answer[most_bytes];
    struct nlmsghdr header;
    /* By the reply: from where it was received to who sent it. */
    message_begin(&message, at->ss_family);
    put_tuple(&message, CTA_TUPLE_REPLY, at, from);
    if (message_send(origin, &message, IPCTNL_MSG_CT_GET, 0) != 0)
        return false;
    for (;;) {
        ssize_t n = recv(origin->fd, answer, sizeof answer, 0);
        if (n < (ssize_t)(NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg))))
            return false;
        memcpy(&header, answer, sizeof header);
        if (header.nlmsg_seq != origin->seq)
            continue; /* of a question that was given up */
        size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
        struct span attributes = {answer + skip, (size_t)n - skip};
        return header.nlmsg_type != NLMSG_ERROR && read_destination(attributes, at->ss_family, out);
    }
}

/* --- forgetting --- */

struct flow { /* what a deletion says: the tuple as conntrack told it */
    uint8_t family;
    size_t len;
    unsigned char tuple[256];
};

struct flows {
    uint8_t protocol;
    const struct fault_nft_redirect *redirect;
    struct flow *list;
    size_t count;
};

static bool is_named(struct span tuple, const struct flows *flows)
{
    const struct fault_nft_redirect *redirect = flows->redirect;
    struct span proto = find(tuple, CTA_TUPLE_PROTO);
    struct span number = find(proto, CTA_PROTO_NUM);
    struct span port = find(proto, CTA_PROTO_DST_PORT);
    if (number.len != 1 || number.at[0] != flows->protocol || port.len != 2)
        return false;
    for (size_t i = 0; i < redirect->port_count; i++)
        if ((port.at[0] << 8 | port.at[1]) == redirect->ports[i])
            return true;
    return false;
}

static bool is_peer(struct span tuple, int family, const struct fault_nft_redirect *redirect)
{
    bool outbound = redirect->side == FAULT_OUTBOUND;
    struct span ip = find(tuple, CTA_TUPLE_IP);
    struct span source = find(ip, family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC);
    struct span target = find(ip, family == AF_INET ? CTA_IP_V4_DST : CTA_IP_V6_DST);
    struct span remote = outbound ? target : source;
    size_t len = family == AF_INET ? 4 : 16;
    if (source.len != len || target.len != len)
        return false;
    bool own = memcmp(source.at, target.at, len) == 0;
    /* What the target says to itself never comes in from outside. */
    if (!outbound && own)
        return false;
    return redirect->peers->count == 0 || fault_peers_hold(redirect->peers, family, remote.at, own);
}

/* Redirected already, or a proxy's own. */
static bool is_marked(struct span attributes)
{
    struct span found = find(attributes, CTA_MARK);
    uint32_t mark;
    if (found.len != sizeof mark)
        return false;
    memcpy(&mark, found.at, sizeof mark);
    return (ntohl(mark) & FAULT_NFT_MARK_MASK) == FAULT_NFT_MARK;
}

static void note_flow(void *ctx, const struct nlmsghdr *message)
{
    struct flows *flows = ctx;
    const unsigned char *body = (const unsigned char *)message + NLMSG_HDRLEN;
    size_t skip = NLMSG_ALIGN(sizeof(struct nfgenmsg));
    struct nfgenmsg family;
    if (message->nlmsg_len < NLMSG_HDRLEN + skip || flows->count >= most_flows)
        return;
    memcpy(&family, body, sizeof family);
    struct span attributes = {body + skip, message->nlmsg_len - NLMSG_HDRLEN - skip};
    struct span tuple = find(attributes, CTA_TUPLE_ORIG);
    struct flow flow = {.family = family.nfgen_family, .len = tuple.len};
    if (tuple.at == NULL || tuple.len > sizeof flow.tuple || !is_named(tuple, flows) ||
        !is_peer(tuple, family.nfgen_family, flows->redirect) || is_marked(attributes))
        return;
    memcpy(flow.tuple, tuple.at, tuple.len);
    flows->list = base_reallocarray(flows->list, flows->count + 1, sizeof *flows->list);
    flows->list[flows->count++] = flow;
}

/* Of a question whose answer lists nothing. */
static void note_none(void *ctx, const struct nlmsghdr *message)
{
    (void)ctx;
    (void)message;
}

bool fault_origin_forget(struct fault_origin *origin, uint8_t protocol,
                         const struct fault_nft_redirect *redirect, struct base_error *err)
{
    struct flows flows = {.protocol = protocol, .redirect = redirect};
    struct message message;
    message_begin(&message, AF_UNSPEC);
    errno = message_send(origin, &message, IPCTNL_MSG_CT_GET, NLM_F_DUMP);
    if (errno == 0)
        errno = fault_netlink_hear(origin->fd, note_flow, &flows);
    bool ok = errno == 0 || base_fail_errno(err, "conntrack did not list its flows");
    for (size_t i = 0; ok && i < flows.count; i++) {
        message_begin(&message, flows.list[i].family);
        put(&message, CTA_TUPLE_ORIG | NLA_F_NESTED, flows.list[i].tuple, flows.list[i].len);
        errno = message_send(origin, &message, IPCTNL_MSG_CT_DELETE, NLM_F_ACK);
        if (errno == 0)
            errno = fault_netlink_hear(origin->fd, note_none, NULL);
        ok = errno == 0 || errno == ENOENT || base_fail_errno(err, "conntrack did not forget");
    }
    free(flows.list);
    return ok;
}

void fault_origin_forget_one(struct fault_origin *origin, const struct sockaddr_storage *source,
                             const struct sockaddr_storage *destination)
{
    struct message message;
    message_begin(&message, source->ss_family);
    put_tuple(&message, CTA_TUPLE_ORIG, source, destination);
    if (message_send(origin, &message, IPCTNL_MSG_CT_DELETE, NLM_F_ACK) == 0)
        (void)fault_netlink_hear(origin->fd, note_none, NULL);
}
