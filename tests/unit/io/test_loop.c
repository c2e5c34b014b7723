/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "io_test.h"

static void make_pipe(int fds[2])
{
    assert_int_equal(pipe(fds), 0);
    struct base_error err;
    assert_true(base_fd_set_nonblocking(fds[0], &err));
    assert_true(base_fd_set_nonblocking(fds[1], &err));
}

static void close_pipe(int fds[2])
{
    base_fd_close(&fds[0]);
    base_fd_close(&fds[1]);
}

/* Everything here but signals holds for either kind of loop. */
static bool direct;

static struct io_loop *new_loop(void)
{
    struct base_error err;
    if (!direct)
        return io_test_loop();
    struct io_loop *loop = io_loop_new_direct(&err);
    assert_non_null(loop);
    return loop;
}

static int use_direct(void **state)
{
    (void)state;
    direct = true;
    return 0;
}

/* --- watch --- */

struct seen {
    struct io_watch *watch;
    unsigned events;
    int calls;
    bool any;
    bool finish; /* finish and free the watcher from its own callback */
};

static void on_ready(void *ctx, unsigned events)
{
    struct seen *seen = ctx;
    seen->events |= events;
    seen->calls++;
    seen->any = true;
    if (seen->finish) {
        io_watch_fini(seen->watch);
        memset(seen->watch, 0x5a, sizeof *seen->watch);
        free(seen->watch);
    }
}

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

/* --- timers and alarms, noted in the order they fire --- */

struct order {
    char text[16];
    size_t len;
    size_t want;
    bool done;
};

struct mark {
    struct order *order;
    char letter;
    struct mono_ns at;
};

static void on_mark(void *ctx)
{
    struct mark *mark = ctx;
    mark->at = base_mono_now();
    mark->order->text[mark->order->len++] = mark->letter;
    mark->order->done = mark->order->len == mark->order->want;
}

static void test_timers_fire_in_order_and_never_early(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    struct order order = {.want = 3};
    static const int after_ms[] = {60, 0, 20};
    struct mark marks[3];
    struct io_timer timers[3];
    struct mono_ns begin = base_mono_now();
    for (int i = 0; i < 3; i++) {
        marks[i] = (struct mark){.order = &order, .letter = (char)('a' + i)};
        io_timer_init(&timers[i], loop, on_mark, &marks[i]);
        assert_false(io_timer_active(&timers[i]));
        io_timer_start(&timers[i], base_dur_ms(after_ms[i]));
        assert_true(io_timer_active(&timers[i]));
    }
    io_loop_run(loop);
    assert_string_equal(order.text, "bca");
    for (int i = 0; i < 3; i++) {
        assert_true(base_mono_sub(marks[i].at, begin).ns >= base_dur_ms(after_ms[i]).ns);
        assert_false(io_timer_active(&timers[i]));
        io_timer_fini(&timers[i]);
    }
    io_loop_free(loop);
}

static void busy_for(struct dur_ns length)
{
    struct mono_ns end = base_mono_add(base_mono_now(), length);
    while (base_mono_before(base_mono_now(), end))
        continue;
}

static void on_busy_then_start(void *ctx)
{
    busy_for(base_dur_ms(60)); /* the loop's own idea of "now" is stale by then */
    io_timer_start(ctx, base_dur_ms(50));
}

static void test_timer_started_after_a_long_callback_is_not_early(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    struct order order = {.want = 1};
    struct mark mark = {.order = &order, .letter = 'x'};
    struct io_timer second;
    struct io_timer first;
    io_timer_init(&second, loop, on_mark, &mark);
    io_timer_init(&first, loop, on_busy_then_start, &second);
    struct mono_ns begin = base_mono_now();
    io_timer_start(&first, base_dur_ms(0));
    io_loop_run(loop);
    assert_true(base_mono_sub(mark.at, begin).ns >= base_dur_ms(110).ns);
    io_timer_fini(&first);
    io_timer_fini(&second);
    io_loop_free(loop);
}

