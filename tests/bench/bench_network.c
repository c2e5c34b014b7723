/* SPDX-License-Identifier: Apache-2.0 */
/*
 *     bench_network [nfqueue|netem [delays]]
 *
 * How exactly a backend of the fault network delays packets, and (without `delays`) how many it
 * takes: UDP datagrams over the loopback device of a namespace that exists for this program alone,
 * each with the time of its sending inside. Prints one line a measurement, "skipped" with the
 * reason where this process may not; judges nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "netback.h"

enum { probes = 1000, gap_us = 1000, flood_ms = 2000, datagram_bytes = 64 };

struct bench {
    const struct fault_netback_ops *back;
    bool delays_only;
    struct fault_zone zone;
    struct fault_peer peer;
    struct sockaddr_in to;
    int in;
    int out;
    atomic_bool stop;
    int64_t *delays;
    size_t received;
    size_t room;
};

static bool up(struct base_error *err)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    BASE_AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return (fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0) ||
           base_fail_errno(err, "cannot bring up the loopback device");
}

static bool sockets(struct bench *bench, struct base_error *err)
{
    static const int bytes = 64 << 20;
    static const struct timeval patience = {.tv_usec = 200000};
    socklen_t len = sizeof bench->to;
    bench->in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bench->out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bench->to = (struct sockaddr_in){.sin_family = AF_INET};
    memcpy(&bench->to.sin_addr, bench->peer.address, sizeof bench->to.sin_addr);
    (void)setsockopt(bench->in, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    (void)setsockopt(bench->out, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    (void)setsockopt(bench->in, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return (bind(bench->in, (const struct sockaddr *)&bench->to, sizeof bench->to) == 0 &&
            getsockname(bench->in, (struct sockaddr *)&bench->to, &len) == 0) ||
           base_fail_errno(err, "cannot bind to %s", bench->peer.text);
}

static bool send_one(const struct bench *bench)
{
    char data[datagram_bytes] = {0};
    int64_t now = base_mono_now().ns;
    memcpy(data, &now, sizeof now);
    return sendto(bench->out, data, sizeof data, 0, (const struct sockaddr *)&bench->to,
                  sizeof bench->to) > 0;
}

static void *receive(void *arg)
{
    struct bench *bench = arg;
    while (!atomic_load(&bench->stop)) {
        char data[datagram_bytes];
        int64_t sent;
        if (recv(bench->in, data, sizeof data, 0) != datagram_bytes)
            continue;
        memcpy(&sent, data, sizeof sent);
        if (bench->received < bench->room)
            bench->delays[bench->received++] = base_mono_now().ns - sent;
    }
    return NULL;
}

static void send_paced(const struct bench *bench)
{
    struct mono_ns start = base_mono_now();
    for (int i = 0; i < probes; i++) {
        int64_t due = start.ns + (int64_t)i * gap_us * BASE_NS_PER_US;
        struct timespec at = {.tv_sec = due / BASE_NS_PER_S, .tv_nsec = due % BASE_NS_PER_S};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        (void)send_one(bench);
    }
}

static size_t send_flood(const struct bench *bench)
{
    struct mono_ns end = base_mono_add(base_mono_now(), base_dur_ms(flood_ms));
    size_t sent = 0;
    while (base_mono_before(base_mono_now(), end) && send_one(bench))
        sent++;
    return sent;
}

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report_paced(struct bench *bench, int64_t asked_ms)
{
    size_t n = bench->received;
    qsort(bench->delays, n, sizeof *bench->delays, by_value);
    printf("asked %4" PRId64 " ms: median %9.3f ms, p99 %9.3f ms, least %9.3f ms, %zu of %d came\n",
           asked_ms, n > 0 ? (double)bench->delays[n / 2] / 1e6 : 0.0,
           n > 0 ? (double)bench->delays[n * 99 / 100] / 1e6 : 0.0,
           n > 0 ? (double)bench->delays[0] / 1e6 : 0.0, n, probes);
}

static void report_flood(const struct bench *bench, int64_t asked_ms, size_t sent, double cpu)
{
    size_t past = 0;
    for (size_t i = 0; i < bench->received; i++)
        past += bench->delays[i] < asked_ms * BASE_NS_PER_MS ? 1 : 0;
    printf("flood, %2" PRId64
           " ms: %8.0f sent/s, %8.0f came/s, %zu past the full queue, %.2f us of "
           "CPU each\n",
           asked_ms, (double)sent * 1000 / flood_ms, (double)bench->received * 1000 / flood_ms,
           past, sent > 0 ? cpu * 1e6 / (double)sent : 0.0);
}

/* ms 0: without any rule, to compare with. */
static bool measure(struct bench *bench, int64_t ms, bool flood, struct base_error *err)
{
    const struct fault_network network = {.impairment = {.delay = base_dur_ms(ms)},
                                          .direction = FAULT_EGRESS};
    const struct fault_netback_want want = {
        .zone = &bench->zone, .table = "squall_bench", .network = &network, .seed = 1};
    void *state = NULL;
    pthread_t reader;
    if (ms > 0 && !bench->back->apply(&want, base_dur_s(60), &state, err)) {
        bench->back->close(state);
        return false;
    }
    bench->received = 0;
    atomic_store(&bench->stop, false);
    if (pthread_create(&reader, NULL, receive, bench) != 0)
        abort();
    double cpu = cpu_s();
    size_t sent = 0;
    if (flood)
        sent = send_flood(bench);
    else
        send_paced(bench);
    const struct timespec rest = {.tv_sec = 1};
    (void)nanosleep(&rest, NULL);
    cpu = cpu_s() - cpu;
    atomic_store(&bench->stop, true);
    (void)pthread_join(reader, NULL);
    if (flood)
        report_flood(bench, ms, sent, cpu);
    else
        report_paced(bench, ms);
    return ms == 0 || bench->back->revert(&want, &state, err);
}

