/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "reach.h"

struct bench {
    struct io_loop *loop;
    struct fault_netns netns; /* the test's own: it only connects to loopback */
    struct fault_peer peer;
    int refusing; /* its port */
    struct fault_reach *reach;
};

static void on_done(void *ctx)
{
    const struct bench *bench = ctx;
    io_loop_stop(bench->loop);
}

/* A port of loopback that refuses: bound, so that nobody else gets it, and not listening. */
static int refusing_port(struct fault_peer *peer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *peer = (struct fault_peer){.family = AF_INET, .port = ntohs(address.sin_port)};
    memcpy(peer->address, &address.sin_addr, sizeof address.sin_addr);
    (void)snprintf(peer->label, sizeof peer->label, "loopback:%u", (unsigned)peer->port);
    return fd;
}

static void bench_open(struct bench *bench)
{
    struct base_error err = {0};
    *bench = (struct bench){.loop = io_loop_new(&err)};
    assert_non_null(bench->loop);
    bench->netns = (struct fault_netns){.fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
    bench->refusing = refusing_port(&bench->peer);
    bench->reach = fault_reach_new(bench->loop);
}

static void bench_close(struct bench *bench)
{
    fault_reach_free(bench->reach);
    close(bench->refusing);
    fault_netns_close(&bench->netns);
    io_loop_free(bench->loop);
}

/* A round under way when the deadline for showing a partition's absence came used to wipe what the
 * round before had shown, and a peer that was down by itself made the fault "stuck". */
static void a_repeated_round_keeps_the_last_answers(void **unused)
{
    (void)unused;
    struct base_error err = {0};
    struct bench bench;
    bench_open(&bench);
    fault_reach_add(bench.reach, "api-1", &bench.netns, &bench.peer);

    if (!fault_reach_start(bench.reach, base_dur_s(5), on_done, &bench, &err))
        fail_msg("%s", err.message);
    assert_false(fault_reach_explained(bench.reach));
    io_loop_run(bench.loop);
    assert_true(fault_reach_explained(bench.reach));
    const struct fault_path *odd = fault_reach_odd(bench.reach, true);
    assert_non_null(odd);
    assert_int_equal(odd->result.sys, ECONNREFUSED);

    assert_true(fault_reach_repeat(bench.reach, base_dur_s(5), on_done, &bench, &err));
    assert_true(fault_reach_explained(bench.reach));
    io_loop_run(bench.loop);
    assert_true(fault_reach_explained(bench.reach));

    assert_true(fault_reach_start(bench.reach, base_dur_s(5), on_done, &bench, &err));
    assert_false(fault_reach_explained(bench.reach)); /* a new series knows nothing yet */

    bench_close(&bench);
}

/* Nobody there to send datagrams back is no partition: what was not measured shows neither that a
 * peer is reached nor that it is not. */
static void what_could_not_be_asked_shows_nothing(void **unused)
{
    (void)unused;
    struct base_error err = {0};
    struct bench bench;
    bench_open(&bench);
    (void)snprintf(bench.peer.home, sizeof bench.peer.home, "/run/netns/no-such-place-%d",
                   (int)getpid());
    fault_reach_by_datagrams(bench.reach, NULL, 0);
    fault_reach_add(bench.reach, "api-1", &bench.netns, &bench.peer);

    assert_true(fault_reach_start(bench.reach, base_dur_ms(50), on_done, &bench, &err));
    io_loop_run(bench.loop);
    const struct fault_path *odd = fault_reach_odd(bench.reach, false);
    assert_non_null(odd);
    assert_non_null(fault_reach_odd(bench.reach, true));
    fault_path_error(odd, "is not", &err);
    assert_non_null(strstr(err.message, "cannot open the network namespace /run/netns/no-such"));

    bench_close(&bench);
}

int main(void)
{
    if (geteuid() != 0) {
        puts("skipped: setns(2) needs root (CAP_SYS_ADMIN)");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeated_round_keeps_the_last_answers),
        cmocka_unit_test(what_could_not_be_asked_shows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
