/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"

static int make_file(void **state)
{
    char *path = base_str_dup("/tmp/squall-secret-XXXXXX");
    int fd = mkstemp(path);
    *state = path;
    return fd < 0 ? -1 : close(fd);
}

static int drop_file(void **state)
{
    int status = unlink(*state);
    free(*state);
    return status;
}

#define BYTES(text) (text), sizeof(text) - 1

static void one_word(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *word; /* NULL: refused */
    } cases[] = {
        {BYTES("correct-horse"), "correct-horse"},
        {BYTES("correct-horse\n"), "correct-horse"},
        {BYTES("correct-horse \t\r\n\n"), "correct-horse"},
        {BYTES("\xc3\xbc"), "\xc3\xbc"},
        {BYTES(""), NULL},
        {BYTES(" \n"), NULL},
        {BYTES(" word"), NULL},
        {BYTES("two words"), NULL},
        {BYTES("two\nlines\n"), NULL},
        {BYTES("a\rb"), NULL},
        {BYTES("a\x7f"), NULL},
        {BYTES("a\0b"), NULL},
        {BYTES("a\0"), NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct base_error err = {0};
        BASE_AUTO_BUF struct base_buf out;
        base_buf_init(&out, 64);
        assert_true(base_file_write(*state, cases[i].bytes, cases[i].len, 0600, NULL));
        bool ok = base_secret_read(*state, &out, &err);
        if (ok != (cases[i].word != NULL) || (ok && strcmp(out.data, cases[i].word) != 0))
            fail_msg("case %zu", i);
        if (!ok) {
            assert_int_equal(err.code, BASE_INVALID);
            assert_non_null(strstr(err.message, *state));
            assert_int_equal(out.len, 0);
        }
    }
}

static void no_file_and_too_much(void **state)
{
    struct base_error err = {0};
    BASE_AUTO_BUF struct base_buf out;
    base_buf_init(&out, 4);
    assert_false(base_secret_read("/nonexistent/secret", &out, &err));
    assert_int_equal(err.code, BASE_NOT_FOUND);
    assert_true(base_file_write(*state, "12345", 5, 0600, NULL));
    assert_false(base_secret_read(*state, &out, &err));
    assert_int_equal(err.code, BASE_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_word, make_file, drop_file),
        cmocka_unit_test_setup_teardown(no_file_and_too_much, make_file, drop_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
