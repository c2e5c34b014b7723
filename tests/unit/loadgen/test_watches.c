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

static void on_ready(void *owner, int fd, unsigned events)
{
    struct scene *scene = owner;
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
    scene.loop = io_loop_new_direct(&err);
    assert_non_null(scene.loop);
    assert_int_equal(pipe(scene.fds), 0);
    assert_int_equal(pipe(scene.other), 0);
    io_watch_init(&other, scene.loop, scene.other[0], on_other, &scene.other[0]);
    io_watch_set(&other, IO_READ);
    scene.watches = (struct load_watches){.loop = scene.loop, .on_ready = on_ready};
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
    load_watches_set(&scene->watches, scene->fds[0], scene, IO_READ);
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
    load_watches_set(&scene->watches, scene->fds[0], scene, IO_READ);
    load_watches_set(&scene->watches, scene->fds[0], scene, 0);
    assert_int_equal(write(scene->fds[1], "x", 1), 1);
    for (int i = 0; i < 3; i++)
        turn(scene);
    assert_int_equal(scene->calls, 0);
    load_watches_set(&scene->watches, scene->fds[0], scene,
                     IO_READ); /* it was let go, and comes back */
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
    load_watches_set(&scene->watches, scene->fds[1], scene, IO_WRITE);
    turn(scene);
    assert_int_equal(scene->calls, 1);
    assert_int_equal(scene->events, IO_WRITE);
    load_watches_set(&scene->watches, scene->fds[1], scene, 0);
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
    load_watches_set(&scene->watches, scene->fds[0], scene, IO_READ);
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

/* A descriptor's number is given out again, to a connection of somebody else; and two who share the
 * table are told of their own alone. */
static void play_owners(struct scene *scene)
{
    struct scene second = {0};
    load_watches_set(&scene->watches, scene->fds[0], &second, IO_READ);
    load_watches_set(&scene->watches, scene->fds[1], scene, IO_WRITE);
    assert_int_equal(write(scene->fds[1], "x", 1), 1);
    turn(scene);
    assert_int_equal(second.calls, 1);
    assert_int_equal(second.events, IO_READ);
    assert_int_equal(scene->calls, 1);
    assert_int_equal(scene->events, IO_WRITE);
    load_watches_set(&scene->watches, scene->fds[1], scene, 0);
    load_watches_set(&scene->watches, scene->fds[0], scene, IO_READ);
    turn(scene);
    assert_int_equal(second.calls, 1);
    assert_int_equal(scene->calls, 2);
}

static void test_the_owner_is_told(void **state)
{
    (void)state;
    with_scene(play_owners);
}

/* Closed without a word, and the number given out again: what the kernel was told went with it. */
static void play_number_again(struct scene *scene)
{
    struct scene second = {0};
    int fds[2];
    load_watches_set(&scene->watches, scene->fds[0], scene, IO_READ);
    turn(scene);
    load_watches_set(&scene->watches, scene->fds[0], scene, 0);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(dup2(fds[0], scene->fds[0]), scene->fds[0]);
    load_watches_set(&scene->watches, scene->fds[0], &second, IO_READ);
    assert_int_equal(write(fds[1], "x", 1), 1);
    turn(scene);
    turn(scene);
    assert_in_range(second.calls, 1, 2);
    assert_int_equal(scene->calls, 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_a_number_given_out_again_is_watched(void **state)
{
    (void)state;
    with_scene(play_number_again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tells_what_is_wanted),
        cmocka_unit_test(test_is_silent_while_nobody_waits),
        cmocka_unit_test(test_writing_is_waited_for_once),
        cmocka_unit_test(test_is_forgotten_from_inside),
        cmocka_unit_test(test_the_owner_is_told),
        cmocka_unit_test(test_a_number_given_out_again_is_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
