/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "endpoint.h"

static void test_endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host; /* NULL: refused */
        uint16_t port;
    } cases[] = {
        {"127.0.0.1:9091", "127.0.0.1", 9091},
        {"[::1]:0", "::1", 0},
        {"redis.example:6379", "redis.example", 6379},
        {"::1:80", NULL, 0},
        {"[::1]", NULL, 0},
        {"[]:80", NULL, 0},
        {":80", NULL, 0},
        {"host", NULL, 0},
        {"host:", NULL, 0},
        {"host:65536", NULL, 0},
        {"host:-1", NULL, 0},
        {"host:8x", NULL, 0},
        {"a b:80", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *host = NULL;
        uint16_t port = 7;
        bool good = load_endpoint_parse(cases[i].text, &host, &port);
        if (good != (cases[i].host != NULL))
            fail_msg("\"%s\"", cases[i].text);
        if (good) {
            assert_string_equal(host, cases[i].host);
            assert_int_equal(port, cases[i].port);
        } else {
            assert_null(host);
            assert_int_equal(port, 7);
        }
        free(host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_endpoints)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
