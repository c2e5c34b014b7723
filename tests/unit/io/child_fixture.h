/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of children share: shells, and what comes of running them to their end. */
#ifndef IO_CHILD_FIXTURE_H
#define IO_CHILD_FIXTURE_H

#include <string.h>

#include "io/child.h"
#include "io_test.h"

struct exited {
    struct io_child *child; /* to free in the callback; NULL: not */
    struct io_child_exit exit;
    int calls;
    bool any;
};

static inline void on_exit_noted(void *ctx, const struct io_child_exit *exit)
{
    struct exited *exited = ctx;
    exited->exit = *exit;
    exited->calls++;
    exited->any = true;
    io_child_free(exited->child);
}

static inline struct io_child_spec shell(const char *argv[4], const char *script)
{
    argv[0] = "/bin/sh";
    argv[1] = "-c";
    argv[2] = script;
    argv[3] = NULL;
    return io_child_spec_default(argv);
}

/* Runs spec and compares all of its output. */
static inline void expect_output(const struct io_child_spec *spec, const char *expected)
{
    struct base_buf out;
    struct base_error err = {0};
    base_buf_init(&out, 1 << 20);
    bool ok = io_child_run(spec, base_dur_s(IO_TEST_DEADLINE_S), &out, &err);
    if (!ok)
        print_error("%s\n", err.message);
    assert_true(ok);
    assert_string_equal(out.data, expected);
    base_buf_fini(&out);
}

static inline struct base_error expect_failure(const struct io_child_spec *spec,
                                               enum base_code code, const char *says)
{
    struct base_error err = {0};
    assert_false(io_child_run(spec, base_dur_s(IO_TEST_DEADLINE_S), NULL, &err));
    if (strstr(err.message, says) == NULL)
        print_error("'%s' does not say '%s'\n", err.message, says);
    assert_non_null(strstr(err.message, says));
    assert_int_equal(err.code, code);
    return err;
}

#endif
