/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors, wake-ups and signals on a loop. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "loop_fixture.h"

static void test_watch_reads_and_writes(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    int fds[2];
    make_pipe(fds);
    struct io_watch in;
    struct io_watch out;
    struct seen read_seen = {0};
    struct seen write_seen = {0};
    io_watch_init(&in, loop, fds[0], on_ready, &read_seen);
    io_watch_init(&out, loop, fds[1], on_ready, &write_seen);
    io_watch_set(&in, IO_READ);
    io_watch_set(&in, IO_READ); /* unchanged */
    io_watch_set(&out, IO_WRITE);
    io_test_until(loop, &write_seen.any);
    assert_int_equal(write_seen.events, IO_WRITE);
    assert_int_equal(read_seen.calls, 0);
    io_watch_set(&out, 0);
    int writes = write_seen.calls;
    assert_int_equal(write(fds[1], "x", 1), 1);
    io_test_until(loop, &read_seen.any);
    assert_int_equal(read_seen.events, IO_READ);
    assert_int_equal(write_seen.calls, writes);
    io_watch_fini(&in);
    io_watch_fini(&out);
    io_watch_fini(&out); /* twice does nothing */
    close_pipe(fds);
    io_loop_free(loop);
}

static void test_watch_finished_in_its_callback(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    int fds[2];
    make_pipe(fds);
    struct io_watch *watch = calloc(1, sizeof *watch);
    assert_non_null(watch);
    struct seen seen = {.watch = watch, .finish = true};
    io_watch_init(watch, loop, fds[1], on_ready, &seen);
    io_watch_set(watch, IO_WRITE);
    io_loop_run(loop); /* ends: no watcher is left */
    assert_int_equal(seen.calls, 1);
    close_pipe(fds);
    io_loop_free(loop);
}

static void test_watch_survives_reuse_of_a_descriptor_number(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    for (int round = 0; round < 50; round++) {
        int fds[2];
        make_pipe(fds);
        struct io_watch watch;
        struct seen seen = {0};
        io_watch_init(&watch, loop, fds[0], on_ready, &seen);
        io_watch_set(&watch, IO_READ);
        assert_int_equal(write(fds[1], "x", 1), 1);
        io_test_until(loop, &seen.any);
        io_watch_fini(&watch);
        close_pipe(fds);
    }
    io_loop_free(loop);
}

static void test_zeroed_watchers_can_be_finished(void **state)
{
    (void)state;
    int spare = dup(STDERR_FILENO);
    assert_int_equal(dup2(spare, STDIN_FILENO), STDIN_FILENO);
    base_fd_close(&spare);
    struct io_watch watch = {0};
    struct io_timer timer = {0};
    struct io_alarm alarm = {0};
    struct io_signal signal = {0};
    struct io_wake wake = {0};
    io_watch_fini(&watch);
    io_timer_fini(&timer);
    io_alarm_fini(&alarm); /* must not close descriptor 0 */
    io_signal_fini(&signal);
    io_wake_fini(&wake);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
    io_loop_free(NULL);
}

static void test_stop_leaves_the_run(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    struct io_timer far;
    struct io_timer stop;
    io_timer_init(&far, loop, on_stop, loop);
    io_timer_init(&stop, loop, on_stop, loop);
    io_timer_start(&far, base_dur_s(3600));
    io_timer_start(&stop, base_dur_ms(1));
    io_loop_run(loop);
    assert_true(io_timer_active(&far));
    io_timer_fini(&far);
    io_timer_fini(&stop);
    io_loop_free(loop);
}

struct woken {
    struct io_wake wake;
    int calls;
    bool any;
};

static void on_wake(void *ctx)
{
    struct woken *woken = ctx;
    woken->calls++;
    woken->any = true;
}

static void *send_wakes(void *ctx)
{
    for (int i = 0; i < 1000; i++)
        io_wake_send(ctx);
    return NULL;
}

static void test_wake_from_another_thread(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    struct woken woken = {0};
    struct base_error err;
    assert_true(io_wake_init(&woken.wake, loop, on_wake, &woken, &err));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_wakes, &woken.wake), 0);
    io_test_until(loop, &woken.any);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_in_range(woken.calls, 1, 1000);
    io_wake_fini(&woken.wake);
    io_loop_free(loop);
}

