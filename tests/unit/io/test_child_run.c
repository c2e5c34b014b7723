/* SPDX-License-Identifier: Apache-2.0 */
/* Children that are run to their end, without a loop. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "child_fixture.h"

static void test_run_collects_both_streams(void **state)
{
    (void)state;
    const char *argv[4];
    struct io_child_spec spec = shell(argv, "echo one; echo two >&2; printf three");
    expect_output(&spec, "one\ntwo\nthree");
    struct base_error err;
    assert_true(io_child_run(&spec, base_dur_s(IO_TEST_DEADLINE_S), NULL, &err));
}

static void test_run_takes_more_than_a_pipe_holds(void **state)
{
    (void)state;
    struct io_child_spec spec =
        io_child_spec_default((const char *const[]){"head", "-c", "3000000", "/dev/zero", NULL});
    struct base_buf out;
    struct base_error err;
    base_buf_init(&out, 4000000);
    assert_true(io_child_run(&spec, base_dur_s(IO_TEST_DEADLINE_S), &out, &err));
    assert_int_equal(out.len, 3000000);
    assert_false(out.failed);
    base_buf_fini(&out);
    base_buf_init(&out, 1000);
    assert_true(io_child_run(&spec, base_dur_s(IO_TEST_DEADLINE_S), &out, &err));
    assert_int_equal(out.len, 1000); /* what fits, and a mark that there was more */
    assert_true(out.failed);
    base_buf_fini(&out);
}

static void test_run_tells_status_and_last_line(void **state)
{
    (void)state;
    const char *argv[4];
    struct io_child_spec spec = shell(argv, "echo first; echo 'the reason' >&2; exit 3");
    struct base_error err = expect_failure(&spec, BASE_UNAVAILABLE, "exit status 3: the reason");
    assert_non_null(strstr(err.message, "/bin/sh -c echo first"));
    spec = shell(argv, "kill -9 $$");
    (void)expect_failure(&spec, BASE_UNAVAILABLE, "killed by signal 9: (no output)");
    spec = shell(argv, "head -c 100000 /dev/zero | tr '\\0' y; exit 1");
    (void)expect_failure(&spec, BASE_UNAVAILABLE, "exit status 1: yyy");
}

static void test_run_kills_at_the_deadline(void **state)
{
    (void)state;
    const char *argv[4];
    static const char *const scripts[] = {"exec sleep 1000", "exec yes"}; /* silent, and not */
    for (size_t i = 0; i < 2; i++) {
        struct io_child_spec spec = shell(argv, scripts[i]);
        struct base_error err = {0};
        struct mono_ns begin = base_mono_now();
        assert_false(io_child_run(&spec, base_dur_ms(100), NULL, &err));
        assert_int_equal(err.code, BASE_TIMEOUT);
        assert_non_null(strstr(err.message, "100ms"));
        assert_true(base_mono_sub(base_mono_now(), begin).ns >= base_dur_ms(100).ns);
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* killed and reaped */
}

static void test_run_does_not_wait_for_grandchildren(void **state)
{
    (void)state;
    const char *argv[4];
    struct io_child_spec spec = shell(argv, "sleep 1000 & echo $!");
    struct base_buf out;
    struct base_error err;
    base_buf_init(&out, 1000);
    assert_true(io_child_run(&spec, base_dur_s(IO_TEST_DEADLINE_S), &out, &err));
    int64_t sleeper = 0;
    out.data[strcspn(out.data, "\n")] = '\0';
    assert_true(base_parse_i64(out.data, &sleeper) && sleeper > 1);
    assert_int_equal(kill((pid_t)sleeper, SIGKILL), 0);
    base_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_collects_both_streams),
        cmocka_unit_test(test_run_takes_more_than_a_pipe_holds),
        cmocka_unit_test(test_run_tells_status_and_last_line),
        cmocka_unit_test(test_run_kills_at_the_deadline),
        cmocka_unit_test(test_run_does_not_wait_for_grandchildren),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