static bool run(struct bench *bench, struct base_error *err)
{
    static const int64_t delays_ms[] = {0, 1, 10, 100};
    if (unshare(CLONE_NEWNET) < 0)
        return base_fail_errno(err, "cannot make a network namespace");
    BASE_AUTO_FREE char *path = base_str_printf("/proc/%d/task/%d/ns/net", getpid(), gettid());
    if (!up(err) || !sockets(bench, err) || !fault_netns_open(path, &bench->zone.netns, err))
        return false;
    bool nft = bench->back == &fault_netback_nfqueue;
    bool ok = !nft || fault_zones_connect(&bench->zone, 1, err);
    for (size_t i = 0; ok && i < sizeof delays_ms / sizeof *delays_ms; i++)
        ok = measure(bench, delays_ms[i], false, err);
    if (!bench->delays_only)
        ok = ok && measure(bench, 0, true, err) && measure(bench, 10, true, err);
    fault_nft_free(bench->zone.nft);
    fault_netns_close(&bench->zone.netns);
    return ok;
}

/* The namespace is this thread's alone: the process' own is the host's, which a fault never hits.
 */
static void *inside(void *arg)
{
    struct bench *bench = arg;
    struct base_error err = {0};
    if (!run(bench, &err))
        printf("skipped: %s\n", err.message);
    return NULL;
}

int main(int argc, char **argv)
{
    struct bench bench = {.zone = {.netns = {.fd = -1}}, .room = 4 << 20};
    pthread_t thread;
    bench.back = fault_netback_find(argc > 1 ? argv[1] : "nfqueue");
    bench.delays_only = argc > 2 && base_str_eq(argv[2], "delays");
    if (bench.back == NULL)
        return EXIT_FAILURE;
    bench.peer = (struct fault_peer){.family = AF_INET, .text = "127.0.0.2"};
    (void)inet_pton(AF_INET, bench.peer.text, bench.peer.address);
    bench.zone.peers = (struct fault_peers){.list = &bench.peer, .count = 1};
    bench.delays = base_calloc(bench.room, sizeof *bench.delays);
    if (pthread_create(&thread, NULL, inside, &bench) != 0)
        return EXIT_FAILURE;
    (void)pthread_join(thread, NULL);
    free(bench.delays);
    return EXIT_SUCCESS;
}
