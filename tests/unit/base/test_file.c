/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

static int make_folder(void **state)
{
    char *folder = base_str_dup("/tmp/squall-test-file-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    char *folder = *state;
    bool ok = base_dir_remove(folder, NULL) && access(folder, F_OK) < 0;
    free(folder);
    return ok ? 0 : -1;
}

static void put(const char *path, const char *text)
{
    struct base_error err;
    if (!base_file_write(path, text, strlen(text), 0644, &err))
        fail_msg("%s", err.message);
}

static void test_write_and_read(void **state)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/f", (char *)*state);
    BASE_AUTO_BUF struct base_buf buf;
    struct stat st;
    base_buf_init(&buf, 1 << 20);
    put(path, "first");
    char *large = base_calloc(1, 100001);
    memset(large, 'z', 100000);
    assert_true(base_file_write(path, large, 100000, 0600, NULL));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(base_buf_str(&buf, "kept "));
    assert_true(base_file_read(path, &buf, NULL));
    assert_int_equal(buf.len, 100005);
    assert_memory_equal(buf.data, "kept zzz", 8);
    assert_string_equal(buf.data + 5, large);
    free(large);
}

static void test_write_leaves_nothing_behind(void **state)
{
    BASE_AUTO_FREE char *folder = base_str_printf("%s/d", (char *)*state);
    BASE_AUTO_FREE char *inside = base_str_printf("%s/x", folder);
    struct base_error err = {.code = BASE_OK};
    assert_true(base_dir_make(inside, 0755, NULL));
    /* A folder that is not empty cannot be replaced; the temporary file must go. */
    assert_false(base_file_write(folder, "x", 1, 0644, &err));
    assert_int_equal(err.code, BASE_IO);
    assert_non_null(strstr(err.message, folder));
    assert_true(base_dir_remove(folder, NULL));
    assert_int_equal(rmdir(*state), 0);
    assert_int_equal(mkdir(*state, 0700), 0);
    BASE_AUTO_FREE char *missing = base_str_printf("%s/no/f", (char *)*state);
    assert_false(base_file_write(missing, "x", 1, 0644, &err));
    assert_int_equal(err.code, BASE_NOT_FOUND);
}

static void test_read_failures_change_nothing(void **state)
{
    BASE_AUTO_FREE char *path = base_str_printf("%s/f", (char *)*state);
    BASE_AUTO_BUF struct base_buf buf;
    struct base_error err = {.code = BASE_OK};
    base_buf_init(&buf, 20004);
    assert_true(base_buf_str(&buf, "kept"));
    assert_false(base_file_read(path, &buf, &err));
    assert_int_equal(err.code, BASE_NOT_FOUND);
    assert_non_null(strstr(err.message, path));
    assert_false(base_file_read(*state, &buf, &err)); /* a folder */
    assert_int_equal(err.code, BASE_IO);
    assert_int_equal(err.sys, EISDIR);
    char *large = base_calloc(1, 20002);
    memset(large, 'z', 20001);
    put(path, large);
    assert_false(base_file_read(path, &buf, &err));
    assert_int_equal(err.code, BASE_LIMIT);
    assert_string_equal(buf.data, "kept");
    assert_int_equal(buf.len, 4);
    assert_false(buf.failed);
    large[20000] = '\0';
    put(path, large);
    assert_true(base_file_read(path, &buf, &err)); /* exactly as much as fits */
    assert_int_equal(buf.len, 20004);
    free(large);
}

