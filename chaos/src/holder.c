/* SPDX-License-Identifier: Apache-2.0 */
#include "holder.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "impair.h"
#include "netqueue.h"
#include "timeline.h"

enum {
    read_at_once = 64, /* packets, before those that are due are let go */
    ipv4_header = 20,
    ipv6_header = 40,
    late_bucket_us = 500,
    late_buckets = 200 /* the last for all that were later */
};

/* Of packets that the holder sends itself. Drawn by lot once; nobody else has a reason to use it.
 */
static const uint32_t copy_mark = 0x5351a7c3;

struct fault_holder {
    struct fault_netqueue *queue;
    struct impair directions[2]; /* 1: from the target */
    struct timeline line;
    int raw4; /* -1: none needed, or this kernel has no such family */
    int raw6;
    int stop_fd;
    bool running;
    pthread_t thread;
    atomic_bool broken;
    atomic_uint late[late_buckets];
};

/* --- letting go --- */

/* A copy goes the way of all packets, past our rules because of its mark. One to the target itself
 * goes there over the loopback device: its source is not ours, and need not be. */
static void send_copy(const struct fault_holder *holder, const unsigned char *data, size_t len)
{
    bool v6 = data[0] >> 4 == 6;
    ssize_t sent = -1;
    if (v6 && len >= ipv6_header) {
        struct sockaddr_in6 to = {.sin6_family = AF_INET6};
        memcpy(&to.sin6_addr, data + 24, sizeof to.sin6_addr);
        sent = sendto(holder->raw6, data, len, 0, (const struct sockaddr *)&to, sizeof to);
    } else if (!v6 && len >= ipv4_header) {
        struct sockaddr_in to = {.sin_family = AF_INET};
        memcpy(&to.sin_addr, data + 16, sizeof to.sin_addr);
        sent = sendto(holder->raw4, data, len, 0, (const struct sockaddr *)&to, sizeof to);
    }
    (void)sent; /* as on any wire, the second one may be lost */
}

/* Who leaves at once is never late, and many of them would hide that the others are. */
static void note_late(struct fault_holder *holder, const struct timeline_packet *packet,
                      struct mono_ns now)
{
    if (!packet->delayed)
        return;
    int64_t bucket = base_mono_sub(now, packet->leaves).ns / (late_bucket_us * BASE_NS_PER_US);
    if (bucket < 0)
        bucket = 0;
    if (bucket >= late_buckets)
        bucket = late_buckets - 1;
    (void)atomic_fetch_add_explicit(&holder->late[bucket], 1, memory_order_relaxed);
}

static void let_go(struct fault_holder *holder, struct timeline_packet *packet)
{
    if (packet->changed)
        fault_netqueue_pass_as(holder->queue, packet->id, packet->data, packet->len);
    else
        fault_netqueue_pass(holder->queue, packet->id);
    if (packet->duplicate) {
        fault_netqueue_flush(holder->queue);
        send_copy(holder, packet->copy, packet->len);
    }
    free(packet->data);
    free(packet->copy);
}

static void let_go_due(struct fault_holder *holder)
{
    struct mono_ns now = base_mono_now();
    for (const struct timeline_packet *first = timeline_first(&holder->line);
         first != NULL && !base_mono_before(now, first->leaves);
         first = timeline_first(&holder->line)) {
        struct timeline_packet packet = timeline_take(&holder->line);
        note_late(holder, &packet, now);
        let_go(holder, &packet);
    }
    fault_netqueue_flush(holder->queue);
}

static void let_go_all(struct fault_holder *holder)
{
    while (timeline_first(&holder->line) != NULL) {
        struct timeline_packet packet = timeline_take(&holder->line);
        let_go(holder, &packet);
    }
    fault_netqueue_flush(holder->queue);
}

/* --- taking in --- */

static unsigned char *copy_of(const struct fault_netqueue_packet *packet)
{
    unsigned char *copy = base_calloc(1, packet->data_len);
    memcpy(copy, packet->data, packet->data_len);
    return copy;
}

/* Behind the IP header, so that the packet finds its way and the checksum there tells. */
static bool flip(unsigned char *data, size_t len, uint64_t bit)
{
    size_t header = data[0] >> 4 == 6 ? ipv6_header : (size_t)(data[0] & 15) * 4;
    if (len <= header)
        return false;
    bit %= (len - header) * 8;
    data[header + bit / 8] ^= (unsigned char)(1U << bit % 8);
    return true;
}

static void on_packet(void *ctx, const struct fault_netqueue_packet *packet)
{
    struct fault_holder *holder = ctx;
    struct mono_ns now = base_mono_now();
    struct impair_fate fate =
        impair_packet(&holder->directions[packet->output ? 1 : 0], now, packet->bytes);
    bool whole = packet->data_len > 0 && packet->data_len == packet->bytes;
    if (fate.drop) {
        fault_netqueue_drop(holder->queue, packet->id);
        return;
    }
    struct timeline_packet held = {.leaves = fate.leaves,
                                   .id = packet->id,
                                   .delayed = base_mono_before(now, fate.leaves),
                                   .len = packet->data_len};
    held.duplicate = fate.duplicate && whole;
    if (held.duplicate)
        held.copy = copy_of(packet);
    if (fate.corrupt && whole) {
        held.data = copy_of(packet);
        held.changed = flip(held.data, held.len, fate.flip_bit);
    }
    timeline_add(&holder->line, held);
}

