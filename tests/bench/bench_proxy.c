/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a proxy fault costs those it is not about, in a network namespace of its own: the time that
 * it adds to a request that matches nothing, and the throughput of what it does not look at, each
 * beside the same without it. A redirect and a proxy as the agent makes them; client and server are
 * plain threads.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "nft.h"
#include "proxy_http.h"
#include "proxy_tcp.h"
#include "statistics.h"

enum { port = 8000, requests = 20000, warm_up = 1000, rounds = 5, block = 256 * 1024, bulk_s = 2 };

static const char request[] = "GET /api/other?limit=10 HTTP/1.1\r\nHost: bench\r\n"
                              "Accept: application/json\r\nUser-Agent: bench\r\n\r\n";
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                             "Content-Length: 16\r\n\r\n{\"data\":[1,2,3]}";

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench_proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void no_delay(int fd)
{
    static const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* --- a server: requests on port, bytes without end on the next --- */

static void *serve_one(void *arg)
{
    int fd = *(int *)arg;
    bool bulk = ((int *)arg)[1] != 0;
    char *buffer = base_calloc(1, block);
    free(arg);
    no_delay(fd);
    for (;;) {
        ssize_t n = bulk ? send(fd, buffer, block, MSG_NOSIGNAL) : recv(fd, buffer, block, 0);
        if (n <= 0 || (!bulk && send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0))
            break;
    }
    (void)close(fd);
    free(buffer);
    return NULL;
}

static void *serve(void *arg)
{
    const int *listener = arg;
    for (;;) {
        int *one = base_calloc(2, sizeof *one);
        pthread_t thread;
        one[0] = accept(listener[0], NULL, NULL);
        one[1] = listener[1];
        if (one[0] < 0 || pthread_create(&thread, NULL, serve_one, one) != 0)
            die("accept");
        (void)pthread_detach(thread);
    }
    return NULL;
}

static int make_socket(const struct fault_netns *netns)
{
    struct base_error err = {0};
    int fd = fault_netns_socket(netns, AF_INET, SOCK_STREAM, 0, &err);
    if (fd < 0)
        die(err.message);
    no_delay(fd);
    return fd;
}

static void start_server(const struct fault_netns *netns, bool bulk)
{
    static int listeners[2][2];
    int *listener = listeners[bulk ? 1 : 0];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port + (bulk ? 1 : 0))};
    pthread_t thread;
    listener[0] = make_socket(netns);
    listener[1] = bulk ? 1 : 0;
    if (bind(listener[0], (const struct sockaddr *)&at, sizeof at) < 0 ||
        listen(listener[0], 64) < 0 || pthread_create(&thread, NULL, serve, listener) != 0)
        die("server");
    (void)pthread_detach(thread);
}

/* --- a client --- */

static int connect_to(const struct fault_netns *netns, uint16_t to_port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(to_port)};
    int fd = make_socket(netns);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    return fd;
}

static int64_t median_us(const struct fault_netns *netns)
{
    static int64_t took[requests];
    char buffer[4096];
    int fd = connect_to(netns, port);
    for (int i = -warm_up; i < requests; i++) {
        struct mono_ns began = base_mono_now();
        if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
            die("send");
        for (size_t got = 0; got < sizeof answer - 1;) {
            ssize_t n = recv(fd, buffer, sizeof buffer, 0);
            if (n <= 0)
                die("recv");
            got += (size_t)n;
        }
        if (i >= 0)
            took[i] = base_mono_sub(base_mono_now(), began).ns;
    }
    (void)close(fd);
    return fault_median(took, requests);
}

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct rate {
    double gbit_s;
    double cpu; /* cores busy, client and server among them */
};

static struct rate bulk_rate(const struct fault_netns *netns)
{
    char *buffer = base_calloc(1, block);
    int fd = connect_to(netns, port + 1);
    double bytes = 0;
    struct mono_ns began = base_mono_now();
    double busy = cpu_s();
    double s = 0;
    while (s < bulk_s) {
        ssize_t n = recv(fd, buffer, block, MSG_TRUNC); /* discarded: the client is no limit */
        if (n <= 0)
            die("bulk");
        bytes += (double)n;
        s = base_dur_to_s(base_mono_sub(base_mono_now(), began));
    }
    busy = cpu_s() - busy;
    (void)close(fd);
    free(buffer);
    return (struct rate){bytes * 8 / s / 1e9, busy / s};
}

