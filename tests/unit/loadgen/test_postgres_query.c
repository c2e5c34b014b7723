/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "postgres_query.h"

static void test_values_lie_one_behind_the_other(void **state)
{
    (void)state;
    char name[] = "r", text[] = "SELECT '{1,{2}}', $1, $2, $3";
    char first[] = "a{{seq}}", second[] = "", third[] = "{{rand}}";
    char *params[] = {first, second, third};
    const struct load_route route = {
        .name = name, .body = text, .params = params, .param_count = 3};
    struct load_pg_query query;
    struct base_rng rng;
    assert_true(load_pg_query_build(&query, &route, 7, NULL));
    assert_string_equal(query.name, "squall_7");
    assert_string_equal(query.text, text);
    assert_int_equal(query.count, 3);
    base_rng_seed(&rng, 1);
    load_request_patch(&query.values, query.values.bytes, 42, &rng);
    assert_string_equal(query.values.bytes + query.at[0], "a000000000042");
    assert_string_equal(query.values.bytes + query.at[1], "");
    assert_int_equal(strlen(query.values.bytes + query.at[2]), 16);
    assert_int_equal(query.values.len, query.at[2] + 17);
    load_pg_query_fini(&query);
    load_pg_query_fini(&query);
}

static void test_what_cannot_be_sent(void **state)
{
    (void)state;
    static const struct {
        char text[40];
        char param[20];
        const char *told;
    } table[] = {
        {"", "", "there is no statement"},
        {"SELECT {{seq}}", "", "--param"},
        {"SELECT '{{rand}}'", "", "--param"},
        {"SELECT $1", "{{user}}", "\"{{user}}\" is unknown"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char name[] = "r", text[40], param[20];
        memcpy(text, table[i].text, sizeof text);
        memcpy(param, table[i].param, sizeof param);
        char *params[] = {param};
        const struct load_route route = {
            .name = name, .body = text, .params = params, .param_count = 1};
        struct load_pg_query query;
        struct base_error err = {.code = BASE_OK};
        assert_false(load_pg_query_build(&query, &route, 0, &err));
        assert_int_equal(err.code, BASE_INVALID);
        if (strstr(err.message, table[i].told) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.message, table[i].told);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_lie_one_behind_the_other),
        cmocka_unit_test(test_what_cannot_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
