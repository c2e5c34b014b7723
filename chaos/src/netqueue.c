/* SPDX-License-Identifier: Apache-2.0 */
#include "netqueue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"

enum {
    copy_whole = 0xffff,
    copy_start = 64,      /* nothing but the length is needed */
    waiting_most = 65536, /* packets without a verdict: 10 s of 6500 a second */
    receive_bytes = 8 << 20,
    message_bytes = 0xffff + 4096,
    verdicts_bytes = 16384,
    number_first = 0x5371, /* away from the low numbers that people write into rules by hand */
    number_count = 256
};

struct fault_netqueue {
    struct mnl_socket *socket;
    uint32_t portid;
    uint16_t number;
    char *message; /* message_bytes */
    char *verdicts;
    size_t verdicts_len;
};

/* --- requests --- */

static struct nlmsghdr *start(char *at, const struct fault_netqueue *queue, uint16_t type,
                              uint16_t flags)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(at);
    message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type);
    message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof *head);
    head->nfgen_family = AF_UNSPEC;
    head->version = NFNETLINK_V0;
    head->res_id = htons(queue->number);
    return message;
}

/* Before packets are read: acknowledgements are all that comes. */
static bool ask(struct fault_netqueue *queue, struct nlmsghdr *message, const char *what,
                struct base_error *err)
{
    message->nlmsg_seq = 1;
    if (mnl_socket_sendto(queue->socket, message, message->nlmsg_len) < 0)
        return base_fail_errno(err, "%s", what);
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(queue->socket, queue->message, message_bytes);
        if (n < 0)
            return base_fail_errno(err, "%s: the kernel did not answer", what);
        const struct nlmsghdr *reply = (const void *)queue->message;
        if (reply->nlmsg_type != NLMSG_ERROR)
            continue;
        const struct nlmsgerr *error = mnl_nlmsg_get_payload(reply);
        errno = -error->error;
        return error->error == 0 || base_fail_errno(err, "%s", what);
    }
}

static bool bind_number(struct fault_netqueue *queue, uint16_t number, struct base_error *err)
{
    char buffer[256];
    queue->number = number;
    struct nlmsghdr *message = start(buffer, queue, NFQNL_MSG_CONFIG, NLM_F_ACK);
    struct nfqnl_msg_config_cmd command = {.command = NFQNL_CFG_CMD_BIND};
    mnl_attr_put(message, NFQA_CFG_CMD, sizeof command, &command);
    return ask(queue, message, "cannot have a queue of packets", err);
}

/* From a number drawn by lot, so that two agents do not meet; taken ones are refused. */
static bool bind_any(struct fault_netqueue *queue, struct base_error *err)
{
    struct base_error why = {0};
    uint64_t from = base_random_u64() % number_count;
    for (uint64_t i = 0; i < number_count; i++) {
        if (bind_number(queue, (uint16_t)(number_first + (from + i) % number_count), &why))
            return true;
        if (why.sys != EBUSY && why.sys != EPERM)
            break;
    }
    if (err != NULL)
        *err = why;
    return false;
}

static bool configure(struct fault_netqueue *queue, bool whole, struct base_error *err)
{
    char buffer[256];
    struct nlmsghdr *message = start(buffer, queue, NFQNL_MSG_CONFIG, NLM_F_ACK);
    struct nfqnl_msg_config_params params = {.copy_range = htonl(whole ? copy_whole : copy_start),
                                             .copy_mode = NFQNL_COPY_PACKET};
    mnl_attr_put(message, NFQA_CFG_PARAMS, sizeof params, &params);
    mnl_attr_put_u32(message, NFQA_CFG_QUEUE_MAXLEN, htonl(waiting_most));
    uint32_t flags = NFQA_CFG_F_FAIL_OPEN | (whole ? 0 : NFQA_CFG_F_GSO);
    mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO));
    mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(flags));
    return ask(queue, message, "cannot set up the queue of packets", err);
}

/* --- birth and death --- */

static bool set_options(int fd, struct base_error *err)
{
    static const struct timeval patience = {.tv_sec = 2};
    static const int bytes = receive_bytes;
    static const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
        return base_fail_errno(err, "cannot set up the queue's socket");
    /* Helps only: without it fewer packets fit in before the queue lets them pass. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    /* What did not fit has passed unimpaired already; an error would tell nothing else. */
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on);
    return true;
}

struct fault_netqueue *fault_netqueue_new(const struct fault_netns *netns, bool whole,
                                          struct base_error *err)
{
    int fd = fault_netns_socket(netns, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, err);
    if (fd < 0)
        return NULL;
    struct mnl_socket *socket = set_options(fd, err) ? mnl_socket_fdopen(fd) : NULL;
    if (socket == NULL) {
        base_fd_close(&fd);
        return NULL;
    }
    struct fault_netqueue *queue = base_calloc(1, sizeof *queue);
    queue->socket = socket;
    queue->message = base_calloc(1, message_bytes);
    /* One verdict with a whole packet may follow those gathered. */
    queue->verdicts = base_calloc(1, verdicts_bytes + message_bytes);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        (void)base_fail_errno(err, "cannot bind the queue's socket");
        fault_netqueue_free(queue);
        return NULL;
    }
    queue->portid = mnl_socket_get_portid(socket);
    if (!bind_any(queue, err) || !configure(queue, whole, err)) {
        fault_netqueue_free(queue);
        return NULL;
    }
    return queue;
}

