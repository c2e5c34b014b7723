/* SPDX-License-Identifier: Apache-2.0 */
/* Children whose exit arrives on the loop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "child_fixture.h"

static struct io_child *start(struct io_loop *loop, const char *const *argv, struct exited *exited)
{
    struct io_child_spec spec = io_child_spec_default(argv);
    struct base_error err;
    struct io_child *child = io_child_start(loop, &spec, on_exit_noted, exited, &err);
    if (child == NULL)
        print_error("%s\n", err.message);
    assert_non_null(child);
    return child;
}

static void test_exit_status(void **state)
{
    (void)state;
    struct io_loop *loop = io_test_loop();
    struct exited exited = {0};
    const char *argv[4];
    (void)shell(argv, "exit 7");
    struct io_child *child = start(loop, argv, &exited);
    pid_t pid = io_child_pid(child);
    io_loop_run(loop); /* ends: a finished child keeps the loop no longer */
    assert_int_equal(exited.calls, 1);
    assert_int_equal(exited.exit.pid, pid);
    assert_false(exited.exit.signaled);
    assert_int_equal(exited.exit.status, 7);
    assert_true(exited.exit.lived.ns > 0);
    assert_false(io_child_signal(child, SIGTERM));
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped */
    io_child_free(child);
    io_loop_free(loop);
}

static void test_killed_by_our_signal(void **state)
{
    (void)state;
    struct io_loop *loop = io_test_loop();
    struct exited exited = {0};
    struct io_child *child = start(loop, (const char *const[]){"sleep", "1000", NULL}, &exited);
    assert_true(io_child_signal(child, SIGTERM));
    io_test_until(loop, &exited.any);
    assert_true(exited.exit.signaled);
    assert_int_equal(exited.exit.status, SIGTERM);
    io_child_free(child);
    io_loop_free(loop);
}

static void test_a_zombie_takes_no_signal(void **state)
{
    (void)state;
    struct io_loop *loop = io_test_loop();
    struct exited exited = {0};
    struct io_child *child = start(loop, (const char *const[]){"true", NULL}, &exited);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)io_child_pid(child), &info, WEXITED | WNOWAIT), 0);
    assert_false(io_child_signal(child, SIGTERM));
    io_test_until(loop, &exited.any);
    assert_int_equal(exited.exit.status, 0);
    io_child_free(child);
    io_loop_free(loop);
}

static void test_freed_in_its_callback(void **state)
{
    (void)state;
    struct io_loop *loop = io_test_loop();
    struct exited exited = {0};
    exited.child = start(loop, (const char *const[]){"true", NULL}, &exited);
    io_test_until(loop, &exited.any);
    io_loop_free(loop);
}

static void test_freed_while_running_runs_on(void **state)
{
    (void)state;
    struct io_loop *loop = io_test_loop();
    struct exited exited = {0};
    struct io_child *child = start(loop, (const char *const[]){"sleep", "1000", NULL}, &exited);
    pid_t pid = io_child_pid(child);
    io_child_free(child);
    io_child_free(NULL);
    io_loop_run(loop); /* nothing is watched any more */
    assert_int_equal(exited.calls, 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    io_loop_free(loop);
}

static void test_many_at_once(void **state)
{
    (void)state;
    enum { MANY = 30 };
    struct io_loop *loop = io_test_loop();
    struct exited exited[MANY] = {0};
    struct io_child *children[MANY];
    char scripts[MANY][32];
    const char *argv[4];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(scripts[i], sizeof scripts[i], "exit %d", i);
        (void)shell(argv, scripts[i]);
        children[i] = start(loop, argv, &exited[i]);
    }
    io_loop_run(loop);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(exited[i].exit.status, i);
        io_child_free(children[i]);
    }
    io_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_status),
        cmocka_unit_test(test_killed_by_our_signal),
        cmocka_unit_test(test_a_zombie_takes_no_signal),
        cmocka_unit_test(test_freed_in_its_callback),
        cmocka_unit_test(test_freed_while_running_runs_on),
        cmocka_unit_test(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
