/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../target-app/sandbox/src/lock.h"
#include "../../../target-app/sandbox/src/status_file.h"
#include "../../../target-app/sandbox/src/store.h"
#include "base/cleanup.h"
#include "base/process.h"
#include "base/text.h"

static int make_folder(void **state)
{
    char *folder = base_str_dup("/tmp/squall-store-XXXXXX");
    *state = folder;
    return mkdtemp(folder) == NULL;
}

static int drop_folder(void **state)
{
    bool ok = base_dir_remove(*state, NULL);
    free(*state);
    return !ok;
}

static void secrets_are_made_once_and_private(void **state)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/token", (const char *)*state);
    BASE_AUTO_BUF struct base_buf first, again;
    base_buf_init(&first, 100);
    base_buf_init(&again, 100);
    struct stat st;
    assert_true(sandbox_secret(path, &first, NULL));
    assert_true(sandbox_secret(path, &again, NULL));
    assert_int_equal(first.len, 32);
    assert_string_equal(first.data, again.data);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void json_is_replaced_whole(void **state)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/x.json", (const char *)*state);
    struct base_error err;
    assert_true(sandbox_store_json(path, json_pack("{s:i}", "a", 1), &err));
    assert_true(sandbox_store_json(path, json_pack("{s:i}", "a", 2), &err));
    json_t *value = sandbox_load_json(path, &err);
    assert_int_equal(json_integer_value(json_object_get(value, "a")), 2);
    json_decref(value);
    assert_true(sandbox_store_text(path, "{\"a\":1,\"a\":2}", 0644, &err));
    assert_null(sandbox_load_json(path, &err));
    assert_int_equal(err.code, BASE_CORRUPT);
    assert_non_null(strstr(err.message, path));
}

/* Appends lines until the file is over `least`; the number of the next line. */
static int fill_log(const char *path, int line, off_t least)
{
    BASE_AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    while (lseek(fd, 0, SEEK_END) <= least) {
        BASE_AUTO_FREE char *text = base_str_printf("line %d of the log\n", line++);
        assert_true(base_fd_write_all(fd, text, strlen(text), NULL));
    }
    return line;
}

static char *content(const char *path)
{
    struct base_buf all;
    base_buf_init(&all, 4 << 20);
    assert_true(base_file_read(path, &all, NULL));
    return base_buf_steal(&all);
}

static void a_long_log_goes_on_beside_its_last_part(void **state)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/x.log", (const char *)*state);
    BASE_AUTO_FREE char *older = base_str_printf("%s.1", path);
    off_t start = -1;
    bool moved = true;
    assert_true(sandbox_log_bound(path, &moved, NULL)); /* none yet */
    assert_false(moved);
    int next = fill_log(path, 0, SANDBOX_LOG_MOST / 2);
    BASE_AUTO_FD int writer = sandbox_log_open(path, &start, NULL);
    assert_true(start > SANDBOX_LOG_MOST / 2);
    assert_true(sandbox_log_bound(path, &moved, NULL));
    assert_false(moved);
    assert_int_equal(access(older, F_OK), -1);

    next = fill_log(path, next, 2 * SANDBOX_LOG_MOST);
    assert_true(sandbox_log_bound(path, &moved, NULL));
    assert_true(moved);
    assert_true(base_fd_write_all(writer, "new\n", 4, NULL)); /* it knows of nothing */
    BASE_AUTO_FREE char *now = content(path);
    assert_string_equal(now, "new\n");
    BASE_AUTO_FREE char *kept = content(older);
    BASE_AUTO_FREE char *last = base_str_printf("\nline %d of the log\n", next - 1);
    assert_memory_equal(kept, "line ", 5);
    assert_true(base_str_ends(kept, last));
    assert_in_range(strlen(kept), SANDBOX_LOG_MOST - 64, SANDBOX_LOG_MOST);

    (void)fill_log(path, 0, SANDBOX_LOG_MOST);
    BASE_AUTO_FD int again = sandbox_log_open(path, &start, NULL); /* and at a start */
    assert_true(again >= 0);
    assert_int_equal(start, 0);
    BASE_AUTO_FREE char *second = content(older);
    assert_memory_equal(second, "line ", 5);
    assert_true(strstr(second, last) == NULL); /* of what was kept before nothing is left */
}

static void a_log_is_bounded_even_without_room_for_the_rest(void **state)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/x.log", (const char *)*state);
    BASE_AUTO_FREE char *older = base_str_printf("%s.1", path);
    bool moved = false;
    assert_true(base_dir_make(older, 0700, NULL)); /* nothing can be written there */
    (void)fill_log(path, 0, SANDBOX_LOG_MOST);
    assert_true(sandbox_log_bound(path, &moved, NULL));
    assert_true(moved);
    BASE_AUTO_FREE char *now = content(path);
    assert_string_equal(now, "");
}

