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
#include "feeder.h"
#include "loadgen/carry.h"

struct bench {
    char path[64];
    struct load_spec spec;
};

static void start(struct bench *bench, const char *text, size_t len)
{
    (void)snprintf(bench->path, sizeof bench->path, "/tmp/squall-carry-%d", getpid());
    assert_true(base_file_write(bench->path, text, len, 0644, NULL));
    bench->spec = (struct load_spec){.routes = base_calloc(2, sizeof(struct load_route)),
                                     .route_count = 2,
                                     .feeders = base_calloc(1, sizeof(struct load_feeder)),
                                     .feeder_count = 1};
    bench->spec.routes[0].body_file = base_str_dup(bench->path);
    bench->spec.routes[1].body = base_str_dup("x");
    bench->spec.feeders[0].file = base_str_dup(bench->path);
}

static void stop(struct bench *bench)
{
    load_spec_fini(&bench->spec);
    (void)unlink(bench->path);
}

static void test_files_become_text(void **state)
{
    (void)state;
    static const char *const columns[] = {"name"};
    static const char text[] = "name\nB\xc3\xb6"
                               "b\n";
    struct bench bench;
    struct load_rows rows;
    start(&bench, text, strlen(text));
    assert_true(load_spec_carry(&bench.spec, NULL));
    assert_null(bench.spec.routes[0].body_file);
    assert_string_equal(bench.spec.routes[0].body, text);
    assert_string_equal(bench.spec.routes[1].body, "x");
    assert_string_equal(bench.spec.feeders[0].text, text);
    (void)unlink(bench.path); /* another host has none */
    assert_true(load_rows_read(&rows, &bench.spec.feeders[0], columns, 1, NULL));
    assert_string_equal(load_rows_cell(&rows, 0, 0), "B\xc3\xb6"
                                                     "b");
    load_rows_fini(&rows);
    stop(&bench);
    start(&bench, "", 0);
    assert_true(load_spec_carry(&bench.spec, NULL));
    assert_string_equal(bench.spec.routes[0].body, "");
    stop(&bench);
}

static void test_what_cannot_be_carried(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\0b", "ab\xff", "ab\xc3"};
    struct bench bench;
    struct base_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        start(&bench, bad[i], 3);
        assert_false(load_spec_carry(&bench.spec, &err));
        assert_int_equal(err.code, BASE_INVALID);
        assert_non_null(strstr(err.message, "is not text in UTF-8"));
        assert_non_null(strstr(err.message, bench.path));
        stop(&bench);
    }
    start(&bench, "x", 1);
    (void)unlink(bench.path);
    assert_false(load_spec_carry(&bench.spec, &err));
    assert_int_equal(err.code, BASE_INVALID);
    stop(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_become_text),
        cmocka_unit_test(test_what_cannot_be_carried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
