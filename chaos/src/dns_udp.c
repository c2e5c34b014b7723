/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dns driver's datagrams. What is not answered here goes to where it was sent (origin.h), from
 * a socket of its own for each question, so that an answer needs no table to find its way back and
 * keeps a source port that is hard to guess (RFC 5452).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "origin.h"
#include "proxy_dns.h"
#include "proxy_fd.h"

enum {
    family_count = 2,
    most_questions = 1024, /* further ones are lost, as on a busy server */
    questions_a_turn = 64,
    patience_s = 10
};

struct question {
    struct door *door;
    struct question *next;
    struct question *previous;
    struct sockaddr_storage client;
    struct sockaddr_storage server;
    int fd;
    struct io_watch watch;
    struct io_timer timer;
};

struct door { /* one address family */
    struct dns_udp *udp;
    int family;
    int fd; /* -1: the namespace has no such family */
    struct sockaddr_storage at;
    struct io_watch watch;
};

struct dns_udp {
    struct io_loop *loop;
    struct fault_proxy_config config;
    struct base_rng *rng;
    struct fault_origin *origin;
    struct door doors[family_count];
    struct question *questions;
    size_t count;
};

static socklen_t length_of(int family)
{
    return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* --- a question on its way --- */

static void forget_flow(struct dns_udp *udp, int fd, const struct sockaddr_storage *server)
{
    struct sockaddr_storage own = {0};
    socklen_t len = sizeof own;
    if (getsockname(fd, (struct sockaddr *)&own, &len) == 0)
        fault_origin_forget_one(udp->origin, &own, server);
}

static void question_free(struct question *question)
{
    struct dns_udp *udp = question->door->udp;
    forget_flow(udp, question->fd, &question->server);
    io_watch_fini(&question->watch);
    io_timer_fini(&question->timer);
    base_fd_close(&question->fd);
    if (question->previous != NULL)
        question->previous->next = question->next;
    else
        udp->questions = question->next;
    if (question->next != NULL)
        question->next->previous = question->previous;
    udp->count--;
    free(question);
}

static void on_patience(void *ctx)
{
    question_free(ctx);
}

static void on_reply(void *ctx, unsigned events)
{
    (void)events;
    struct question *question = ctx;
    unsigned char message[DNS_MESSAGE_MAX];
    ssize_t n = recv(question->fd, message, sizeof message, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        (void)sendto(question->door->fd, message, (size_t)n, MSG_DONTWAIT,
                     (const struct sockaddr *)&question->client, length_of(question->door->family));
    question_free(question); /* an error is the server's silence: the client's to bear */
}

static void forward(struct door *door, const struct sockaddr_storage *client,
                    const unsigned char *message, size_t len)
{
    struct dns_udp *udp = door->udp;
    struct sockaddr_storage to;
    if (udp->count >= most_questions || !fault_origin_of(udp->origin, client, &door->at, &to))
        return;
    int fd = proxy_fd_keep(socket(door->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd < 0)
        return;
    if (setsockopt(fd, SOL_SOCKET, SO_MARK, &udp->config.mark, sizeof udp->config.mark) < 0 ||
        connect(fd, (const struct sockaddr *)&to, length_of(door->family)) < 0) {
        base_fd_close(&fd);
        return;
    }
    /* A client that is gone may have had the port that is ours now: its flow would lead our
     * question back to us. */
    forget_flow(udp, fd, &to);
    if (send(fd, message, len, MSG_DONTWAIT) < 0) {
        base_fd_close(&fd);
        return;
    }
    struct question *question = base_calloc(1, sizeof *question);
    *question = (struct question){
        .door = door, .client = *client, .server = to, .fd = fd, .next = udp->questions};
    if (question->next != NULL)
        question->next->previous = question;
    udp->questions = question;
    udp->count++;
    io_watch_init(&question->watch, udp->loop, fd, on_reply, question);
    io_watch_set(&question->watch, IO_READ);
    io_timer_init(&question->timer, udp->loop, on_patience, question);
    io_timer_start(&question->timer, base_dur_s(patience_s));
}

/* --- what clients say --- */

static void on_question(void *ctx, unsigned events)
{
    (void)events;
    struct door *door = ctx;
    unsigned char message[DNS_MESSAGE_MAX];
    unsigned char made[DNS_ANSWER_MAX];
    for (int i = 0; i < questions_a_turn; i++) {
        struct sockaddr_storage client = {0};
        socklen_t client_len = sizeof client;
        size_t made_len = 0;
        ssize_t n = recvfrom(door->fd, message, sizeof message, MSG_DONTWAIT,
                             (struct sockaddr *)&client, &client_len);
        if (n < 0)
            return;
        switch (proxy_dns_decide(door->udp->config.rules, door->udp->rng, message, (size_t)n, made,
                                 &made_len)) {
        case PROXY_DNS_FORWARD:
            forward(door, &client, message, (size_t)n);
            break;
        case PROXY_DNS_DROP:
            break;
        case PROXY_DNS_ANSWER:
            (void)sendto(door->fd, made, made_len, MSG_DONTWAIT, (const struct sockaddr *)&client,
                         client_len);
            break;
        }
    }
}

/* --- birth and death --- */

/* On the loopback address, which a redirect of what the target itself sends leads to: answers then
 * leave from the address that conntrack expects them from. */
static bool open_door(struct door *door, const struct fault_netns *netns, struct base_error *err)
{
    const struct sockaddr_in v4 = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const void *at = door->family == AF_INET ? (const void *)&v4 : (const void *)&v6;
    struct base_error why = {0};
    socklen_t len = sizeof door->at;
    door->fd = fault_netns_socket(netns, door->family, SOCK_DGRAM | SOCK_NONBLOCK, 0, &why);
    if (door->fd < 0 && door->family == AF_INET6 && why.sys == EAFNOSUPPORT)
        return true;
    if (door->fd < 0)
        return base_fail(err, why.code, "%s", why.message);
    if (bind(door->fd, at, length_of(door->family)) < 0) {
        bool off = door->family == AF_INET6 && errno == EADDRNOTAVAIL;
        if (!off)
            (void)base_fail_errno(err, "cannot listen in the target's network namespace");
        base_fd_close(&door->fd); /* off: IPv6 is switched off there */
        return off;
    }
    if (getsockname(door->fd, (struct sockaddr *)&door->at, &len) < 0)
        return base_fail_errno(err, "cannot listen in the target's network namespace");
    return true;
}

struct dns_udp *dns_udp_new(struct io_loop *loop, const struct fault_proxy_config *config,
                            struct base_rng *rng, struct base_error *err)
{
    static const int families[family_count] = {AF_INET, AF_INET6};
    struct dns_udp *udp = base_calloc(1, sizeof *udp);
    *udp = (struct dns_udp){.loop = loop, .config = *config, .rng = rng};
    for (size_t i = 0; i < family_count; i++)
        udp->doors[i] = (struct door){.udp = udp, .family = families[i], .fd = -1};
    udp->origin = fault_origin_new(config->netns, err);
    for (size_t i = 0; udp->origin != NULL && i < family_count; i++) {
        struct door *door = &udp->doors[i];
        if (!open_door(door, config->netns, err)) {
            dns_udp_free(udp);
            return NULL;
        }
        if (door->fd < 0)
            continue;
        io_watch_init(&door->watch, loop, door->fd, on_question, door);
        io_watch_set(&door->watch, IO_READ);
    }
    if (udp->origin != NULL)
        return udp;
    dns_udp_free(udp);
    return NULL;
}

void dns_udp_free(struct dns_udp *udp)
{
    if (udp == NULL)
        return;
    for (struct question *next, *question = udp->questions; question != NULL; question = next) {
        next = question->next;
        question_free(question);
    }
    for (size_t i = 0; i < family_count; i++) {
        io_watch_fini(&udp->doors[i].watch);
        base_fd_close(&udp->doors[i].fd);
    }
    fault_origin_free(udp->origin);
    free(udp);
}

uint16_t dns_udp_port(const struct dns_udp *udp, int family)
{
    const struct door *door = &udp->doors[family == AF_INET ? 0 : 1];
    struct sockaddr_in in; /* the port lies at the same place in both */
    memcpy(&in, &door->at, sizeof in);
    return door->fd >= 0 ? ntohs(in.sin_port) : 0;
}
