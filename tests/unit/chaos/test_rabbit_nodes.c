/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rabbit_action.h"

#define NODE(used, limit) "{\"running\":true,\"mem_used\":" used ",\"mem_limit\":" limit "}"

static void the_fullest_node_counts(void **state)
{
    (void)state;
    static const struct {
        const char *nodes;
        long used; /* of the one; -1: none */
    } cases[] = {
        {"[" NODE("10", "100") "]", 10},
        {"[" NODE("10", "100") "," NODE("80", "100") "," NODE("50", "100") "]", 80},
        /* The least room, not the most memory. */
        {"[" NODE("800", "10000") "," NODE("70", "100") "]", 70},
        /* A stopped one takes nothing, and says nothing. */
        {"[{\"running\":false}," NODE("10", "100") "]", 10},
        {"[{\"running\":false}]", -1},
        /* One that has just been started is waited for, wherever it stands in the list. */
        {"[" NODE("10", "100") "," NODE("0", "0") "]", -1},
        {"[" NODE("10", "100") ",{\"running\":true}]", -1},
        {"[]", -1},
        {"{}", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct base_error err = {0};
        json_t *nodes = model_json_parse(cases[i].nodes, strlen(cases[i].nodes), "nodes", &err);
        assert_non_null(nodes);
        const json_t *node = fault_rabbit_tightest(nodes);
        long used = node != NULL ? (long)json_integer_value(json_object_get(node, "mem_used")) : -1;
        assert_int_equal(used, cases[i].used);
        json_decref(nodes);
    }
    assert_null(fault_rabbit_tightest(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fullest_node_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
