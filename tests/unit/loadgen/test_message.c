/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "message.h"
#include "model/flow.h"

static const struct {
    const char *bytes;
    unsigned status;
    const char *body;
} cases[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
    {"HTTP/1.1 200\r\n\r\nto the end", 200, "to the end"},
    {"HTTP/1.0 500 x\nA: b\n\nabc", 500, "abc"}, /* a bare LF ends a line */
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 201 C\r\n\r\nx", 201,
     "x"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, "abc"},
    {"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200,
     "abc"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3;name=\"x\"\r\nabc\r\n2\r\nde\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n",
     200, "abcde0123456789"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\n\r\n\n0\n\n", 200, "\r\n"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, ,\r\n\r\n1\r\na\r\n0\r\n\r\n", 200, "a"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding:]chunked\r\n\r\n1\r\na\r\n", 200, "1\r\na\r\n"},
    /* Only the head was kept: no body, whatever it says. */
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\nab", 200, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, ""},
};

static void test_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct load_message message;
        char *bytes = base_str_dup(cases[i].bytes);
        assert_true(load_message_read(bytes, strlen(bytes), &message));
        assert_int_equal(message.status, cases[i].status);
        assert_int_equal(message.body.len, strlen(cases[i].body));
        assert_memory_equal(message.body.at, cases[i].body, message.body.len);
        free(bytes);
    }
}

/* Cut anywhere, it never reads outside (run under the sanitizers) and has no head before the head's
 * end. */
static void test_cut_short(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t whole = strlen(cases[i].bytes);
        for (size_t len = 0; len < whole; len++) {
            struct load_message message;
            char *bytes = malloc(len + 1);
            assert_non_null(bytes);
            memcpy(bytes, cases[i].bytes, len);
            if (load_message_read(bytes, len, &message)) {
                assert_true(len >= 16);
                assert_true(message.body.len <= len);
            }
            free(bytes);
        }
    }
}

static void test_headers(void **state)
{
    (void)state;
    static const char text[] =
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX:\r\nset-cookie: \t b=2 \t\r\n"
        "Last: no\rcr\r\n\r\nSet-Cookie: c=3\r\n";
    struct load_message message;
    struct load_text_span value;
    char *bytes = base_str_dup(text);
    assert_true(load_message_read(bytes, strlen(bytes), &message));
    size_t at = 0;
    assert_true(load_message_find(&message, &at, "Set-Cookie", &value));
    assert_int_equal(value.len, 3);
    assert_memory_equal(value.at, "a=1", 3);
    assert_true(load_message_find(&message, &at, "Set-Cookie", &value));
    assert_memory_equal(value.at, "b=2", 3);
    assert_int_equal(value.len, 3);
    assert_false(load_message_find(&message, &at, "Set-Cookie", &value)); /* that is the body */
    at = 0;
    assert_true(load_message_find(&message, &at, "x", &value));
    assert_int_equal(value.len, 0);
    at = 0;
    assert_false(load_message_find(&message, &at, "Set", &value));
    free(bytes);
}

static void test_what_is_kept(void **state)
{
    (void)state;
    struct load_capture capture;
    load_capture_init(&capture);
    load_capture_start(&capture, false);
    load_capture_add(&capture, "head", 4, false);
    load_capture_add(&capture, "body", 4, true);
    assert_string_equal(capture.bytes.data, "head");
    load_capture_start(&capture, true);
    load_capture_add(&capture, "head", 4, false);
    load_capture_add(&capture, "body", 4, true);
    assert_string_equal(capture.bytes.data, "headbody");
    char *large = base_calloc(LOAD_CAPTURE_MAX, 1);
    load_capture_add(&capture, large, LOAD_CAPTURE_MAX - 8, true);
    assert_false(capture.too_large);
    load_capture_add(&capture, "x", 1, true);
    assert_true(capture.too_large);
    load_capture_add(&capture, "x", 1, true);
    assert_int_equal(capture.bytes.len, LOAD_CAPTURE_MAX);
    load_capture_start(&capture, true);
    assert_false(capture.too_large);
    free(large);
    load_capture_fini(&capture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_what_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
