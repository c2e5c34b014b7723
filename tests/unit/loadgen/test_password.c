/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/text.h"
#include "loadgen/routes.h"
#include "password.h"

static char variable[] = "SQUALL_TEST_PASSWORD";

static void assert_password(const struct load_spec *spec, const char *expected)
{
    struct base_buf password;
    struct base_error err = {0};
    base_buf_init(&password, LOAD_PASSWORD_MOST);
    assert_true(load_password_given(spec));
    if (!load_password_read(spec, &password, &err))
        fail_msg("%s", err.message);
    assert_string_equal(password.data, expected);
    load_password_wipe(&password);
    assert_true(load_login_check(spec, NULL));
}

/* Whatever is wrong is the user's to mend, and told without what there is instead. */
static void assert_none(const struct load_spec *spec, const char *why)
{
    struct base_error err = {0};
    assert_false(load_login_check(spec, &err));
    assert_int_equal(err.code, BASE_INVALID);
    assert_non_null(strstr(err.message, why));
    assert_null(strstr(err.message, "secret of"));
}

static void test_of_the_environment(void **state)
{
    (void)state;
    const struct load_spec spec = {.password_env = variable};
    assert_int_equal(unsetenv(variable), 0);
    assert_none(&spec, "no variable SQUALL_TEST_PASSWORD");
    assert_int_equal(setenv(variable, "", 1), 0);
    assert_none(&spec, "no variable SQUALL_TEST_PASSWORD");
    assert_int_equal(setenv(variable, "two words, as they are ", 1), 0);
    assert_password(&spec, "two words, as they are ");
    char *large = base_calloc(LOAD_PASSWORD_MOST + 2, 1);
    memset(large, 'x', LOAD_PASSWORD_MOST + 1);
    assert_int_equal(setenv(variable, large, 1), 0);
    assert_none(&spec, "is longer than what is accepted");
    free(large);
    assert_int_equal(unsetenv(variable), 0);
}

static void test_of_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/squall-password-XXXXXX";
    const struct load_spec spec = {.password_file = path};
    static const char good[] = "correct-horse\n", bad[] = "secret of\ntwo lines\n";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_none(&spec, "is empty");
    assert_true(base_file_write(path, good, sizeof good - 1, 0600, NULL));
    assert_password(&spec, "correct-horse");
    assert_true(base_file_write(path, bad, sizeof bad - 1, 0600, NULL));
    assert_none(&spec, "must hold one word");
    assert_int_equal(unlink(path), 0);
    assert_none(&spec, path);
}

static void test_none_is_asked_for(void **state)
{
    (void)state;
    const struct load_spec spec = {.user = NULL};
    assert_false(load_password_given(&spec));
    assert_true(load_login_check(&spec, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_the_environment),
        cmocka_unit_test(test_of_a_file),
        cmocka_unit_test(test_none_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
