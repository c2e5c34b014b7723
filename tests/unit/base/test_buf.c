/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void test_empty_reads_as_text(void **state)
{
    (void)state;
    struct base_buf buf;
    base_buf_init(&buf, 10);
    assert_string_equal(buf.data, "");
    base_buf_clear(&buf);
    assert_true(base_buf_append(&buf, NULL, 0));
    assert_string_equal(buf.data, "");
    base_buf_fini(&buf);
    base_buf_fini(&buf);
    struct base_buf zeroed = {.data = NULL};
    base_buf_fini(&zeroed);
}

static void test_grows_to_its_maximum_and_no_further(void **state)
{
    (void)state;
    struct base_buf buf;
    base_buf_init(&buf, 1000);
    for (int i = 0; i < 1000; i++)
        assert_true(base_buf_char(&buf, (char)('a' + i % 26)));
    assert_int_equal(buf.len, 1000);
    assert_int_equal(strlen(buf.data), 1000);
    assert_false(base_buf_char(&buf, 'x'));
    assert_true(buf.failed);
    assert_int_equal(strlen(buf.data), 1000);
    base_buf_clear(&buf);
    assert_false(buf.failed);
    assert_true(base_buf_str(&buf, "again"));
    assert_string_equal(buf.data, "again");
    base_buf_fini(&buf);
}

static void test_failure_sticks(void **state)
{
    (void)state;
    struct base_buf buf;
    base_buf_init(&buf, 5);
    assert_true(base_buf_str(&buf, "abc"));
    assert_false(base_buf_str(&buf, "def"));
    assert_false(base_buf_str(&buf, "d")); /* it would fit */
    assert_false(base_buf_printf(&buf, "%d", 1));
    assert_string_equal(buf.data, "abc");
    assert_null(base_buf_steal(&buf));
    assert_false(buf.failed);
    assert_true(base_buf_str(&buf, "new"));
    base_buf_fini(&buf);
}

static void test_sizes_that_overflow(void **state)
{
    (void)state;
    struct base_buf buf;
    base_buf_init(&buf, SIZE_MAX);
    assert_true(base_buf_str(&buf, "abc"));
    assert_null(base_buf_reserve(&buf, SIZE_MAX - 3));
    base_buf_clear(&buf);
    assert_true(base_buf_str(&buf, "abc"));
    assert_null(base_buf_reserve(&buf, SIZE_MAX / 2 + 2));
    assert_true(buf.failed);
    assert_string_equal(buf.data, "abc");
    base_buf_fini(&buf);
}

static void test_printf(void **state)
{
    (void)state;
    struct base_buf buf;
    base_buf_init(&buf, 200);
    assert_true(base_buf_printf(&buf, "%s=%d;", "a", 5));
    assert_true(base_buf_printf(&buf, "%100s", "right"));
    assert_int_equal(buf.len, 104);
    assert_int_equal(strlen(buf.data), 104);
    assert_false(base_buf_printf(&buf, "%97d", 1));
    assert_int_equal(strlen(buf.data), 104);
    base_buf_fini(&buf);
}

static void test_reserve(void **state)
{
    (void)state;
    struct base_buf buf;
    base_buf_init(&buf, 100);
    char *at = base_buf_reserve(&buf, 100);
    assert_non_null(at);
    assert_int_equal(buf.len, 0);
    assert_string_equal(buf.data, ""); /* nothing was written yet */
    memcpy(at, "xyz", 3);
    buf.len += 3;
    assert_true(base_buf_char(&buf, '!'));
    assert_string_equal(buf.data, "xyz!");
    base_buf_fini(&buf);
}

static void test_consume(void **state)
{
    (void)state;
    struct base_buf buf;
    base_buf_init(&buf, 100);
    base_buf_consume(&buf, 0);
    assert_true(base_buf_str(&buf, "header body"));
    base_buf_consume(&buf, 7);
    assert_string_equal(buf.data, "body");
    base_buf_consume(&buf, 4);
    assert_string_equal(buf.data, "");
    assert_int_equal(buf.len, 0);
    base_buf_fini(&buf);
}

static void test_steal(void **state)
{
    (void)state;
    struct base_buf buf;
    base_buf_init(&buf, 100);
    char *none = base_buf_steal(&buf);
    assert_string_equal(none, "");
    assert_true(base_buf_append(&buf, "a\0b", 3));
    char *some = base_buf_steal(&buf);
    assert_memory_equal(some, "a\0b", 4);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf.max, 100);
    assert_string_equal(buf.data, "");
    free(none);
    free(some);
    base_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_reads_as_text),
        cmocka_unit_test(test_grows_to_its_maximum_and_no_further),
        cmocka_unit_test(test_failure_sticks),
        cmocka_unit_test(test_sizes_that_overflow),
        cmocka_unit_test(test_printf),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_consume),
        cmocka_unit_test(test_steal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