static void on_late_packet(void *ctx, const struct fault_netqueue_packet *packet)
{
    struct fault_holder *holder = ctx;
    fault_netqueue_pass(holder->queue, packet->id);
}

/* --- the thread --- */

/* NULL: as long as it takes. */
static const struct timespec *until_next(const struct fault_holder *holder, struct timespec *out)
{
    const struct timeline_packet *first = timeline_first(&holder->line);
    if (first == NULL)
        return NULL;
    int64_t ns = base_mono_sub(first->leaves, base_mono_now()).ns;
    if (ns < 0)
        ns = 0;
    *out = (struct timespec){.tv_sec = ns / BASE_NS_PER_S, .tv_nsec = ns % BASE_NS_PER_S};
    return out;
}

static void *run(void *arg)
{
    struct fault_holder *holder = arg;
    struct pollfd fds[] = {{.fd = fault_netqueue_fd(holder->queue), .events = POLLIN},
                           {.fd = holder->stop_fd, .events = POLLIN}};
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0); /* 50 us otherwise, on every delay */
    while (fds[1].revents == 0) {
        struct timespec next;
        if (ppoll(fds, 2, until_next(holder, &next), NULL) < 0 && errno != EINTR)
            break;
        if (fault_netqueue_read(holder->queue, read_at_once, on_packet, holder) < 0) {
            atomic_store(&holder->broken, true);
            break;
        }
        let_go_due(holder);
    }
    let_go_all(holder);
    while (fault_netqueue_read(holder->queue, read_at_once, on_late_packet, holder) > 0)
        fault_netqueue_flush(holder->queue);
    fault_netqueue_flush(holder->queue);
    return NULL;
}

/* Signals are the loop's. */
static bool start(struct fault_holder *holder, struct base_error *err)
{
    sigset_t all;
    sigset_t old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&holder->thread, NULL, run, holder);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = failed;
    holder->running = failed == 0;
    return holder->running || base_fail_errno(err, "cannot start a thread to hold packets");
}

/* --- birth and death --- */

static int open_raw(const struct fault_netns *netns, int family, struct base_error *err)
{
    int fd = fault_netns_socket(netns, family, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_RAW, err);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &copy_mark, sizeof copy_mark) < 0) {
        (void)base_fail_errno(err, "cannot mark the packets of a socket");
        base_fd_close(&fd);
    }
    return fd;
}

static bool open_copies(struct fault_holder *holder, const struct fault_netns *netns,
                        struct base_error *err)
{
    struct base_error why = {0};
    holder->raw4 = open_raw(netns, AF_INET, err);
    if (holder->raw4 < 0)
        return false;
    holder->raw6 = open_raw(netns, AF_INET6, &why);
    if (holder->raw6 >= 0 || why.sys == EAFNOSUPPORT)
        return true; /* without IPv6 there is nothing to copy */
    if (err != NULL)
        *err = why;
    return false;
}

struct fault_holder *fault_holder_new(const struct fault_netns *netns,
                                      const struct fault_impairment *what, uint64_t seed,
                                      struct base_error *err)
{
    struct fault_holder *holder = base_calloc(1, sizeof *holder);
    holder->raw4 = -1;
    holder->raw6 = -1;
    impair_init(&holder->directions[0], what, seed);
    impair_init(&holder->directions[1], what, ~seed);
    holder->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    holder->queue = fault_netqueue_new(netns, impair_counts_packets(what), err);
    bool ok = holder->queue != NULL;
    if (ok && holder->stop_fd < 0)
        ok = base_fail_errno(err, "cannot make an event descriptor");
    ok = ok && (what->duplicate <= 0.0 || open_copies(holder, netns, err)) && start(holder, err);
    if (ok)
        return holder;
    fault_holder_free(holder);
    return NULL;
}

void fault_holder_free(struct fault_holder *holder)
{
    if (holder == NULL)
        return;
    if (holder->running) {
        static const uint64_t one = 1;
        (void)!write(holder->stop_fd, &one, sizeof one);
        (void)pthread_join(holder->thread, NULL);
    }
    fault_netqueue_free(holder->queue);
    timeline_fini(&holder->line);
    base_fd_close(&holder->raw4);
    base_fd_close(&holder->raw6);
    base_fd_close(&holder->stop_fd);
    free(holder);
}

uint16_t fault_holder_queue(const struct fault_holder *holder)
{
    return fault_netqueue_number(holder->queue);
}

uint32_t fault_holder_mark(const struct fault_holder *holder)
{
    (void)holder;
    return copy_mark;
}

bool fault_holder_works(const struct fault_holder *holder)
{
    return !atomic_load(&holder->broken);
}

/* In the first bucket they are in time, and not late at all. */
static struct dur_ns late_at(const unsigned *counts, uint64_t all, unsigned permille)
{
    uint64_t below = 0;
    int64_t bucket = 0;
    while (bucket < late_buckets - 1 && 1000 * (below += counts[bucket]) < all * permille)
        bucket++;
    return (struct dur_ns){bucket > 0 ? (bucket + 1) * late_bucket_us * BASE_NS_PER_US : 0};
}

struct impair_lateness fault_holder_late(struct fault_holder *holder)
{
    unsigned counts[late_buckets];
    uint64_t all = 0;
    for (size_t i = 0; i < late_buckets; i++) {
        counts[i] = atomic_exchange_explicit(&holder->late[i], 0, memory_order_relaxed);
        all += counts[i];
    }
    return (struct impair_lateness){.low = late_at(counts, all, 100),
                                    .high = late_at(counts, all, 316)};
}
