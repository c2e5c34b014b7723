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
#include "io/digest.h"

/* FIPS 180-4 example values (NIST, "SHA-256" example, and the empty message). */
static const char sha_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char sha_empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/* A million times "a". */
static const char sha_million[] =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void test_known_values(void **state)
{
    (void)state;
    char out[IO_SHA256_TEXT];
    io_sha256("abc", 3, out);
    assert_string_equal(out, sha_abc);
    io_sha256("", 0, out);
    assert_string_equal(out, sha_empty);
}

static void test_file(void **state)
{
    (void)state;
    char path[] = "/tmp/squall-digest-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    char out[IO_SHA256_TEXT];
    struct base_error err;
    assert_true(io_sha256_file(path, out, &err));
    assert_string_equal(out, sha_empty);
    char *many = malloc(1000000);
    assert_non_null(many);
    memset(many, 'a', 1000000);
    assert_true(base_fd_write_all(fd, many, 1000000, &err));
    assert_true(io_sha256_file(path, out, &err));
    assert_string_equal(out, sha_million);
    free(many);
    base_fd_close(&fd);
    assert_int_equal(unlink(path), 0);
}

static void test_file_errors(void **state)
{
    (void)state;
    char out[IO_SHA256_TEXT] = "untouched";
    struct base_error err = {0};
    assert_false(io_sha256_file("/no/such/file", out, &err));
    assert_int_equal(err.code, BASE_NOT_FOUND);
    assert_non_null(strstr(err.message, "/no/such/file"));
    assert_false(io_sha256_file("/proc", out, &err)); /* a folder: opens, does not read */
    assert_non_null(strstr(err.message, "/proc"));
    assert_string_equal(out, "untouched");
}

static void test_secrets(void **state)
{
    (void)state;
    assert_true(io_secret_equal("", ""));
    assert_true(io_secret_equal("token", "token"));
    assert_false(io_secret_equal("token", "tokeN"));
    assert_false(io_secret_equal("token", "toke"));
    assert_false(io_secret_equal("token", ""));
    assert_false(io_secret_equal(NULL, "token"));
    assert_false(io_secret_equal("token", NULL));
    assert_false(io_secret_equal(NULL, NULL)); /* no secret set lets nobody in */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_file_errors),
        cmocka_unit_test(test_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
