/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "base/error.h"

static void test_fail(void **state)
{
    (void)state;
    struct base_error err = {.sys = 5};
    assert_false(base_fail(&err, BASE_LIMIT, "%d of %s", 3, "many"));
    assert_int_equal(err.code, BASE_LIMIT);
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.message, "3 of many");
    assert_false(base_fail(NULL, BASE_LIMIT, "nobody looks"));
    assert_false(base_fail_context(NULL, "nobody looks"));
    assert_false(base_fail_errno(NULL, "nobody looks"));
}

static void test_errno(void **state)
{
    (void)state;
    static const struct {
        int sys;
        enum base_code code;
        const char *message;
    } known[] = {{ENOENT, BASE_NOT_FOUND, "cannot open x: No such file or directory"},
                 {EACCES, BASE_DENIED, "cannot open x: Permission denied"},
                 {EPERM, BASE_DENIED, "cannot open x: Operation not permitted"},
                 {ENOSPC, BASE_IO, "cannot open x: No space left on device"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct base_error err;
        errno = known[i].sys;
        assert_false(base_fail_errno(&err, "cannot open %s", "x"));
        assert_int_equal(err.code, known[i].code);
        assert_int_equal(err.sys, known[i].sys);
        assert_string_equal(err.message, known[i].message);
    }
}

static void test_context(void **state)
{
    (void)state;
    struct base_error err;
    errno = ENOENT;
    (void)base_fail_errno(&err, "cannot open f");
    assert_false(base_fail_context(&err, "run %d", 7));
    assert_false(base_fail_context(&err, "gate"));
    assert_int_equal(err.code, BASE_NOT_FOUND);
    assert_int_equal(err.sys, ENOENT);
    assert_string_equal(err.message, "gate: run 7: cannot open f: No such file or directory");
}

static void test_message_within_itself(void **state)
{
    (void)state;
    struct base_error err;
    (void)base_fail(&err, BASE_CORRUPT, "inner");
    (void)base_fail(&err, BASE_INVALID, "outer <%s>", err.message);
    assert_string_equal(err.message, "outer <inner>");
    (void)base_fail_context(&err, "again <%s>", err.message);
    assert_string_equal(err.message, "again <outer <inner>>: outer <inner>");
}

static void test_long_messages_are_cut(void **state)
{
    (void)state;
    char text[3000];
    struct base_error err;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)base_fail(&err, BASE_IO, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    (void)base_fail_context(&err, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    errno = EIO;
    (void)base_fail_errno(&err, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    (void)base_fail(&err, BASE_IO, "short");
    (void)base_fail_context(&err, "c");
    assert_string_equal(err.message, "c: short");
}

static void test_names(void **state)
{
    (void)state;
    for (int a = BASE_OK; a <= BASE_INTERNAL; a++) {
        assert_string_not_equal(base_code_name((enum base_code)a), "unknown");
        for (int b = BASE_OK; b < a; b++)
            assert_string_not_equal(base_code_name((enum base_code)a),
                                    base_code_name((enum base_code)b));
    }
    assert_string_equal(base_code_name(BASE_NOT_FOUND), "not-found");
    assert_string_equal(base_code_name((enum base_code)(BASE_INTERNAL + 1)), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_message_within_itself),
        cmocka_unit_test(test_long_messages_are_cut),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