static void the_tail_is_of_this_start_only(void **state)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/x.log", (const char *)*state);
    off_t start = -1;
    BASE_AUTO_BUF struct base_buf tail;
    base_buf_init(&tail, 4096);
    assert_true(sandbox_store_text(path, "old\n", 0600, NULL));
    BASE_AUTO_FD int fd = sandbox_log_open(path, &start, NULL);
    assert_int_equal(start, 4);
    sandbox_log_tail(path, start, 3, "| ", &tail);
    assert_string_equal(tail.data, "");
    assert_true(base_fd_write_all(fd, "one\ntwo\n", 8, NULL));
    sandbox_log_tail(path, start, 3, "| ", &tail);
    assert_string_equal(tail.data, "| one\n| two\n");
    base_buf_clear(&tail);
    assert_true(base_fd_write_all(fd, "three\nfour unfinished", 21, NULL));
    sandbox_log_tail(path, start, 3, "| ", &tail);
    assert_string_equal(tail.data, "| two\n| three\n| four unfinished\n");
    base_buf_clear(&tail);
    sandbox_log_tail("/nonexistent", 0, 3, "| ", &tail);
    assert_string_equal(tail.data, "");
}

static void status_files_have_their_format(void **state)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/users-1.json", (const char *)*state);
    struct sandbox_status_file status = {.name = "users-1",
                                         .state = SANDBOX_BACKOFF,
                                         .restarts = 3,
                                         .last_exit = "killed by signal 9"};
    assert_true(sandbox_status_write(path, &status, NULL));
    json_t *value = sandbox_load_json(path, NULL);
    assert_string_equal(json_string_value(json_object_get(value, "name")), "users-1");
    assert_string_equal(json_string_value(json_object_get(value, "state")), "backoff");
    assert_int_equal(json_integer_value(json_object_get(value, "pid")), 0);
    assert_int_equal(json_integer_value(json_object_get(value, "restarts")), 3);
    assert_string_equal(json_string_value(json_object_get(value, "lastExit")),
                        "killed by signal 9");
    pid_t pid;
    uint64_t ticks;
    assert_false(sandbox_process_of(value, &pid, &ticks));
    json_decref(value);
    status.pid = getpid();
    status.start_ticks = 77;
    status.last_exit = NULL;
    assert_true(sandbox_status_write(path, &status, NULL));
    value = sandbox_load_json(path, NULL);
    assert_true(json_is_null(json_object_get(value, "lastExit")));
    assert_true(sandbox_process_of(value, &pid, &ticks));
    assert_int_equal(pid, getpid());
    assert_int_equal(ticks, 77);
    json_decref(value);
}

static void another_process_with_the_pid_is_left_alone(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    uint64_t ticks = 0;
    assert_true(base_process_ticks(child, &ticks));
    assert_true(base_process_alive(child, ticks));
    assert_false(base_process_alive(child, ticks + 1));
    assert_false(sandbox_process_signal(child, ticks + 1, SIGKILL));
    assert_false(sandbox_process_signal(1, ticks, SIGKILL));
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
    assert_true(sandbox_process_signal(child, ticks, SIGKILL));
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    assert_false(base_process_alive(child, ticks));
}

static void the_lock_shuts_others_out(void **state)
{
    struct sandbox_place place;
    struct base_error err = {0};
    assert_true(sandbox_place_init(&place, "x", *state, NULL));
    assert_true(base_dir_make(place.dir, 0755, NULL));
    assert_false(sandbox_locked(&place));
    int lock = sandbox_lock(&place, (struct dur_ns){0}, &err);
    assert_true(lock >= 0);
    assert_true(sandbox_locked(&place));
    assert_int_equal(sandbox_lock(&place, base_dur_ms(40), &err), -1);
    assert_int_equal(err.code, BASE_UNAVAILABLE);
    base_fd_close(&lock);
    assert_false(sandbox_locked(&place));
    struct sandbox_supervisor who;
    assert_false(sandbox_supervisor_read(&place, &who));
    assert_true(sandbox_supervisor_write(&place, SANDBOX_PHASE_RUNNING, NULL));
    assert_true(sandbox_supervisor_read(&place, &who));
    assert_int_equal(who.pid, getpid());
    assert_int_equal(who.phase, SANDBOX_PHASE_RUNNING);
    assert_true(base_process_alive(who.pid, who.start_ticks));
    sandbox_place_fini(&place);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(secrets_are_made_once_and_private),
        IN_FOLDER(json_is_replaced_whole),
        IN_FOLDER(a_long_log_goes_on_beside_its_last_part),
        IN_FOLDER(a_log_is_bounded_even_without_room_for_the_rest),
        IN_FOLDER(the_tail_is_of_this_start_only),
        IN_FOLDER(status_files_have_their_format),
        IN_FOLDER(another_process_with_the_pid_is_left_alone),
        IN_FOLDER(the_lock_shuts_others_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
