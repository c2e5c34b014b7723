/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

enum { PIPE_BYTES = 65536 };

struct fixture {
    struct base_log log;
    int read_fd;
    char text[PIPE_BYTES];
};

static void open_log(struct fixture *f)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    f->read_fd = fds[0];
    f->log = (struct base_log){.fd = fds[1], .min = BASE_INFO, .service = "users"};
}

/* What was written since the last look, behind the time. */
static const char *written(struct fixture *f)
{
    ssize_t n = read(f->read_fd, f->text, sizeof f->text - 1);
    f->text[n < 0 ? 0 : n] = '\0';
    const char *level = strstr(f->text, "\"level\"");
    return level == NULL ? f->text : level;
}

static void close_log(struct fixture *f)
{
    base_fd_close(&f->log.fd);
    base_fd_close(&f->read_fd);
}

static void test_line(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f);
    base_log_line(&f.log, BASE_WARN, "listening", BASE_INT("port", 3000),
                  BASE_TEXT("host", "a\"b\\c\n\x01"), BASE_TEXT("none", NULL),
                  BASE_REAL("ratio", 0.5), BASE_REAL("broken", (double)NAN));
    assert_string_equal(written(&f),
                        "\"level\":\"warn\",\"service\":\"users\",\"message\":\"listening\","
                        "\"port\":3000,\"host\":\"a\\\"b\\\\c\\u000a\\u0001\",\"none\":null,"
                        "\"ratio\":0.5,\"broken\":null}\n");
    assert_true(base_str_starts(f.text, "{\"time\":\"20"));
    base_log_text(&f.log, BASE_ERROR, "plain");
    assert_string_equal(written(&f),
                        "\"level\":\"error\",\"service\":\"users\",\"message\":\"plain\"}\n");
    close_log(&f);
}

static void test_levels_and_nowhere(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f);
    base_log_text(&f.log, BASE_DEBUG, "dropped");
    assert_string_equal(written(&f), "");
    base_log_text(NULL, BASE_ERROR, "nowhere");
    struct base_log nowhere = {.fd = -1};
    base_log_text(&nowhere, BASE_ERROR, "nowhere");
    assert_string_equal(base_level_name(BASE_DEBUG), "debug");
    assert_string_equal(base_level_name((enum base_level)9), "unknown");
    close_log(&f);
}

static void test_text_that_is_not_utf8(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f);
    base_log_text(
        &f.log, BASE_INFO,
        "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 \xff \xc0\xaf \xed\xa0\x80 \xe2\x82");
    const char *line = written(&f);
    assert_non_null(strstr(line, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 \\ufffd "
                                 "\\ufffd\\ufffd \\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\"}\n"));
    close_log(&f);
}

static void expect_cut(struct fixture *f)
{
    (void)written(f);
    size_t len = strlen(f->text);
    assert_true(len <= 16384);
    assert_true(base_str_ends(f->text, ",\"cut\":true}\n"));
    assert_ptr_equal(strchr(f->text, '\n'), f->text + len - 1);
}

/* Of every length around the limit: one line, closed, with the mark when something is missing. */
static void test_long_lines_are_cut(void **state)
{
    (void)state;
    struct fixture f;
    open_log(&f);
    char *text = base_calloc(40001, 1);
    memset(text, 'x', 40000);
    base_log_text(&f.log, BASE_INFO, text);
    expect_cut(&f);
    base_log_line(&f.log, BASE_INFO, text, BASE_INT("port", 1));
    expect_cut(&f);
    base_log_line(&f.log, BASE_INFO, "m", BASE_TEXT("long", text), BASE_INT("port", 1));
    expect_cut(&f);
    assert_null(strstr(f.text, "long"));
    memset(text, '\x01', 40000);
    base_log_text(&f.log, BASE_INFO, text);
    expect_cut(&f);
    for (size_t len = 16000; len < 16500; len++) {
        memset(text, 'y', len);
        text[len] = '\0';
        base_log_line(&f.log, BASE_INFO, text, BASE_INT("a", 12345), BASE_INT("b", 12345));
        bool whole = strstr(written(&f), "\"b\":12345}\n") != NULL;
        size_t used = strlen(f.text);
        assert_true(used <= 16384 && base_str_ends(f.text, "}\n"));
        assert_true(whole || base_str_ends(f.text, ",\"cut\":true}\n"));
    }
    free(text);
    close_log(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_levels_and_nowhere),
        cmocka_unit_test(test_text_that_is_not_utf8),
        cmocka_unit_test(test_long_lines_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
