/* SPDX-License-Identifier: Apache-2.0 */
/* A series of ICMP echoes (RFC 792, RFC 4443), which the peer's kernel answers. */
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "probe.h"

enum {
    ipv4_header = 20,
    ipv6_header = 40,
    echo_header = 8, /* type, code, checksum, id, sequence: alike in both */
    cookie_bytes = 8,
    message_max = 2048,
    buffer_bytes = 4 << 20 /* a series for a slow link is sent at once */
};

struct echo {
    struct fault_probe *probe;
    int fd;
    struct io_watch watch;
    uint16_t id;
    uint64_t cookie; /* tells our answers from those to others of the same id */
    size_t len;      /* of the ICMP message */
};

/* RFC 1071. A raw socket for ICMP gets packets whose checksum is wrong, too. */
static uint16_t checksum(const unsigned char *data, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)data[i] << 8 | data[i + 1];
    if (len % 2 == 1)
        sum += (uint32_t)data[len - 1] << 8;
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

static unsigned get16(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static bool is_v6(const struct fault_probe_task *task)
{
    return task->peer->family == AF_INET6;
}

/* The ICMP message in what a raw socket gave; NULL: too short. */
static const unsigned char *message_of(const struct fault_probe_task *task,
                                       const unsigned char *data, size_t *len)
{
    size_t skip = is_v6(task) || *len < ipv4_header ? 0 : (size_t)(data[0] & 15) * 4;
    if (*len < skip + echo_header + cookie_bytes)
        return NULL;
    *len -= skip;
    return data + skip;
}

/* The probe may be gone afterwards; false says so. */
static bool take(struct echo *echo, const unsigned char *data, size_t len)
{
    const struct fault_probe_task *task = fault_probe_task_of(echo->probe);
    const unsigned char *message = message_of(task, data, &len);
    unsigned reply = is_v6(task) ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
    if (message == NULL || len != echo->len || message[0] != reply ||
        get16(message + 4) != echo->id ||
        memcmp(message + echo_header, &echo->cookie, cookie_bytes) != 0 ||
        (!is_v6(task) && checksum(message, len) != 0))
        return true;
    struct fault_probe *probe = echo->probe;
    size_t index = get16(message + 6);
    fault_probe_answered(probe, index, (struct dur_ns){0});
    return false;
}

static void on_readable(void *ctx, unsigned events)
{
    (void)events;
    struct echo *echo = ctx;
    unsigned char data[message_max];
    for (;;) {
        ssize_t n = recv(echo->fd, data, sizeof data, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        /* After an answer the series may be over; what is there still wakes the watch again. */
        if (n <= 0 || !take(echo, data, (size_t)n))
            return;
    }
}

static bool echo_open(struct fault_probe *probe, struct base_error *err)
{
    static const int bytes = buffer_bytes;
    struct fault_probe_task *task = fault_probe_task_of(probe);
    int protocol = is_v6(task) ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    size_t headers = is_v6(task) ? ipv6_header : ipv4_header;
    size_t least = headers + echo_header + cookie_bytes;
    size_t size = task->plan.bytes < least ? least : task->plan.bytes;
    int fd = fault_netns_socket(task->netns, task->peer->family, SOCK_RAW | SOCK_NONBLOCK, protocol,
                                err);
    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    struct echo *echo = base_calloc(1, sizeof *echo);
    *echo = (struct echo){.probe = probe,
                          .fd = fd,
                          .id = (uint16_t)base_random_u64(),
                          .cookie = base_random_u64(),
                          .len = size - headers};
    if (echo->len > message_max - 60)
        echo->len = message_max - 60;
    io_watch_init(&echo->watch, task->loop, fd, on_readable, echo);
    io_watch_set(&echo->watch, IO_READ);
    task->state = echo;
    return true;
}

static bool echo_send(struct fault_probe *probe, size_t index, struct base_error *err)
{
    const struct fault_probe_task *task = fault_probe_task_of(probe);
    const struct echo *echo = task->state;
    unsigned char message[message_max] = {0};
    message[0] = is_v6(task) ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
    put16(message + 4, echo->id);
    put16(message + 6, (unsigned)index);
    memcpy(message + echo_header, &echo->cookie, cookie_bytes);
    if (!is_v6(task)) /* for IPv6 the kernel does it: the addresses are part of the sum */
        put16(message + 2, checksum(message, echo->len));
    struct sockaddr_in to4 = {.sin_family = AF_INET};
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
    memcpy(&to4.sin_addr, task->peer->address, sizeof to4.sin_addr);
    memcpy(&to6.sin6_addr, task->peer->address, sizeof to6.sin6_addr);
    ssize_t sent =
        is_v6(task)
            ? sendto(echo->fd, message, echo->len, 0, (const struct sockaddr *)&to6, sizeof to6)
            : sendto(echo->fd, message, echo->len, 0, (const struct sockaddr *)&to4, sizeof to4);
    return sent >= 0 || base_fail_errno(err, "cannot send an ICMP echo to %s", task->peer->text);
}

static void echo_close(struct fault_probe *probe)
{
    struct fault_probe_task *task = fault_probe_task_of(probe);
    struct echo *echo = task->state;
    if (echo == NULL)
        return;
    io_watch_fini(&echo->watch);
    base_fd_close(&echo->fd);
    free(echo);
    task->state = NULL;
}

const struct fault_probe_ops fault_probe_echo = {
    .open = echo_open, .send = echo_send, .close = echo_close};
