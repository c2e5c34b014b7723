/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "credentials.h"

static char path[] = "/tmp/squall-credentials-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void put(const char *text, mode_t mode)
{
    struct base_error err;
    if (!base_file_write(path, text, strlen(text), mode, &err))
        fail_msg("%s", err.message);
    assert_int_equal(chmod(path, mode), 0);
}

static void words_are_read(void **state)
{
    (void)state;
    struct fault_credentials read = {0};
    struct base_error err;
    put("{\"user\":\"u\",\"password\":\"p\\u00e9'\\\"\",\"database\":\"d\"}", 0600);
    if (!fault_credentials_read(path, &read, &err))
        fail_msg("%s", err.message);
    assert_string_equal(read.user, "u");
    assert_string_equal(read.password, "p\xC3\xA9'\"");
    assert_string_equal(read.database, "d");
    fault_credentials_fini(&read);
    assert_null(read.password);
    put("{\"password\":\"p\"}", 0400);
    assert_true(fault_credentials_read(path, &read, &err));
    assert_null(read.user);
    assert_null(read.database);
    fault_credentials_fini(&read);
}

/* What others may read or write is no secret. */
static void others_must_not_see_it(void **state)
{
    (void)state;
    static const mode_t modes[] = {0640, 0620, 0604, 0602, 0601, 0610};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        struct fault_credentials read = {0};
        struct base_error err = {0};
        put("{\"password\":\"p\"}", modes[i]);
        assert_false(fault_credentials_read(path, &read, &err));
        assert_int_equal(err.code, BASE_DENIED);
        assert_non_null(strstr(err.message, "chmod 600"));
        assert_null(read.password);
    }
}

static void nothing_of_it_is_quoted(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "sesame",
                                        "{\"password\":\"sesame\"",
                                        "{\"password\":\"sesame\"} x",
                                        "{\"user\":7,\"password\":\"sesame\"}",
                                        "[\"sesame\"]",
                                        "{\"password\":\"sesame\",\"password\":\"sesame\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct fault_credentials read = {0};
        struct base_error err = {0};
        put(texts[i], 0600);
        if (fault_credentials_read(path, &read, &err))
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(err.code, BASE_INVALID);
        assert_null(strstr(err.message, "sesame"));
        assert_non_null(strstr(err.message, path));
    }
}

static void a_file_of_somebody_else_is_refused(void **state)
{
    (void)state;
    struct fault_credentials read = {0};
    struct base_error err = {0};
    put("{\"password\":\"p\"}", 0600);
    if (geteuid() != 0) {
        print_message("not as root: a file cannot be given away, which needs CAP_CHOWN\n");
        return;
    }
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_false(fault_credentials_read(path, &read, &err));
    assert_non_null(strstr(err.message, "belongs to user 65534"));
}

static void what_is_no_file(void **state)
{
    (void)state;
    struct fault_credentials read = {0};
    struct base_error err = {0};
    assert_false(fault_credentials_read("/tmp", &read, &err));
    assert_false(fault_credentials_read("/dev/zero", &read, &err));
    assert_non_null(strstr(err.message, "not a regular file"));
    assert_false(fault_credentials_read("/no/such/file", &read, &err));
    assert_int_equal(err.code, BASE_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_read),
        cmocka_unit_test(others_must_not_see_it),
        cmocka_unit_test(nothing_of_it_is_quoted),
        cmocka_unit_test(a_file_of_somebody_else_is_refused),
        cmocka_unit_test(what_is_no_file),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
