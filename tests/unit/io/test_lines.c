/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "io/lines.h"
#include "io_test.h"

enum { MAX = 20 };

struct reader {
    struct io_lines *lines;
    struct base_buf got; /* each line in [] */
    int count;
    bool line;
    bool ended;
    bool failed;
    int finish_at; /* finish and free the reader in this line's callback; 0: never */
    struct base_error err;
};

static void on_line(void *ctx, char *line, size_t len)
{
    struct reader *reader = ctx;
    assert_int_equal(line[len], '\0');
    reader->line = true;
    if (++reader->count == reader->finish_at) {
        io_lines_fini(reader->lines);
        memset(reader->lines, 0x5a, sizeof *reader->lines);
        free(reader->lines);
        reader->ended = true;
    }
    /* The line stays valid to the end of the callback. */
    assert_true(base_buf_char(&reader->got, '['));
    assert_true(base_buf_append(&reader->got, line, len));
    assert_true(base_buf_char(&reader->got, ']'));
}

static void on_end(void *ctx, const struct base_error *err)
{
    struct reader *reader = ctx;
    assert_false(reader->ended); /* once */
    reader->ended = true;
    reader->failed = err != NULL;
    if (err != NULL)
        reader->err = *err;
}

static void open_reader(struct reader *reader, struct io_loop *loop, int fd, size_t max)
{
    struct base_error err;
    *reader = (struct reader){.lines = calloc(1, sizeof *reader->lines)};
    base_buf_init(&reader->got, 1 << 20);
    assert_true(io_lines_init(reader->lines, loop, fd, max, on_line, on_end, reader, &err));
}

static void close_reader(struct reader *reader)
{
    io_lines_fini(reader->lines);
    io_lines_fini(reader->lines); /* twice does nothing */
    free(reader->lines);
    base_buf_fini(&reader->got);
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void expect_of_pieces(const char *const *pieces, const char *expected)
{
    struct io_loop *loop = io_test_loop();
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct reader reader;
    open_reader(&reader, loop, fds[0], MAX);
    for (; *pieces != NULL; pieces++) {
        put(fds[1], *pieces);
        if (**pieces != '\0')
            io_loop_run_once(loop); /* the piece is there: one turn reads it */
    }
    base_fd_close(&fds[1]);
    io_test_until(loop, &reader.ended);
    assert_false(reader.failed);
    assert_string_equal(reader.got.data, expected);
    close_reader(&reader);
    io_loop_free(loop);
}

static void test_lines_however_they_arrive(void **state)
{
    (void)state;
    static const struct {
        const char *pieces[8];
        const char *expected;
    } cases[] = {
        {{"one\ntwo\n"}, "[one][two]"},
        {{"\n\n"}, "[][]"},
        {{"o", "n", "e", "\n", "tw", "o\n"}, "[one][two]"},
        {{"one", "\ntwo", "\n"}, "[one][two]"},
        {{"last without end"}, "[last without end]"},
        {{"one\nla", "st"}, "[one][last]"},
        {{"12345678901234567890\n"}, "[12345678901234567890]"},
        {{"1234567890", "1234567890", "\n"}, "[12345678901234567890]"},
        {{"123456789012345678901\nok\n"}, "[ok]"},
        {{"1234567890", "12345678901", "\nok\n"}, "[ok]"},
        {{"1234567890", "12345678901", "more", "\nok\n", "ok2\n"}, "[ok][ok2]"},
        {{"1234567890", "12345678901"}, ""}, /* overlong to the end */
        {{"123456789012345678901", "\n", "\n"}, "[]"},
        {{""}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_of_pieces(cases[i].pieces, cases[i].expected);
}

static void *write_many(void *ctx)
{
    int *fd = ctx;
    for (int i = 0; i < 20000; i++)
        assert_true(base_fd_write_all(*fd, "a line of some length\n", 22, NULL));
    base_fd_close(fd);
    return NULL;
}

static void test_many_lines_from_a_fast_writer(void **state)
{
    (void)state;
    struct io_loop *loop = io_test_loop();
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct reader reader;
    open_reader(&reader, loop, fds[0], 100);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_many, &fds[1]), 0);
    io_test_until(loop, &reader.ended);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(reader.count, 20000);
    assert_int_equal(reader.got.len, 20000 * 23);
    close_reader(&reader);
    io_loop_free(loop);
}

static void finish_inside(const char *const *pieces, int at, const char *expected)
{
    struct io_loop *loop = io_test_loop();
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct reader reader;
    open_reader(&reader, loop, fds[0], MAX);
    reader.finish_at = at;
    for (; *pieces != NULL && !reader.ended; pieces++) {
        put(fds[1], *pieces);
        io_loop_run_once(loop);
    }
    base_fd_close(&fds[1]);
    io_test_until(loop, &reader.ended);
    assert_string_equal(reader.got.data, expected);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1); /* closed */
    base_buf_fini(&reader.got);
    io_loop_free(loop);
}

static void test_finished_in_a_callback(void **state)
{
    (void)state;
    finish_inside((const char *const[]){"one\ntwo\nthree\n", NULL}, 2, "[one][two]");
    finish_inside((const char *const[]){"o", "ne\ntwo\n", NULL}, 1, "[one]");
    finish_inside((const char *const[]){"one\n", "unterminated", NULL}, 2, "[one][unterminated]");
}

static void test_read_error_is_told(void **state)
{
    (void)state;
    struct io_loop *loop = io_test_loop();
    int fd = open("/proc/self", O_RDONLY | O_DIRECTORY); /* read(2) gives EISDIR */
    assert_true(fd >= 0);
    struct reader reader;
    open_reader(&reader, loop, fd, MAX);
    io_test_until(loop, &reader.ended);
    assert_true(reader.failed);
    assert_int_equal(reader.err.sys, EISDIR);
    close_reader(&reader);
    io_loop_free(loop);
}

static void test_bad_descriptor_is_refused(void **state)
{
    (void)state;
    struct io_loop *loop = io_test_loop();
    struct io_lines lines = {0};
    struct base_error err = {0};
    assert_false(io_lines_init(&lines, loop, 12345, MAX, on_line, on_end, NULL, &err));
    assert_int_equal(err.sys, EBADF);
    io_lines_fini(&lines); /* untouched, hence zeroed */
    io_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_however_they_arrive),
        cmocka_unit_test(test_many_lines_from_a_fast_writer),
        cmocka_unit_test(test_finished_in_a_callback),
        cmocka_unit_test(test_read_error_is_told),
        cmocka_unit_test(test_bad_descriptor_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