static void test_sends_before_the_wake_are_one(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    struct woken woken = {0};
    struct base_error err;
    assert_true(io_wake_init(&woken.wake, loop, on_wake, &woken, &err));
    errno = EXDEV;
    for (int i = 0; i < 10; i++)
        io_wake_send(&woken.wake);
    assert_int_equal(errno, EXDEV);
    io_test_until(loop, &woken.any);
    assert_int_equal(woken.calls, 1);
    io_wake_fini(&woken.wake);
    io_loop_free(loop);
}

struct turns {
    struct io_wake wake;
    int begun;
    struct mono_ns at;
    int begun_before_wake; /* how many had begun when the wake came */
};

static void on_turn(void *ctx, struct mono_ns now)
{
    struct turns *turns = ctx;
    turns->begun++;
    turns->at = now;
}

static void on_turns_wake(void *ctx)
{
    struct turns *turns = ctx;
    turns->begun_before_wake = turns->begun;
    io_wake_fini(&turns->wake);
}

/* The turn is told before what the wait has brought, and keeps no loop running by itself. */
static void test_turn_begins_before_its_callbacks(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    struct turns turns = {.begun = 0};
    struct base_error err;
    struct mono_ns before = base_mono_now();
    io_loop_on_turn(loop, on_turn, &turns);
    assert_true(io_wake_init(&turns.wake, loop, on_turns_wake, &turns, &err));
    io_wake_send(&turns.wake);
    io_loop_run(loop); /* ends with its last watcher */
    assert_int_equal(turns.begun_before_wake, 1);
    assert_false(base_mono_before(turns.at, before));
    assert_false(base_mono_before(base_mono_now(), turns.at));
    io_loop_free(loop);
}

struct signaled {
    int number;
    bool any;
};

static void on_signal(void *ctx, int number)
{
    struct signaled *seen = ctx;
    seen->number = number;
    seen->any = true;
}

static void test_signal_arrives_on_the_loop(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    struct io_signal watcher;
    struct signaled seen = {0};
    io_signal_init(&watcher, loop, SIGUSR1, on_signal, &seen);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_false(seen.any); /* not from the handler */
    io_test_until(loop, &seen.any);
    assert_int_equal(seen.number, SIGUSR1);
    io_signal_fini(&watcher);
    struct sigaction now;
    assert_int_equal(sigaction(SIGUSR1, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
    io_loop_free(loop);
}

struct pair {
    struct io_watch *other;
    int calls;
    bool any;
};

static void on_one_of_two(void *ctx, unsigned events)
{
    struct pair *pair = ctx;
    (void)events;
    pair->calls++;
    pair->any = true;
    io_watch_fini(pair->other);
    memset(pair->other, 0xff, sizeof *pair->other);
}

/* Both are ready in the same turn; the first to be told takes the other away, which then must not
 * be told any more: its owner may have freed it. */
static void test_what_is_finished_is_not_told(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    int a[2], b[2];
    make_pipe(a);
    make_pipe(b);
    struct io_watch watch_a, watch_b;
    struct pair pair_a = {.other = &watch_b};
    struct pair pair_b = {.other = &watch_a};
    io_watch_init(&watch_a, loop, a[0], on_one_of_two, &pair_a);
    io_watch_init(&watch_b, loop, b[0], on_one_of_two, &pair_b);
    io_watch_set(&watch_a, IO_READ);
    io_watch_set(&watch_b, IO_READ);
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    io_loop_run_once(loop);
    assert_int_equal(pair_a.calls + pair_b.calls, 1);
    io_watch_fini(pair_a.any ? &watch_a : &watch_b);
    close_pipe(a);
    close_pipe(b);
    io_loop_free(loop);
}

/* A descriptor that was closed while it was watched, and is another file's now. */
static void test_watch_of_a_number_that_is_another_file(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    int fds[2], others[2];
    make_pipe(fds);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, others), 0);
    struct io_watch watch;
    struct seen seen = {0};
    io_watch_init(&watch, loop, fds[0], on_ready, &seen);
    io_watch_set(&watch, IO_READ);
    io_watch_set(&watch, IO_READ | IO_WRITE); /* told to the kernel by either loop */
    io_watch_set(&watch, IO_READ);
    assert_int_equal(dup2(others[0], fds[0]), fds[0]); /* closes the pipe's end */
    io_watch_set(&watch, IO_WRITE);
    io_test_until(loop, &seen.any);
    assert_int_equal(seen.events, IO_WRITE);
    io_watch_fini(&watch);
    close_pipe(fds);
    close_pipe(others);
    io_loop_free(loop);
}

/* --- who reads until a read falls short --- */

