/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "watches.h"

struct scene {
    struct io_loop *loop;
    struct load_watches watches;
    int fds[2];
    int other[2];
    int calls;
    unsigned events;
    bool forget; /* from inside the callback */
};

static void on_ready(void *ctx, int fd, unsigned events)
{
    struct scene *scene = ctx;
    scene->calls++;
    scene->events = events;
    if (scene->forget)
        load_watches_forget(&scene->watches, fd);
}

/* So that a turn ends although nothing happens to the descriptor in question. */
static void turn(struct scene *scene)
{
    assert_int_equal(write(scene->other[1], "x", 1), 1);
    io_loop_run_once(scene->loop);
}

static void on_other(void *ctx, unsigned events)
{
    char byte;
    (void)events;
    assert_int_equal(read(*(const int *)ctx, &byte, 1), 1);
}

static void with_scene(void (*play)(struct scene *scene))
{
    struct scene scene = {0};
    struct io_watch other;
    struct base_error err;
    scene.loop = io_loop_new(&err);
    assert_non_null(scene.loop);
    assert_int_equal(pipe(scene.fds), 0);
    assert_int_equal(pipe(scene.other), 0);
    io_watch_init(&other, scene.loop, scene.other[0], on_other, &scene.other[0]);
    io_watch_set(&other, IO_READ);
    scene.watches = (struct load_watches){.loop = scene.loop, .ctx = &scene, .on_ready = on_ready};
    play(&scene);
    load_watches_fini(&scene.watches);
    io_watch_fini(&other);
    io_loop_free(scene.loop);
    for (int i = 0; i < 2; i++) {
        (void)close(scene.fds[i]);
        (void)close(scene.other[i]);
    }
}

static void play_wanted(struct scene *scene)
{
    load_watches_set(&scene->watches, scene->fds[0], IO_READ);
    assert_int_equal(write(scene->fds[1], "x", 1), 1);
    turn(scene);
    turn(scene); /* level-triggered: nobody has read */
    assert_int_equal(scene->calls, 2);
    assert_int_equal(scene->events, IO_READ);
}

static void test_tells_what_is_wanted(void **state)
{
    (void)state;
    with_scene(play_wanted);
}

static void play_unwanted(struct scene *scene)
{
    load_watches_set(&scene->watches, scene->fds[0], IO_READ);
    load_watches_set(&scene->watches, scene->fds[0], 0);
    assert_int_equal(write(scene->fds[1], "x", 1), 1);
    for (int i = 0; i < 3; i++)
        turn(scene);
    assert_int_equal(scene->calls, 0);
    load_watches_set(&scene->watches, scene->fds[0], IO_READ); /* it was let go, and comes back */
    turn(scene);
    assert_int_equal(scene->calls, 1);
}

static void test_is_silent_while_nobody_waits(void **state)
{
    (void)state;
    with_scene(play_unwanted);
}

/* A pipe that can be written to all the time would wake the loop all the time. */
static void play_writable(struct scene *scene)
{
    load_watches_set(&scene->watches, scene->fds[1], IO_WRITE);
    turn(scene);
    assert_int_equal(scene->calls, 1);
    assert_int_equal(scene->events, IO_WRITE);
    load_watches_set(&scene->watches, scene->fds[1], 0);
    turn(scene);
    assert_int_equal(scene->calls, 1);
}

static void test_writing_is_waited_for_once(void **state)
{
    (void)state;
    with_scene(play_writable);
}

static void play_forget(struct scene *scene)
{
    load_watches_forget(&scene->watches, scene->fds[0]); /* never heard of */
    load_watches_forget(&scene->watches, 100000);
    load_watches_set(&scene->watches, scene->fds[0], IO_READ);
    scene->forget = true;
    assert_int_equal(write(scene->fds[1], "x", 1), 1);
    turn(scene);
    turn(scene);
    assert_int_equal(scene->calls, 1);
}

static void test_is_forgotten_from_inside(void **state)
{
    (void)state;
    with_scene(play_forget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tells_what_is_wanted),
        cmocka_unit_test(test_is_silent_while_nobody_waits),
        cmocka_unit_test(test_writing_is_waited_for_once),
        cmocka_unit_test(test_is_forgotten_from_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