static void test_timer_stopped_and_restarted(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    struct order order = {.want = 1};
    struct mark stopped_mark = {.order = &order, .letter = 's'};
    struct mark again_mark = {.order = &order, .letter = 'r'};
    struct io_timer stopped;
    struct io_timer again;
    io_timer_init(&stopped, loop, on_mark, &stopped_mark);
    io_timer_init(&again, loop, on_mark, &again_mark);
    io_timer_start(&stopped, base_dur_ms(1));
    io_timer_stop(&stopped);
    io_timer_start(&again, base_dur_s(3600));
    io_timer_start(&again, base_dur_ms(5));
    io_loop_run(loop);
    assert_string_equal(order.text, "r");
    io_timer_fini(&stopped);
    io_timer_fini(&again);
    io_loop_free(loop);
}

static void test_alarms_fire_in_order_and_never_early(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    struct order order = {.want = 3};
    static const int after_ms[] = {30, -1000, 10}; /* the second lies in the past */
    struct mark marks[3];
    struct io_alarm alarms[3];
    struct base_error err;
    struct mono_ns begin = base_mono_now();
    for (int i = 0; i < 3; i++) {
        marks[i] = (struct mark){.order = &order, .letter = (char)('a' + i)};
        assert_true(io_alarm_init(&alarms[i], loop, on_mark, &marks[i], &err));
        io_alarm_set(&alarms[i], base_mono_add(begin, base_dur_ms(after_ms[i])));
    }
    io_loop_run(loop); /* a fired alarm keeps the loop no longer */
    assert_string_equal(order.text, "bca");
    for (int i = 0; i < 3; i++) {
        assert_true(base_mono_sub(marks[i].at, begin).ns >= base_dur_ms(after_ms[i]).ns);
        io_alarm_fini(&alarms[i]);
    }
    io_loop_free(loop);
}

struct pacer {
    struct io_alarm alarm;
    struct mono_ns next;
    int left;
    bool early;
};

static void on_pace(void *ctx)
{
    struct pacer *pacer = ctx;
    pacer->early = pacer->early || base_mono_before(base_mono_now(), pacer->next);
    if (--pacer->left == 0)
        return;
    pacer->next = base_mono_add(pacer->next, (struct dur_ns){200 * BASE_NS_PER_US});
    io_alarm_set(&pacer->alarm, pacer->next);
}

static void test_alarm_set_again_from_its_callback(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    struct pacer pacer = {.left = 200, .next = {0}}; /* zero: in the past, yet it must fire */
    struct base_error err;
    assert_true(io_alarm_init(&pacer.alarm, loop, on_pace, &pacer, &err));
    io_alarm_set(&pacer.alarm, pacer.next);
    pacer.next = base_mono_now();
    io_loop_run(loop);
    assert_int_equal(pacer.left, 0);
    assert_false(pacer.early);
    io_alarm_fini(&pacer.alarm);
    io_loop_free(loop);
}

static void test_cleared_alarm_does_not_fire(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    struct order order = {.want = 9};
    struct mark mark = {.order = &order, .letter = 'x'};
    struct io_alarm alarm;
    struct base_error err;
    assert_true(io_alarm_init(&alarm, loop, on_mark, &mark, &err));
    io_alarm_set(&alarm, base_mono_now());
    io_alarm_clear(&alarm);
    io_loop_run(loop); /* nothing is started, so it returns */
    assert_int_equal(order.len, 0);
    io_alarm_set(&alarm, base_mono_now()); /* and it still works */
    io_loop_run(loop);
    assert_int_equal(order.len, 1);
    io_alarm_fini(&alarm);
    io_loop_free(loop);
}

struct delayer {
    struct io_alarm alarm;
    struct delayer *other; /* put off by the first of the two that fires */
    struct mono_ns put_off;
    int fired;
    bool early;
};

