/* SPDX-License-Identifier: Apache-2.0 */
#include "by_hand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static char post[] = "POST", delete[] = "DELETE", out[] = "out", gone[] = "gone", shop[] = "shop",
            bar[] = "bar";

static struct load_step step(char *name, char *method, char *path)
{
    return (struct load_step){.name = name, .method = method, .path = path};
}

static void test_what_is_left_to_do(void **state)
{
    (void)state;
    static const struct {
        char path[64];
        const char *values, *said;
    } table[] = {
        {"/login", "{}", "shop.out: POST /login; shop.gone: DELETE /x"},
        {"/a/{{id}}/b?{{id|url}}", "{\"id\": \"7\"}",
         "shop.out: POST /a/7/b?7; shop.gone: DELETE /x"},
        {"/{{other}}/{{id}}{{", "{\"id\": \"7\"}",
         "shop.out: POST /{{other}}/7{{; shop.gone: DELETE /x"},
        {"/{{id}}", "null", "shop.out: POST /{{id}}; shop.gone: DELETE /x"},
        {"/{{i}}", "{\"id\": \"7\"}", "shop.out: POST /{{i}}; shop.gone: DELETE /x"},
        {"/}}{{id}}", "{\"id\": 7}", "shop.out: POST /}}{{id}}; shop.gone: DELETE /x"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char path[64], x[] = "/x";
        memcpy(path, table[i].path, sizeof path);
        struct load_step steps[] = {step(out, post, path), step(gone, delete, x)};
        struct load_flow flows[] = {{.name = bar},
                                    {.name = shop, .teardown = steps, .teardown_count = 2}};
        const struct load_spec spec = {.flows = flows, .flow_count = 2};
        json_t *values = json_loads(table[i].values, JSON_DECODE_ANY, NULL);
        json_t *setup = json_pack("[{}, {s:o}]", "values", values);
        char *said = load_by_hand(&spec, setup);
        assert_string_equal(said, table[i].said);
        free(said);
        json_decref(setup);
    }
}

static void test_without_knowing_what_setup_left(void **state)
{
    (void)state;
    char path[] = "/{{id}}";
    struct load_step steps[] = {step(out, post, path)};
    struct load_flow flow = {.name = shop, .teardown = steps, .teardown_count = 1};
    struct load_spec spec = {.flows = &flow, .flow_count = 1};
    char *said = load_by_hand(&spec, NULL);
    assert_string_equal(said, "shop.out: POST /{{id}}");
    free(said);
    assert_true(load_by_hand_has_teardown(&spec));
    assert_false(load_by_hand_has_setup(&spec));
    flow.teardown_count = 0;
    flow.setup_count = 1;
    assert_false(load_by_hand_has_teardown(&spec));
    assert_true(load_by_hand_has_setup(&spec));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_left_to_do),
        cmocka_unit_test(test_without_knowing_what_setup_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
