/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/connect.h"

struct attempt {
    struct io_loop *loop;
    struct io_connect_result result;
    int answers;
};

static void on_done(void *ctx, const struct io_connect_result *result)
{
    struct attempt *attempt = ctx;
    attempt->result = *result;
    attempt->answers++;
    io_loop_stop(attempt->loop);
}

/* A port of loopback that refuses (bound, not listening), or listens with this backlog. */
static int make_port(struct sockaddr_in *address, int backlog)
{
    socklen_t len = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (const struct sockaddr *)address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static struct io_connect *start(struct attempt *attempt, const struct sockaddr_in *address,
                                struct dur_ns patience)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    return io_connect_start(attempt->loop, fd, (const struct sockaddr *)address, sizeof *address,
                            patience, on_done, attempt);
}

static struct attempt attempt_at(const struct sockaddr_in *address, struct dur_ns patience)
{
    struct base_error err;
    struct attempt attempt = {.loop = io_loop_new(&err)};
    (void)start(&attempt, address, patience);
    assert_int_equal(attempt.answers, 0); /* never from inside */
    io_loop_run(attempt.loop);
    assert_int_equal(attempt.answers, 1);
    io_loop_free(attempt.loop);
    return attempt;
}

static void somebody_listens(void **state)
{
    (void)state;
    struct sockaddr_in address;
    char text[64];
    int port = make_port(&address, 8);
    struct attempt attempt = attempt_at(&address, base_dur_s(5));
    assert_true(attempt.result.connected);
    assert_int_equal(attempt.result.sys, 0);
    io_connect_describe(&attempt.result, text, sizeof text);
    assert_non_null(strstr(text, "connected in "));
    close(port);
}

/* While this process waits for a processor, the answer waits for it. */
static void a_late_look_is_not_a_late_answer(void **state)
{
    (void)state;
    struct sockaddr_in address;
    struct base_error err;
    int port = make_port(&address, 8);
    struct attempt attempt = {.loop = io_loop_new(&err)};
    struct mono_ns until = base_mono_add(base_mono_now(), base_dur_ms(50));
    (void)start(&attempt, &address, base_dur_ms(1));
    while (base_mono_before(base_mono_now(), until))
        ;
    io_loop_run(attempt.loop);
    assert_true(attempt.result.connected);
    assert_true(attempt.result.elapsed.ns >= base_dur_ms(49).ns);
    assert_in_range(attempt.result.handshake.ns, 1, base_dur_ms(25).ns);
    io_loop_free(attempt.loop);
    close(port);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct sockaddr_in address;
    char text[64];
    int port = make_port(&address, -1);
    struct attempt attempt = attempt_at(&address, base_dur_s(5));
    assert_false(attempt.result.connected);
    assert_int_equal(attempt.result.sys, ECONNREFUSED);
    io_connect_describe(&attempt.result, text, sizeof text);
    assert_non_null(strstr(text, "Connection refused after "));
    close(port);
}

/* A full listen queue drops SYNs: what a partition looks like. */
static void nobody_answers(void **state)
{
    (void)state;
    struct sockaddr_in address;
    char text[64];
    int port = make_port(&address, 0);
    int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(filler, (const struct sockaddr *)&address, sizeof address), 0);
    struct attempt attempt = attempt_at(&address, base_dur_ms(50));
    assert_false(attempt.result.connected);
    assert_int_equal(attempt.result.sys, ETIMEDOUT);
    assert_true(attempt.result.elapsed.ns >= 50 * BASE_NS_PER_MS);
    io_connect_describe(&attempt.result, text, sizeof text);
    assert_non_null(strstr(text, "no answer in "));
    close(filler);
    close(port);
}

static void a_cancelled_attempt_is_silent(void **state)
{
    (void)state;
    struct base_error err;
    struct sockaddr_in address;
    int port = make_port(&address, 8);
    struct attempt attempt = {.loop = io_loop_new(&err)};
    io_connect_cancel(start(&attempt, &address, base_dur_s(5)));
    io_loop_run(attempt.loop); /* nothing is left to wait for */
    assert_int_equal(attempt.answers, 0);
    io_loop_free(attempt.loop);
    io_connect_cancel(NULL);
    close(port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(somebody_listens),
        cmocka_unit_test(a_late_look_is_not_a_late_answer),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(a_cancelled_attempt_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