/* --- the fault --- */

struct fault_in_place {
    struct fault_nft *nft;
    struct fault_proxy *proxy;
};

static struct fault_in_place redirect_to(const struct fault_netns *netns,
                                         const struct proxy_driver *driver, const void *rules,
                                         uint16_t from)
{
    static const struct fault_peers all = {0};
    struct base_error err = {0};
    const struct fault_proxy_config config = {
        .netns = netns, .mark = FAULT_NFT_MARK | 1, .driver = driver, .rules = rules};
    struct fault_in_place made = {.nft = fault_nft_new(netns, &err)};
    made.proxy = fault_proxy_start(&config, &err);
    if (made.nft == NULL || made.proxy == NULL)
        die(err.message);
    const struct fault_nft_redirect redirect = {.table = "squall_bench",
                                                .side = FAULT_OUTBOUND,
                                                .peers = &all,
                                                .ports = &from,
                                                .port_count = 1,
                                                .tcp = {fault_proxy_port(made.proxy, AF_INET), 0},
                                                .mark = config.mark};
    if (!fault_nft_redirect(made.nft, &redirect, base_dur_s(600), &err))
        die(err.message);
    return made;
}

static void take_away(struct fault_in_place *made)
{
    fault_proxy_stop(made->proxy);
    fault_nft_free(made->nft);
}

static void bench_http(const struct fault_netns *netns)
{
    static char name[] = "bench";
    static char prefix[] = "/api/users";
    static char agent[] = "X-Who: me";
    static char *headers[] = {agent};
    struct base_error err = {0};
    const struct fault_spec spec = {.name = name,
                                    .kind = FAULT_HTTP,
                                    .http = {.path_prefix = prefix,
                                             .headers = {headers, 1},
                                             .share = 1.0,
                                             .action = FAULT_HTTP_ABORT,
                                             .status = 503}};
    struct http_rules *rules = http_rules_new(&spec, NULL, &err);
    int64_t direct[rounds];
    int64_t through[rounds];
    for (int i = 0; i < rounds; i++) {
        direct[i] = median_us(netns);
        struct fault_in_place made = redirect_to(netns, &proxy_http_driver, rules, port);
        through[i] = median_us(netns);
        take_away(&made);
    }
    int64_t a = fault_median(direct, rounds);
    int64_t b = fault_median(through, rounds);
    (void)printf("request that matches nothing, p50: direct %.1f us, through the proxy %.1f us, "
                 "added %.1f us (goal: 50)\n",
                 (double)a / 1e3, (double)b / 1e3, (double)(b - a) / 1e3);
    http_rules_free(rules);
}

static void bench_bulk(const struct fault_netns *netns)
{
    const struct proxy_tcp_rules rules = {
        .toxic = FAULT_TOXIC_SLOW_CLOSE, .time = {1}, .share = 1.0};
    struct rate direct = bulk_rate(netns);
    struct fault_in_place made = redirect_to(netns, &proxy_tcp_driver, &rules, port + 1);
    struct rate through = bulk_rate(netns);
    take_away(&made);
    (void)printf("spliced: direct %.1f Gbit/s with %.2f cores busy, through the proxy %.1f Gbit/s "
                 "with %.2f cores busy, sender and receiver among them (goal: 5 Gbit/s)\n",
                 direct.gbit_s, direct.cpu, through.gbit_s, through.cpu);
}

int main(void)
{
    struct fault_netns netns = {.fd = -1};
    struct base_error err = {0};
    struct ifreq up = {.ifr_name = "lo"};
    up.ifr_flags = IFF_UP;
    if (geteuid() != 0) {
        (void)puts("skipped: network namespaces need root");
        return 0;
    }
    if (!fault_netns_new(&netns, &err))
        die(err.message);
    int fd = make_socket(&netns);
    if (ioctl(fd, SIOCSIFFLAGS, &up) < 0)
        die("lo");
    (void)close(fd);
    start_server(&netns, false);
    start_server(&netns, true);
    bench_http(&netns);
    bench_bulk(&netns);
    return 0;
}
