/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "feeder.h"

static const char *const columns[] = {"name", "mail"};

/* The rows as "name|mail", with '/' between; or the error. */
static void spell(enum load_feeder_format format, const char *text, size_t len, char *out,
                  size_t size)
{
    struct load_rows rows = {.count = 0};
    struct base_error err;
    size_t used = 0;
    if (!load_rows_parse(&rows, format, "f", text, len, columns, 2, &err)) {
        (void)snprintf(out, size, "%s", err.message);
        return;
    }
    for (size_t i = 0; i < rows.count; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s|%s", i > 0 ? "/" : "",
                                 load_rows_cell(&rows, i, 0), load_rows_cell(&rows, i, 1));
    load_rows_fini(&rows);
}

static void check(enum load_feeder_format format, const char *text, const char *expected)
{
    char found[1200];
    spell(format, text, strlen(text), found, sizeof found);
    if (strstr(found, expected) != found)
        fail_msg("%s: found %s, expected %s", text, found, expected);
}

static void test_csv(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *rows;
    } cases[] = {
        {"name,mail\nann,a@x\nbob,b@x\n", "ann|a@x/bob|b@x"},
        {"mail,age,name\r\na@x,7,ann\r\n", "ann|a@x"},
        {"name,mail\nann,a@x", "ann|a@x"},
        {"\xef\xbb\xbfname,mail\nann,\n", "ann|"},
        {"name,mail\n\"a, b\",\"say \"\"hi\"\"\"\n", "a, b|say \"hi\""},
        {"name,mail\n\"two\nlines\",x\nann,y\n", "two\nlines|x/ann|y"},
        {"\"name\",\"mail\"\n a , b \n", " a | b "},
        {"name,mail\r\na\rb,c\r\n", "a\rb|c"},
        {"", "f: is empty, expected the columns' names"},
        {"name,mail\n", "f: has no rows"},
        {"name,mial\na,b\n", "f:1: no column \"mail\", did you mean \"mial\"?"},
        {"name\na\n", "f:1: no column \"mail\""},
        {"name,mail,name\na,b,c\n", "f:1: two columns are called \"name\""},
        {"name,mail\nann,a@x\nbob\n", "f:3: has 1 field, expected 2 as in line 1"},
        {"name,mail\nann,a@x\n\nbob,b@x\n", "f:3: has 1 field, expected 2 as in line 1"},
        {"name,mail\na,b,c\n", "f:2: has 3 fields, expected 2 as in line 1"},
        {"name,mail\n\"two\nlines\",x\nbob\n", "f:4: has 1 field"},
        {"name,mail\n\"two\nlines\"\n", "f:2: has 1 field"},
        {"name,mail\nann,\"a@x\n", "f:2: a quote is opened here and never closed"},
        {"name,mail\nann,\"a\"x\n", "f:2: something follows a closing quote"},
        {"name,mail\nann,a\"x\n", "f:2: a quote inside of a field"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(LOAD_FEEDER_CSV, cases[i].text, cases[i].rows);
    static const char nul[] = "name,mail\na\0b,c\n";
    char found[1200];
    spell(LOAD_FEEDER_CSV, nul, sizeof nul - 1, found, sizeof found);
    assert_string_equal(found, "f:2: a field is too long, or has a NUL byte");
}

static void test_jsonl(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *rows;
    } cases[] = {
        {"{\"name\":\"ann\",\"mail\":\"a@x\"}\n{\"mail\":5,\"name\":null,\"more\":[]}\n",
         "ann|a@x/null|5"},
        {"{\"name\":true,\"mail\":{\"b\":1,\"a\":[2]}}", "true|{\"a\":[2],\"b\":1}"},
        {"{\"name\":\"a\\nb\",\"mail\":\"\"}\r\n", "a\nb|"},
        {"", "f: has no rows"},
        {"{\"name\":1,\"mail\":2}\n[1]\n", "f:2: expected a JSON object"},
        {"{\"name\":1,\"mail\":2}\n{\"name\":1,\"mial\":2}\n",
         "f:2: no key \"mail\", did you mean \"mial\"?"},
        {"{\"name\":1}\n", "f:1: no key \"mail\""},
        {"{\"name\":1,\"mail\":2}\n{\"name\"\n", "f:2: JSON:1:"},
        {"{\"name\":1,\"mail\":2}\n\n", "f:2: JSON:1:"},
        {"{\"name\":1,\"mail\":2} x\n", "f:1: JSON:1:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(LOAD_FEEDER_JSONL, cases[i].text, cases[i].rows);
}

static void test_a_file_that_is_not_there(void **state)
{
    (void)state;
    struct load_rows rows;
    struct base_error err;
    const struct load_feeder feeder = {.file = (char *)(uintptr_t) "/nowhere/people.csv"};
    assert_false(load_rows_read(&rows, &feeder, columns, 2, &err));
    assert_non_null(strstr(err.message, "/nowhere/people.csv"));
}

static void test_many_rows(void **state)
{
    (void)state;
    struct base_buf text;
    struct load_rows rows;
    base_buf_init(&text, 1 << 20);
    base_buf_str(&text, "name,mail\n");
    for (int i = 0; i < 5000; i++)
        base_buf_printf(&text, "n%d,m%d\n", i, i);
    assert_true(
        load_rows_parse(&rows, LOAD_FEEDER_CSV, "f", text.data, text.len, columns, 2, NULL));
    assert_int_equal(rows.count, 5000);
    assert_string_equal(load_rows_cell(&rows, 4999, 1), "m4999");
    assert_string_equal(load_rows_cell(&rows, 0, 0), "n0");
    load_rows_fini(&rows);
    base_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_a_file_that_is_not_there),
        cmocka_unit_test(test_many_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