struct edge {
    struct io_loop *loop;
    int sockets[2];
    int busy[2]; /* always readable, so that a turn ends */
    struct io_watch watch, other;
    int to_read; /* bytes, at the next call */
    int calls;
    bool ended;
};

static void on_edge(void *ctx, unsigned events)
{
    struct edge *edge = ctx;
    char bytes[16];
    assert_int_equal(events, IO_READ);
    edge->calls++;
    if (edge->to_read > 0)
        edge->ended = read(edge->sockets[0], bytes, (size_t)edge->to_read) == 0;
    edge->to_read = 0;
}

static void on_busy(void *ctx, unsigned events)
{
    (void)ctx;
    (void)events;
}

static void edge_begin(struct edge *edge)
{
    *edge = (struct edge){.loop = new_loop()};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, edge->sockets), 0);
    make_pipe(edge->busy);
    assert_int_equal(write(edge->busy[1], "x", 1), 1);
    io_watch_init(&edge->other, edge->loop, edge->busy[0], on_busy, NULL);
    io_watch_set(&edge->other, IO_READ);
    io_watch_init(&edge->watch, edge->loop, edge->sockets[0], on_edge, edge);
    io_watch_edge(&edge->watch);
    io_watch_set(&edge->watch, IO_READ);
}

static void edge_end(struct edge *edge)
{
    io_watch_fini(&edge->watch);
    io_watch_fini(&edge->other);
    close_pipe(edge->sockets);
    close_pipe(edge->busy);
    io_loop_free(edge->loop);
}

/* The calls of one turn, the next of which reads so much. */
static int edge_turn(struct edge *edge, int to_read)
{
    int before = edge->calls;
    edge->to_read = to_read;
    io_loop_run_once(edge->loop);
    return edge->calls - before;
}

static void test_edge_tells_of_what_is_new(void **state)
{
    (void)state;
    struct edge edge;
    edge_begin(&edge);
    assert_int_equal(edge_turn(&edge, 0), 0);
    assert_int_equal(write(edge.sockets[1], "abc", 3), 3);
    assert_int_equal(edge_turn(&edge, 1), 1);
    assert_int_equal(edge_turn(&edge, 0), direct ? 0 : 1); /* two bytes are left */
    io_watch_again(&edge.watch);
    assert_int_equal(edge_turn(&edge, 1), 1);
    assert_int_equal(write(edge.sockets[1], "d", 1), 1);
    assert_int_equal(edge_turn(&edge, 8), 1);
    assert_int_equal(edge_turn(&edge, 0), 0);
    io_watch_again(&edge.watch);
    assert_int_equal(edge_turn(&edge, 0), 0); /* nothing is there */
    edge_end(&edge);
}

/* Bytes and the end behind them come in one turn, at which the reader stops at the bytes. */
static void test_edge_tells_of_the_end_until_it_is_met(void **state)
{
    (void)state;
    struct edge edge;
    edge_begin(&edge);
    assert_int_equal(write(edge.sockets[1], "abc", 3), 3);
    assert_int_equal(shutdown(edge.sockets[1], SHUT_WR), 0);
    assert_int_equal(edge_turn(&edge, 8), 1);
    assert_false(edge.ended);
    assert_int_equal(edge_turn(&edge, 0), 1); /* not met: told again */
    assert_int_equal(edge_turn(&edge, 8), 1);
    assert_true(edge.ended);
    edge_end(&edge);
}

int main(void)
{
    const struct CMUnitTest both[] = {
        cmocka_unit_test(test_watch_reads_and_writes),
        cmocka_unit_test(test_watch_finished_in_its_callback),
        cmocka_unit_test(test_watch_survives_reuse_of_a_descriptor_number),
        cmocka_unit_test(test_zeroed_watchers_can_be_finished),
        cmocka_unit_test(test_stop_leaves_the_run),
        cmocka_unit_test(test_wake_from_another_thread),
        cmocka_unit_test(test_sends_before_the_wake_are_one),
        cmocka_unit_test(test_turn_begins_before_its_callbacks),
        cmocka_unit_test(test_what_is_finished_is_not_told),
        cmocka_unit_test(test_watch_of_a_number_that_is_another_file),
        cmocka_unit_test(test_edge_tells_of_what_is_new),
        cmocka_unit_test(test_edge_tells_of_the_end_until_it_is_met),
    };
    const struct CMUnitTest signals[] = {cmocka_unit_test(test_signal_arrives_on_the_loop)};
    return cmocka_run_group_tests_name("signals", signals, NULL, NULL) + RUN_ON_BOTH(both);
}
