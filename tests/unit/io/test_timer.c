/* SPDX-License-Identifier: Apache-2.0 */
/* Timers and alarms: in order, never early, and set again in every way. */
#include "base/random.h"
#include "loop_fixture.h"

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

enum { CROWD = 300 };

/* A timer counts from when it is started, which lies between two looks at the clock: so does its
 * deadline. */
struct member {
    struct io_timer timer;
    int64_t earliest;
    int64_t latest;
    int64_t *passed; /* no deadline before this is still to come */
    size_t *left;
    bool *all;
};

static void on_member(void *ctx)
{
    struct member *member = ctx;
    assert_true(member->latest >= *member->passed);
    if (member->earliest > *member->passed)
        *member->passed = member->earliest;
    if (--*member->left == 0)
        *member->all = true;
}

static void start_member(struct member *member, int64_t after)
{
    member->earliest = base_mono_now().ns + after;
    io_timer_start(&member->timer, (struct dur_ns){after});
    member->latest = base_mono_now().ns + after;
}

/* Started in no order, a third stopped and a third started anew: the rest fire by their times.
 */
static void test_a_crowd_of_timers_fires_in_order(void **state)
{
    (void)state;
    static struct member members[CROWD];
    struct io_loop *loop = new_loop();
    int64_t passed = 0;
    size_t left = CROWD - CROWD / 3;
    bool all = false;
    struct base_rng rng;
    base_rng_seed(&rng, 5);
    for (int i = 0; i < CROWD; i++) {
        members[i] = (struct member){.passed = &passed, .left = &left, .all = &all};
        io_timer_init(&members[i].timer, loop, on_member, &members[i]);
        start_member(&members[i], (int64_t)base_rng_below(&rng, 300) * BASE_NS_PER_MS);
    }
    for (int i = CROWD - 1; i >= 0; i--) {
        if (i % 3 == 0)
            io_timer_stop(&members[i].timer);
        assert_int_equal(io_timer_active(&members[i].timer), i % 3 != 0);
        if (i % 3 == 1)
            start_member(&members[i], (int64_t)base_rng_below(&rng, 300) * BASE_NS_PER_MS);
    }
    io_test_until(loop, &all);
    for (int i = 0; i < CROWD; i++)
        io_timer_fini(&members[i].timer);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_fire_in_order_and_never_early),
        cmocka_unit_test(test_timer_started_after_a_long_callback_is_not_early),
        cmocka_unit_test(test_timer_stopped_and_restarted),
        cmocka_unit_test(test_alarms_fire_in_order_and_never_early),
        cmocka_unit_test(test_alarm_set_again_from_its_callback),
        cmocka_unit_test(test_cleared_alarm_does_not_fire),
        cmocka_unit_test(test_alarm_put_off_after_it_was_reported),
        cmocka_unit_test(test_a_crowd_of_timers_fires_in_order),
        cmocka_unit_test(test_a_nearer_deadline_is_not_missed),
        cmocka_unit_test(test_an_alarm_that_is_always_due_leaves_io_its_turn),
    };
    return RUN_ON_BOTH(tests);
}
