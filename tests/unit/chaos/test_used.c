/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/text.h"
#include "used.h"

static int setup(void **state)
{
    char *dir = base_str_dup("/tmp/squall-used-XXXXXX");
    assert_non_null(mkdtemp(dir));
    *state = dir;
    return 0;
}

static int teardown(void **state)
{
    assert_true(base_dir_remove(*state, NULL));
    free(*state);
    return 0;
}

static struct agent_used *opened(void **state, struct dur_ns keep)
{
    struct base_error err = {0};
    struct agent_used *used = agent_used_open(*state, keep, &err);
    assert_non_null(used);
    return used;
}

static void an_id_is_taken_once_also_by_the_next_agent(void **state)
{
    struct base_error err = {0};
    struct agent_used *used = opened(state, base_dur_s(60));
    assert_true(agent_used_check(used, "run-1", &err));
    assert_true(agent_used_take(used, "run-1", &err));
    assert_true(agent_used_take(used, "run-2", &err));
    assert_true(agent_used_sync(used, &err));
    for (int turn = 0; turn < 2; turn++) {
        err = (struct base_error){0};
        assert_false(agent_used_check(used, "run-1", &err));
        assert_int_equal(err.code, BASE_DENIED);
        assert_non_null(strstr(err.message, "run-1"));
        err = (struct base_error){0};
        assert_false(agent_used_take(used, "run-1", &err));
        assert_int_equal(err.code, BASE_DENIED);
        agent_used_close(used);
        used = opened(state, base_dur_s(60));
    }
    agent_used_close(used);
}

static void one_that_is_given_back_may_come_again(void **state)
{
    struct base_error err = {0};
    struct agent_used *used = opened(state, base_dur_s(60));
    assert_true(agent_used_take(used, "run-1", &err));
    agent_used_give_back(used, "run-1");
    agent_used_give_back(used, "run-2"); /* never taken */
    assert_true(agent_used_check(used, "run-1", &err));
    assert_true(agent_used_take(used, "run-1", &err));
    agent_used_close(used);
}

static void what_is_old_is_forgotten_and_what_is_young_is_kept(void **state)
{
    struct base_error err = {0};
    const struct timespec now = {.tv_sec = time(NULL)};
    const struct {
        const char *id;
        time_t age;
        bool kept;
    } cases[] = {{"old", 61, false}, {"young", 50, true}, {"from-the-future", -500, true}};
    struct agent_used *used = opened(state, base_dur_s(60));
    char path[256];
    for (size_t i = 0; i < 3; i++) {
        const struct timespec at = {.tv_sec = now.tv_sec - cases[i].age};
        const struct timespec times[] = {at, at};
        assert_true(agent_used_take(used, cases[i].id, &err));
        (void)snprintf(path, sizeof path, "%s/used/%s", (const char *)*state, cases[i].id);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    agent_used_prune(used);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(agent_used_check(used, cases[i].id, &err), !cases[i].kept);
    agent_used_close(used);
}

static void what_cannot_be_remembered_is_not_taken(void **state)
{
    struct base_error err = {0};
    struct agent_used *used = opened(state, base_dur_s(60));
    char path[256];
    (void)snprintf(path, sizeof path, "%s/used", (const char *)*state);
    assert_int_equal(rmdir(path), 0); /* no file can be made in a folder that is gone */
    assert_false(agent_used_take(used, "run-1", &err));
    assert_int_not_equal(err.code, BASE_DENIED);
    agent_used_close(used);
    assert_int_equal(symlink("/tmp", path), 0);
    assert_null(agent_used_open(*state, base_dur_s(60), &err));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_taken_once_also_by_the_next_agent),
        TEST(one_that_is_given_back_may_come_again),
        TEST(what_is_old_is_forgotten_and_what_is_young_is_kept),
        TEST(what_cannot_be_remembered_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
