/* SPDX-License-Identifier: Apache-2.0 */
#include "json_cases.h"

#include <stdio.h>
#include <unistd.h>

static void assert_message(const struct base_error *err, const char *part)
{
    if (strstr(err->message, part) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", err->message, part);
}

static void test_getters_read(void **state)
{
    (void)state;
    json_t *json = json_of("{'text':'a','number':-3,'big':'18446744073709551615','real':2,"
                           "'flag':true,'waitNs':1500,'o':{},'a':[1]}");
    char *text = base_str_dup("old");
    int64_t i64;
    uint64_t u64;
    double real;
    bool flag;
    struct dur_ns dur;
    struct base_error err;
    assert_true(model_get_text(json, "v", "text", &text, &err));
    assert_string_equal(text, "a");
    assert_true(model_get_text_or(json, "v", "absent", "fallback", &text, &err));
    assert_string_equal(text, "fallback");
    assert_true(model_get_text_or(json, "v", "absent", NULL, &text, &err));
    assert_null(text);
    assert_true(model_get_i64(json, "v", "number", -3, -3, &i64, &err));
    assert_int_equal(i64, -3);
    assert_true(model_get_u64(json, "v", "big", UINT64_MAX, &u64, &err));
    assert_true(u64 == UINT64_MAX);
    assert_true(model_get_real(json, "v", "real", &real, &err));
    assert_true(real == 2.0);
    assert_true(model_get_bool(json, "v", "flag", &flag, &err) && flag);
    assert_true(model_get_dur(json, "v", "waitNs", &dur, &err) && dur.ns == 1500);
    assert_non_null(model_get_object(json, "v", "o", &err));
    assert_non_null(model_get_array(json, "v", "a", &err));
    json_decref(json);
}

static void test_getters_say_where(void **state)
{
    (void)state;
    json_t *json = json_of("{'text':1,'number':7,'negative':-1,'big':'12','waitNs':-5,'o':[]}");
    char *text = NULL;
    int64_t i64 = 99;
    uint64_t u64;
    double real;
    struct dur_ns dur;
    struct base_error err;
    assert_false(model_get_text(json, "plan.faults[2]", "name", &text, &err));
    assert_message(&err, "plan.faults[2]: key \"name\" is missing, expected text");
    assert_false(model_get_text(json, "fault", "text", &text, &err));
    assert_message(&err, "fault.text: expected text, found an integer");
    assert_null(text);
    assert_false(model_get_i64(json, "fault", "number", 1, 6, &i64, &err));
    assert_message(&err, "fault.number: 7 is out of range, expected 1 to 6");
    assert_int_equal(i64, 99);
    assert_false(model_get_u64(json, "fault", "negative", 6, &u64, &err));
    assert_message(&err, "fault.negative: -1 is out of range");
    assert_false(model_get_u64(json, "fault", "big", UINT64_MAX, &u64, &err));
    assert_message(&err, "fault.big: expected an integer, found text");
    assert_false(model_get_real(json, "fault", "o", &real, &err));
    assert_message(&err, "fault.o: expected a number, found an array");
    assert_false(model_get_dur(json, "fault", "waitNs", &dur, &err));
    assert_message(&err, "fault.waitNs: -5 is out of range");
    assert_null(model_get_object(json, "fault", "o", &err));
    assert_message(&err, "fault.o: expected an object, found an array");
    assert_null(model_get_array(json, "fault", "number", &err));
    assert_false(model_get_text(NULL, "fault", "name", &text, &err));
    assert_message(&err, "fault: expected an object, found nothing");
    assert_false(model_get_text_or(json_object_get(json, "o"), "fault.o", "name", "", &text, &err));
    assert_message(&err, "fault.o: expected an object, found an array");
    json_decref(json);
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "f:1:0"},
        {"{\"a\":1,\"a\":2}", "duplicate"},
        {"{\"a\":NaN}", "f:1:"},
        {"{\"a\":Infinity}", "f:1:"},
        {"{\"a\":1e999}", "f:1:"},
        {"{\"a\":99999999999999999999}", "f:1:"},
        {"{}\n x", "f:2:"},
        {"\"\xff\"", "f:1:"},
        {"\"\\u0000\"", "f:1:"},
    };
    struct base_error err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_null(model_json_parse(cases[i].text, strlen(cases[i].text), "f", &err));
        assert_int_equal(err.code, BASE_CORRUPT);
        assert_message(&err, cases[i].message);
    }
    char deep[200];
    memset(deep, '[', sizeof deep);
    assert_null(model_json_parse(deep, sizeof deep, "f", &err));
    assert_message(&err, "nested deeper than 64");
    const char *brackets_in_text =
        "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
        "[[[[[[[[[\\\"[[[[[[[[[\"]";
    json_t *fine = model_json_parse(brackets_in_text, strlen(brackets_in_text), "f", &err);
    assert_non_null(fine);
    json_decref(fine);
}

static void test_dump_is_canonical(void **state)
{
    (void)state;
    json_t *one = json_of("{'b':1,'a':{'d':[0.1],'c':null}}");
    json_t *two = json_of("{'a':{'c':null,'d':[0.1]},'b':1}");
    char *first = model_json_dump(one);
    char *second = model_json_dump(two);
    char *line = model_json_dump_line(one);
    assert_string_equal(first, second);
    assert_int_equal(first[strlen(first) - 1], '\n');
    assert_null(strchr(line, '\n'));
    assert_true(base_str_starts(line, "{\"a\":{\"c\":null,"));
    free(first);
    free(second);
    free(line);
    json_decref(one);
    json_decref(two);
}

static void test_text_is_made_valid(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *expected;
    } cases[] = {
        {"plain", "plain"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\xff"
         "b",
         "a\xEF\xBF\xBD"
         "b"},
        {"\xc3", "\xEF\xBF\xBD"},
        {"\xed\xa0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xc0\xaf", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xf4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *text = model_json_text(cases[i].bytes);
        assert_non_null(text);
        assert_string_equal(json_string_value(text), cases[i].expected);
        json_decref(text);
    }
    json_t *null = model_json_text(NULL);
    assert_true(json_is_null(null));
}

static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/squall-test-json-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct base_error err;
    json_t *json = json_of("{'a':[1,2,3]}");
    assert_true(model_json_write(path, json, &err));
    json_t *again = model_json_read(path, 1000, &err);
    assert_true(json_equal(json, again));
    assert_null(model_json_read(path, 4, &err));
    assert_int_equal(err.code, BASE_LIMIT);
    assert_message(&err, path);
    unlink(path);
    assert_null(model_json_read(path, 1000, &err));
    assert_int_equal(err.code, BASE_NOT_FOUND);
    json_decref(json);
    json_decref(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_getters_read),       cmocka_unit_test(test_getters_say_where),
        cmocka_unit_test(test_parse_refuses),      cmocka_unit_test(test_dump_is_canonical),
        cmocka_unit_test(test_text_is_made_valid), cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