static void on_delay(void *ctx)
{
    struct delayer *delayer = ctx;
    delayer->fired++;
    delayer->early = base_mono_before(base_mono_now(), delayer->put_off);
    if (delayer->other->fired > 0)
        return;
    delayer->other->put_off = base_mono_add(base_mono_now(), base_dur_ms(20));
    io_alarm_set(&delayer->other->alarm, delayer->other->put_off);
}

/* Both are due, so the kernel has reported both when the first puts the second off. */
static void test_alarm_put_off_after_it_was_reported(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    struct delayer pair[2] = {{.other = &pair[1]}, {.other = &pair[0]}};
    struct base_error err;
    for (int i = 0; i < 2; i++) {
        assert_true(io_alarm_init(&pair[i].alarm, loop, on_delay, &pair[i], &err));
        io_alarm_set(&pair[i].alarm, base_mono_now());
    }
    io_loop_run(loop);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pair[i].fired, 1);
        assert_false(pair[i].early);
        io_alarm_fini(&pair[i].alarm);
    }
    io_loop_free(loop);
}

/* --- stop, wake, signals --- */

static void on_stop(void *ctx)
{
    io_loop_stop(ctx);
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
    int begun_before_wake; /* how many had begun when the wake came */
};

static void on_turn(void *ctx)
{
    struct turns *turns = ctx;
    turns->begun++;
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
    struct io_loop *loop = io_test_loop();
    struct turns turns = {.begun = 0};
    struct base_error err;
    io_loop_on_turn(loop, on_turn, &turns);
    assert_true(io_wake_init(&turns.wake, loop, on_turns_wake, &turns, &err));
    io_wake_send(&turns.wake);
    io_loop_run(loop); /* ends with its last watcher */
    assert_int_equal(turns.begun_before_wake, 1);
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

/* --- many of each --- */

enum { CROWD = 300 };

struct member {
    struct io_timer timer;
    int64_t due; /* after the start */
    int64_t *last;
    size_t *left;
    bool *all;
};

static void on_member(void *ctx)
{
    struct member *member = ctx;
    assert_true(member->due >= *member->last);
    *member->last = member->due;
    if (--*member->left == 0)
        *member->all = true;
}

/* Started in no order, a third of them stopped and a third put off: the rest fire by their times.
 */
static void test_a_crowd_of_timers_fires_in_order(void **state)
{
    (void)state;
    static struct member members[CROWD];
    struct io_loop *loop = new_loop();
    int64_t last = 0;
    size_t left = CROWD - CROWD / 3;
    bool all = false;
    struct base_rng rng;
    base_rng_seed(&rng, 5);
    for (int i = 0; i < CROWD; i++) {
        members[i] = (struct member){.due = (int64_t)base_rng_below(&rng, 300) * BASE_NS_PER_MS,
                                     .last = &last,
                                     .left = &left,
                                     .all = &all};
        io_timer_init(&members[i].timer, loop, on_member, &members[i]);
        io_timer_start(&members[i].timer, (struct dur_ns){members[i].due});
    }
    struct mono_ns start = base_mono_now();
    for (int i = CROWD - 1; i >= 0; i--) {
        if (i % 3 == 0)
            io_timer_stop(&members[i].timer);
        assert_int_equal(io_timer_active(&members[i].timer), i % 3 != 0);
        if (i % 3 == 1) {
            members[i].due += 5 * BASE_NS_PER_MS;
            int64_t since = base_mono_sub(base_mono_now(), start).ns;
            io_timer_start(&members[i].timer, (struct dur_ns){members[i].due - since});
        }
    }
    io_test_until(loop, &all);
    for (int i = 0; i < CROWD; i++)
        io_timer_fini(&members[i].timer);
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

/* The kernel has been told of the later one already. */
static void test_a_nearer_deadline_is_not_missed(void **state)
{
    (void)state;
    struct io_loop *loop = new_loop();
    int fds[2];
    make_pipe(fds);
    struct io_watch in;
    struct seen seen = {0};
    struct io_timer far, stop;
    io_watch_init(&in, loop, fds[0], on_ready, &seen);
    io_watch_set(&in, IO_READ);
    io_timer_init(&far, loop, on_stop, loop);
    io_timer_init(&stop, loop, on_stop, loop);
    io_timer_start(&far, base_dur_s(20));
    assert_int_equal(write(fds[1], "x", 1), 1);
    io_loop_run_once(loop);
    assert_true(seen.any);
    io_watch_fini(&in);
    struct mono_ns begin = base_mono_now();
    io_timer_start(&stop, base_dur_ms(60));
    io_loop_run(loop);
    assert_true(base_mono_sub(base_mono_now(), begin).ns < base_dur_s(10).ns);
    io_timer_fini(&far);
    io_timer_fini(&stop);
    close_pipe(fds);
    io_loop_free(loop);
}

struct greedy {
    struct io_alarm alarm;
    struct io_loop *loop;
};

static void on_greedy(void *ctx)
{
    struct greedy *greedy = ctx;
    io_alarm_set(&greedy->alarm, (struct mono_ns){1});
}

static void test_an_alarm_that_is_always_due_leaves_io_its_turn(void **state)
{
    (void)state;
    struct base_error err;
    struct greedy greedy = {.loop = new_loop()};
    int fds[2];
    make_pipe(fds);
    struct io_watch in;
    struct seen seen = {0};
    assert_true(io_alarm_init(&greedy.alarm, greedy.loop, on_greedy, &greedy, &err));
    io_alarm_set(&greedy.alarm, base_mono_now());
    io_watch_init(&in, greedy.loop, fds[0], on_ready, &seen);
    io_watch_set(&in, IO_READ);
    assert_int_equal(write(fds[1], "x", 1), 1);
    io_test_until(greedy.loop, &seen.any);
    io_watch_fini(&in);
    io_alarm_fini(&greedy.alarm);
    close_pipe(fds);
    io_loop_free(greedy.loop);
}

int main(void)
{
    const struct CMUnitTest both[] = {
        cmocka_unit_test(test_watch_reads_and_writes),
        cmocka_unit_test(test_watch_finished_in_its_callback),
        cmocka_unit_test(test_watch_survives_reuse_of_a_descriptor_number),
        cmocka_unit_test(test_zeroed_watchers_can_be_finished),
        cmocka_unit_test(test_timers_fire_in_order_and_never_early),
        cmocka_unit_test(test_timer_started_after_a_long_callback_is_not_early),
        cmocka_unit_test(test_timer_stopped_and_restarted),
        cmocka_unit_test(test_alarms_fire_in_order_and_never_early),
        cmocka_unit_test(test_alarm_set_again_from_its_callback),
        cmocka_unit_test(test_cleared_alarm_does_not_fire),
        cmocka_unit_test(test_alarm_put_off_after_it_was_reported),
        cmocka_unit_test(test_stop_leaves_the_run),
        cmocka_unit_test(test_wake_from_another_thread),
        cmocka_unit_test(test_sends_before_the_wake_are_one),
        cmocka_unit_test(test_a_crowd_of_timers_fires_in_order),
        cmocka_unit_test(test_what_is_finished_is_not_told),
        cmocka_unit_test(test_a_nearer_deadline_is_not_missed),
        cmocka_unit_test(test_an_alarm_that_is_always_due_leaves_io_its_turn),
        cmocka_unit_test(test_turn_begins_before_its_callbacks),
    };
    const struct CMUnitTest signals[] = {cmocka_unit_test(test_signal_arrives_on_the_loop)};
    int wrong = cmocka_run_group_tests_name("signals", signals, NULL, NULL);
    wrong += cmocka_run_group_tests_name("libev", both, NULL, NULL);
    return wrong + cmocka_run_group_tests_name("direct", both, use_direct, NULL);
}
