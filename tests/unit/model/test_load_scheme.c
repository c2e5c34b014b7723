/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/load.h"

static void test_how_urls_begin(void **state)
{
    (void)state;
    const struct load_scheme *scheme = load_scheme_of("REDISS://h");
    assert_non_null(scheme);
    assert_int_equal(scheme->protocol, LOAD_SPEECH_REDIS);
    assert_true(scheme->tls);
    assert_int_equal(scheme->port, 6379);
    scheme = load_scheme_of("http://h");
    assert_int_equal(scheme->protocol, LOAD_SPEECH_HTTP);
    assert_false(scheme->tls);
    assert_int_equal(load_scheme_of("tls://h:1")->port, 0);
    assert_null(load_scheme_of("ftp://h"));
    assert_null(load_scheme_of("http:/h"));
    assert_null(load_scheme_of(""));
    assert_null(load_scheme_of(NULL));
}

static void test_the_list_has_all(void **state)
{
    (void)state;
    char *list = load_scheme_list();
    for (size_t i = 0; i < load_scheme_count; i++)
        assert_non_null(strstr(list, load_schemes[i].prefix));
    assert_memory_equal(list, "http://, ", 9);
    assert_string_equal(strstr(list, " or "), " or amqps://");
    free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_urls_begin),
        cmocka_unit_test(test_the_list_has_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
