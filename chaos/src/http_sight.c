/* SPDX-License-Identifier: Apache-2.0 */
#include "http_sight.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/text.h"

enum {
    max_ports = 64,
    packet_max = 65536,
    buffer_bytes = 4 << 20, /* what else goes on there is seen, too, and skipped */
    ipv6_header = 40,
    tcp_header = 20,
    reads_a_turn = 256
};

struct http_sight {
    int fd;
    struct io_watch watch;
    uint16_t ports[max_ports];
    size_t port_count;
    unsigned char seen[65536 / 8]; /* ports of connections whose request has been seen */
    void (*each)(void *ctx, const struct http_head *head);
    void *ctx;
    unsigned char packet[packet_max];
};

static uint16_t get16(const unsigned char *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* Behind the IP header; 0: not TCP, or not all of it. */
static size_t transport_at(const unsigned char *packet, size_t *len)
{
    bool v6 = *len >= ipv6_header && packet[0] >> 4 == 6;
    bool v4 = *len >= 20 && packet[0] >> 4 == 4;
    size_t header = v6 ? ipv6_header : v4 ? (size_t)(packet[0] & 15) * 4 : 0;
    size_t whole = v6 ? ipv6_header + (size_t)get16(packet + 4) : v4 ? get16(packet + 2) : 0;
    bool fragment = v4 && (get16(packet + 6) & 0x3fff) != 0;
    if (header < 20 || whole > *len || fragment || packet[v6 ? 6 : 9] != IPPROTO_TCP)
        return 0;
    *len = whole;
    return header;
}

bool http_packet_read(const unsigned char *packet, size_t len, struct http_packet *out)
{
    size_t at = transport_at(packet, &len);
    if (at == 0 || len < at + tcp_header)
        return false;
    size_t data = at + (size_t)(packet[at + 12] >> 4) * 4;
    if (data < at + tcp_header || data > len)
        return false;
    *out = (struct http_packet){.from = get16(packet + at),
                                .to = get16(packet + at + 2),
                                .data = (const char *)packet + data,
                                .len = len - data};
    return true;
}

static bool is_meant(const struct http_sight *sight, uint16_t port)
{
    for (size_t i = 0; i < sight->port_count; i++)
        if (sight->ports[i] == port)
            return true;
    return false;
}

static void take(struct http_sight *sight, size_t len)
{
    struct http_packet packet;
    struct http_head head;
    if (!http_packet_read(sight->packet, len, &packet) || !is_meant(sight, packet.to) ||
        http_request_parse(packet.data, packet.len, &head) != HTTP_DONE)
        return;
    unsigned char bit = (unsigned char)(1U << packet.from % 8);
    if ((sight->seen[packet.from / 8] & bit) != 0)
        return; /* sent again, or the next one */
    sight->seen[packet.from / 8] |= bit;
    sight->each(sight->ctx, &head);
}

static bool read_one(struct http_sight *sight)
{
    struct sockaddr_ll from = {0};
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(sight->fd, sight->packet, sizeof sight->packet, MSG_DONTWAIT,
                         (struct sockaddr *)&from, &from_len);
    if (n < 0)
        return errno == EINTR;
    if (from.sll_pkttype == PACKET_OUTGOING)
        take(sight, (size_t)n);
    return true;
}

static void on_readable(void *ctx, unsigned events)
{
    (void)events;
    for (int i = 0; i < reads_a_turn && read_one(ctx); i++)
        ;
}

void http_sight_catch_up(struct http_sight *sight)
{
    /* What comes meanwhile is not waited for. */
    for (int i = 0; i < packet_max && read_one(sight); i++)
        ;
}

struct http_sight *http_sight_new(struct io_loop *loop, const struct fault_netns *netns,
                                  const uint16_t *ports, size_t port_count,
                                  void (*each)(void *ctx, const struct http_head *head), void *ctx,
                                  struct base_error *err)
{
    static const int bytes = buffer_bytes;
    int fd =
        fault_netns_socket(netns, AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL), err);
    if (fd < 0)
        return NULL;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    struct http_sight *sight = base_calloc(1, sizeof *sight);
    sight->fd = fd;
    sight->each = each;
    sight->ctx = ctx;
    for (size_t i = 0; i < port_count && i < max_ports; i++)
        sight->ports[sight->port_count++] = ports[i];
    io_watch_init(&sight->watch, loop, fd, on_readable, sight);
    io_watch_set(&sight->watch, IO_READ);
    return sight;
}

void http_sight_free(struct http_sight *sight)
{
    if (sight == NULL)
        return;
    io_watch_fini(&sight->watch);
    base_fd_close(&sight->fd);
    free(sight);
}
