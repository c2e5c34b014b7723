/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/pointer.h"

/* The document of RFC 6901 section 5, and some more. */
static const char document[] =
    "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
    "\"k\\\"l\":6,\" \":7,\"m~n\":8,\"~1\":9,\"deep\":{\"0\":{\"list\":[[1],[2,{\"x\":10}]]}}}";

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *pointer;
        const char *value; /* NULL: none */
    } cases[] = {
        {"/foo/0", "\"bar\""},
        {"/foo", "[\"bar\",\"baz\"]"},
        {"/", "0"},
        {"/a~1b", "1"},
        {"/c%d", "2"},
        {"/e^f", "3"},
        {"/g|h", "4"},
        {"/i\\j", "5"},
        {"/k\"l", "6"},
        {"/ ", "7"},
        {"/m~0n", "8"},
        {"/~01", "9"},
        {"/deep/0/list/1/1/x", "10"},
        {"/foo/2", NULL},
        {"/foo/-", NULL},
        {"/foo/00", NULL},
        {"/foo/01", NULL},
        {"/foo/+1", NULL},
        {"/foo/1/", NULL},
        {"/foo/18446744073709551616", NULL},
        {"/nothing", NULL},
        {"/nothing/more", NULL},
        {"/a/b", NULL},
        {"/foo/", NULL},
    };
    struct base_error err;
    json_t *json = model_json_parse(document, strlen(document), "test", &err);
    assert_non_null(json);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(model_pointer_check(cases[i].pointer, &err));
        const json_t *value = model_pointer_get(json, cases[i].pointer);
        if ((value == NULL) != (cases[i].value == NULL))
            fail_msg("%s", cases[i].pointer);
        if (value == NULL)
            continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        assert_string_equal(text, cases[i].value);
        free(text);
    }
    assert_ptr_equal(model_pointer_get(json, ""), json);
    json_decref(json);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const char *const cases[] = {"foo", "foo/bar", "/a~", "/a~2", "/~/b", "$.a", " /a"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct base_error err = {.message = ""};
        assert_false(model_pointer_check(cases[i], &err));
        assert_non_null(strstr(err.message, "is no JSON pointer"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