static void test_dir_make(void **state)
{
    BASE_AUTO_FREE char *deep = base_str_printf("%s/a//b/c/", (char *)*state);
    BASE_AUTO_FREE char *file = base_str_printf("%s/f", (char *)*state);
    BASE_AUTO_FREE char *below = base_str_printf("%s/f/g", (char *)*state);
    struct base_error err = {.code = BASE_OK};
    struct stat st;
    assert_true(base_dir_make(deep, 0755, &err));
    assert_true(base_dir_make(deep, 0755, &err));
    assert_true(base_dir_make("/", 0755, &err));
    assert_int_equal(stat(deep, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    put(file, "x");
    assert_false(base_dir_make(file, 0755, &err));
    assert_non_null(strstr(err.message, "not a folder"));
    assert_false(base_dir_make(below, 0755, &err));
    assert_false(base_dir_make("", 0755, &err));
}

static void test_dir_remove_does_not_follow(void **state)
{
    BASE_AUTO_FREE char *kept = base_str_printf("%s/kept", (char *)*state);
    BASE_AUTO_FREE char *kept_file = base_str_printf("%s/kept/f", (char *)*state);
    BASE_AUTO_FREE char *gone = base_str_printf("%s/gone/a/b", (char *)*state);
    BASE_AUTO_FREE char *link = base_str_printf("%s/gone/a/link", (char *)*state);
    BASE_AUTO_FREE char *root = base_str_printf("%s/gone", (char *)*state);
    BASE_AUTO_FREE char *root_link = base_str_printf("%s/root-link", (char *)*state);
    assert_true(base_dir_make(kept, 0755, NULL));
    assert_true(base_dir_make(gone, 0755, NULL));
    put(kept_file, "x");
    assert_int_equal(symlink(kept, link), 0);
    assert_int_equal(symlink(kept, root_link), 0);
    assert_true(base_dir_remove(root, NULL));
    assert_int_equal(access(root, F_OK), -1);
    assert_true(base_dir_remove(root_link, NULL));
    assert_int_equal(access(kept_file, F_OK), 0);
    assert_true(base_dir_remove(root, NULL)); /* missing is fine */
}

static void test_descriptors(void **state)
{
    (void)state;
    int fds[2];
    struct base_error err = {.code = BASE_OK};
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_true(base_fd_set_nonblocking(fds[0], &err));
    char byte;
    assert_int_equal(read(fds[0], &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(base_fd_write_all(fds[1], "ab", 2, &err));
    assert_true(base_fd_write_all(fds[1], NULL, 0, &err));
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(byte, 'a');
    int number = fds[0];
    base_fd_close(&fds[0]);
    base_fd_close(&fds[0]);
    assert_int_equal(fds[0], -1);
    base_fd_close(&fds[1]);
    assert_false(base_fd_set_nonblocking(number, &err));
    assert_int_equal(err.sys, EBADF);
    assert_false(base_fd_write_all(-1, "x", 1, &err));
    assert_int_equal(err.sys, EBADF);
}

static size_t entries_in(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    (void)closedir(dir);
    return count - 2; /* . and .. */
}

static void test_staged_files_appear_whole(void **state)
{
    const char *folder = *state;
    BASE_AUTO_FREE char *path = base_str_printf("%s/f", folder);
    BASE_AUTO_FREE char *link_path = base_str_printf("%s/link", folder);
    BASE_AUTO_BUF struct base_buf text;
    struct base_staged staged = BASE_STAGED_NONE;
    struct stat st;
    base_buf_init(&text, 100);
    base_staged_abandon(&staged);
    assert_true(base_staged_open(&staged, path, 0640, NULL));
    assert_int_equal(write(staged.fd, "new", 3), 3);
    assert_true(access(path, F_OK) < 0);
    assert_true(base_staged_commit(&staged, NULL));
    assert_int_equal(staged.fd, -1);
    assert_true(base_file_read(path, &text, NULL));
    assert_string_equal(text.data, "new");
    /* What is given up leaves the old one; a link stays a link, and what it names is replaced. */
    assert_int_equal(symlink("f", link_path), 0);
    assert_true(base_staged_open(&staged, link_path, 0640, NULL));
    assert_int_equal(write(staged.fd, "lost", 4), 4);
    base_staged_abandon(&staged);
    assert_true(base_staged_open(&staged, link_path, 0640, NULL));
    assert_int_equal(write(staged.fd, "er", 2), 2);
    assert_true(base_staged_commit(&staged, NULL));
    base_buf_clear(&text);
    assert_true(base_file_read(path, &text, NULL));
    assert_string_equal(text.data, "er");
    assert_true(lstat(link_path, &st) == 0 && S_ISLNK(st.st_mode));
    assert_int_equal(entries_in(folder), 2);
}

/* As root, a rename over a device would replace the device for everybody. */
static void test_staged_devices_are_written_to(void **state)
{
    struct base_staged staged;
    struct base_error err;
    struct stat before, after;
    (void)state;
    assert_int_equal(stat("/dev/null", &before), 0);
    assert_true(base_staged_open(&staged, "/dev/null", 0644, NULL));
    assert_int_equal(write(staged.fd, "x", 1), 1);
    assert_null(staged.temporary);
    assert_true(base_staged_commit(&staged, NULL));
    assert_int_equal(stat("/dev/null", &after), 0);
    assert_true(before.st_ino == after.st_ino && S_ISCHR(after.st_mode));
    assert_false(base_staged_open(&staged, "/tmp", 0644, &err));
    assert_non_null(strstr(err.message, "/tmp"));
    assert_false(base_staged_open(&staged, "/no/such/place", 0644, &err));
    assert_int_equal(err.code, BASE_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_and_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_write_leaves_nothing_behind, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_read_failures_change_nothing, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_dir_make, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_dir_remove_does_not_follow, make_folder,
                                        remove_folder),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test_setup_teardown(test_staged_files_appear_whole, make_folder, remove_folder),
        cmocka_unit_test(test_staged_devices_are_written_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