void fault_netqueue_free(struct fault_netqueue *queue)
{
    if (queue == NULL)
        return;
    (void)mnl_socket_close(queue->socket);
    free(queue->message);
    free(queue->verdicts);
    free(queue);
}

uint16_t fault_netqueue_number(const struct fault_netqueue *queue)
{
    return queue->number;
}

int fault_netqueue_fd(const struct fault_netqueue *queue)
{
    return mnl_socket_get_fd(queue->socket);
}

/* --- packets in --- */

struct parts {
    const struct nfqnl_msg_packet_hdr *head;
    const struct nlattr *payload;
    size_t whole_len; /* when cut */
};

static int on_attribute(const struct nlattr *attribute, void *data)
{
    struct parts *parts = data;
    uint16_t len = mnl_attr_get_payload_len(attribute);
    switch (mnl_attr_get_type(attribute)) {
    case NFQA_PACKET_HDR:
        if (len >= sizeof *parts->head)
            parts->head = mnl_attr_get_payload(attribute);
        break;
    case NFQA_PAYLOAD:
        parts->payload = attribute;
        break;
    case NFQA_CAP_LEN:
        if (len >= sizeof(uint32_t))
            parts->whole_len = ntohl(mnl_attr_get_u32(attribute));
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static bool parse(const struct nlmsghdr *message, struct fault_netqueue_packet *out)
{
    struct parts parts = {0};
    if (message->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) ||
        mnl_attr_parse(message, sizeof(struct nfgenmsg), on_attribute, &parts) < MNL_CB_STOP ||
        parts.head == NULL)
        return false;
    *out = (struct fault_netqueue_packet){.id = ntohl(parts.head->packet_id),
                                          .output = parts.head->hook == NF_INET_LOCAL_OUT};
    if (parts.payload != NULL) {
        out->data = mnl_attr_get_payload(parts.payload);
        out->data_len = mnl_attr_get_payload_len(parts.payload);
    }
    out->bytes = parts.whole_len > 0 ? parts.whole_len : out->data_len;
    return true;
}

int fault_netqueue_read(struct fault_netqueue *queue, int most,
                        void (*each)(void *ctx, const struct fault_netqueue_packet *packet),
                        void *ctx)
{
    int count = 0;
    while (count < most) {
        ssize_t n = recv(fault_netqueue_fd(queue), queue->message, message_bytes, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno != EAGAIN && errno != ENOBUFS ? -1 : count;
        int left = (int)n;
        for (const struct nlmsghdr *h = (const void *)queue->message; mnl_nlmsg_ok(h, left);
             h = mnl_nlmsg_next(h, &left)) {
            struct fault_netqueue_packet packet;
            if (!parse(h, &packet))
                continue;
            each(ctx, &packet);
            count++;
        }
    }
    return count;
}

/* --- verdicts out --- */

void fault_netqueue_flush(struct fault_netqueue *queue)
{
    /* Without acknowledgement: the only refusal is that the packet is gone already. */
    if (queue->verdicts_len > 0)
        (void)mnl_socket_sendto(queue->socket, queue->verdicts, queue->verdicts_len);
    queue->verdicts_len = 0;
}

static void put_verdict(struct fault_netqueue *queue, uint32_t id, uint32_t verdict,
                        const unsigned char *data, size_t len)
{
    struct nlmsghdr *message =
        start(queue->verdicts + queue->verdicts_len, queue, NFQNL_MSG_VERDICT, 0);
    struct nfqnl_msg_verdict_hdr head = {.verdict = htonl(verdict), .id = htonl(id)};
    mnl_attr_put(message, NFQA_VERDICT_HDR, sizeof head, &head);
    if (data != NULL)
        mnl_attr_put(message, NFQA_PAYLOAD, len, data);
    queue->verdicts_len += (message->nlmsg_len + 3U) & ~3U; /* NLMSG_ALIGN, unsigned */
    if (queue->verdicts_len >= verdicts_bytes - 256)
        fault_netqueue_flush(queue);
}

void fault_netqueue_pass(struct fault_netqueue *queue, uint32_t id)
{
    put_verdict(queue, id, NF_ACCEPT, NULL, 0);
}

void fault_netqueue_pass_as(struct fault_netqueue *queue, uint32_t id, const unsigned char *data,
                            size_t len)
{
    put_verdict(queue, id, NF_ACCEPT, data, len);
}

void fault_netqueue_drop(struct fault_netqueue *queue, uint32_t id)
{
    put_verdict(queue, id, NF_DROP, NULL, 0);
}
