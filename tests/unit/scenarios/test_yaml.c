/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused before a file is looked at as a scenario. */
#include "fixture.h"

#include "node.h"

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *complaint;
    } cases[] = {
        {"", "s.yaml:1:1: the file is empty, expected a scenario"},
        {"# only a comment\n", "s.yaml:1:1: the file is empty"},
        {"a: [1, 2\nb: 3\n", "s.yaml:2:2: not valid YAML: "},
        {"a: 1\n\tb: 2\n", "s.yaml:2:1: not valid YAML: found a tab character"},
        {"a: 'x\n", "not valid YAML: found unexpected end of stream"},
        {"a: b: c\n", "s.yaml:1:5: not valid YAML: mapping values are not allowed"},
        {"%YAML 9.0\n---\na: 1\n", "s.yaml:1:1: not valid YAML: "},
        {"a: 1\n---\nb: 2\n", "s.yaml:2:1: a second document, expected one scenario in a file"},
        {"? [a]\n: 1\n", "s.yaml:1:3: expected a key, found a mapping or a list"},
        {"? {a: b}\n: 1\n", "expected a key, found a mapping or a list"},
        {"a: &x 1\n*x : 2\n", "s.yaml:2:1: expected a key, found an alias"},
        {"!!str a: 1\n", "s.yaml:1:1: tags (!name) are not supported"},
        {"\"a\\0b\": 1\n", "s.yaml:1:1: a NUL character inside of a value"},
        {"a: 1\nb: \xff\n", "s.yaml:2:4: not text in UTF-8: "},
        {"\xff\xfe"
         "a",
         "s.yaml:1:1: not text in UTF-8: "},
        {"a: \xed\xa0\x80\n", "s.yaml:1:4: not text in UTF-8: "},
        {"\xc3\xa4: 1\nb: \x01\n", "s.yaml:2:4: not text in UTF-8: control characters"},
        {"a\n", "s.yaml:1:1: expected a mapping, found a value"},
        {"[]\n", "s.yaml:1:1: expected a mapping, found a list"},
        {"~\n", "s.yaml:1:1: expected a mapping, found nothing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *list = complaints(cases[i].text, strlen(cases[i].text));
        assert_contains(list, cases[i].complaint);
        free(list);
    }
    char *list = complaints("a: 1\0b", 6);
    assert_contains(list, "s.yaml:1:5: not text in UTF-8: control characters");
    free(list);
}

static char *repeated(const char *first, const char *part, size_t times)
{
    struct base_buf text;
    base_buf_init(&text, 8 << 20);
    base_buf_str(&text, first);
    for (size_t i = 0; i < times; i++)
        base_buf_str(&text, part);
    return base_buf_steal(&text);
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *first;
        const char *part;
        size_t times;
        const char *complaint;
    } cases[] = {
        {"", "[", 100000, "s.yaml:1:33: nested deeper than 32 levels"},
        {"", "{a: ", 33, "nested deeper than 32 levels"},
        {"- a\n", "- a\n", 20000, "more than 20000 values in one file"},
        {"", "a: 1\n", 1 << 20, "s.yaml: larger than 1 MiB"},
        {"a: &x [1]\n", "b: *x\n", 3, "key \"b\" is there twice, first at line 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = repeated(cases[i].first, cases[i].part, cases[i].times);
        char *list = complaints(text, strlen(text));
        assert_contains(list, cases[i].complaint);
        free(list);
        free(text);
    }
    struct base_buf keys;
    base_buf_init(&keys, 1 << 20);
    for (int i = 0; i < SCN_MAX_KEYS + 1; i++)
        base_buf_printf(&keys, "k%d: 1\n", i);
    char *list = complaints(keys.data, keys.len);
    assert_contains(list, "s.yaml:1001:1: more than 1000 keys in one mapping");
    free(list);
    base_buf_fini(&keys);
}

/* The billion laughs: every alias is refused where it stands, none is followed. */
static void test_aliases_are_not_followed(void **state)
{
    (void)state;
    static const char text[] = "a: &a [x, x]\nb: &b [*a, *a]\napiVersion: *b\n";
    char *list = complaints(text, strlen(text));
    assert_contains(list, "apiVersion: aliases (*name) are not supported, write the value out");
    free(list);
}

static void test_escape_sequences_do_not_reach_the_terminal(void **state)
{
    (void)state;
    static const char text[] = "apiVersion: \"\\e[31mred\\a\\n\"\n";
    char *list = complaints(text, strlen(text));
    assert_contains(list, "found \"?[31mred??\"");
    free(list);
}

static void test_tree(void **state)
{
    (void)state;
    static const char text[] = "\xEF\xBB\xBF"
                               "a: 1\nb: ['2', ~]\n";
    struct scn_problems problems = {.items = NULL};
    struct scn_node *root = scn_yaml_parse("s", text, strlen(text), &problems);
    assert_non_null(root);
    assert_int_equal(problems.count, 0);
    assert_int_equal(root->kind, SCN_NODE_MAP);
    assert_int_equal(root->count, 2);
    const struct scn_entry *b = scn_node_find(root, "b");
    assert_int_equal(b->mark.line, 2);
    assert_int_equal(b->mark.column, 1);
    assert_int_equal(b->value->mark.column, 4);
    assert_false(b->value->entries[0].value->plain);
    assert_string_equal(b->value->entries[0].value->text, "2");
    assert_true(b->value->entries[1].value->plain);
    assert_null(scn_node_find(root, "c"));
    scn_node_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_aliases_are_not_followed),
        cmocka_unit_test(test_escape_sequences_do_not_reach_the_terminal),
        cmocka_unit_test(test_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
