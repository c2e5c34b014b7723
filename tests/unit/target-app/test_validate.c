/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct kit_field fields[] = {
    {"name", KIT_FIELD_LINE, true, 1, 5},
    {"email", KIT_FIELD_EMAIL, false, 3, 254},
    {"age", KIT_FIELD_INTEGER, false, 0, 150},
    {"share", KIT_FIELD_NUMBER, false, 0, 1},
};

/* "CODE:field CODE:field" of what is wrong with body. */
static void verdict(const char *body, const char *wanted)
{
    struct kit_errors errors = {.count = 0};
    json_t *value = kit_json_parse(body, strlen(body), &errors);
    bool ok =
        value != NULL && kit_validate(value, fields, sizeof fields / sizeof fields[0], &errors);
    struct base_buf out;
    base_buf_init(&out, 4096);
    for (size_t i = 0; i < errors.count; i++)
        base_buf_printf(&out, "%s%s:%s", i > 0 ? " " : "", errors.items[i].code,
                        errors.items[i].field != NULL ? errors.items[i].field : "");
    assert_string_equal(out.data, wanted);
    assert_int_equal(ok, errors.count == 0);
    base_buf_fini(&out);
    kit_errors_fini(&errors);
    json_decref(value);
}

static void test_good(void **state)
{
    (void)state;
    verdict("{\"name\":\"a\"}", "");
    verdict("{\"name\":\"\xc3\x9f\xc3\x9f\xc3\x9f\xc3\x9f\xc3\x9f\",\"age\":0,\"share\":1}", "");
    verdict(" {\"name\":\"a b\",\"email\":\"x@y.de\",\"age\":150,\"share\":0.5} ", "");
}

static void test_each_mistake(void **state)
{
    (void)state;
    verdict("{\"name\":\"\"}", "TOO_SHORT:name");
    verdict("{\"name\":\"abcdef\"}", "TOO_LONG:name");
    verdict("{\"name\":\"  \"}", "INVALID_FORMAT:name");
    verdict("{\"name\":\"a\\u001b\"}", "INVALID_FORMAT:name");
    verdict("{\"name\":\"a\\u0085\"}", "INVALID_FORMAT:name");
    verdict("{\"name\":\"a\",\"age\":1.0}", "WRONG_TYPE:age");
    verdict("{\"name\":\"a\",\"age\":151}", "OUT_OF_RANGE:age");
    verdict("{\"name\":\"a\",\"share\":-0.1}", "OUT_OF_RANGE:share");
    verdict("{\"name\":\"a\",\"share\":true}", "WRONG_TYPE:share");
}

static void test_all_mistakes_in_one_pass(void **state)
{
    (void)state;
    verdict("{\"email\":1,\"age\":-1,\"share\":2,\"nam\":0}",
            "REQUIRED:name WRONG_TYPE:email OUT_OF_RANGE:age OUT_OF_RANGE:share "
            "UNKNOWN_FIELD:nam");
}

static void test_not_an_object_and_not_json(void **state)
{
    (void)state;
    verdict("[]", "NOT_AN_OBJECT:");
    verdict("7", "NOT_AN_OBJECT:");
    verdict("", "INVALID_JSON:");
    verdict("{\"name\":\"a\",\"name\":\"b\"}", "INVALID_JSON:");
    verdict("{\"name\":\"\xff\"}", "INVALID_JSON:");
    verdict("{\"name\":\"a\"}}", "INVALID_JSON:");
}

static void test_emails(void **state)
{
    (void)state;
    static const char *const good[] = {"a@b.de", "first.last+tag@sub.example.org", "o'neil@x-y.io",
                                       "1@2.3x"};
    static const char *const bad[] = {
        "",        "a",        "@b.de",    "a@",      "a@b",       "a@b.",
        "a@.de",   "a@b..de",  ".a@b.de",  "a.@b.de", "a..b@c.de", "a@-b.de",
        "a@b-.de", "a b@c.de", "a@b@c.de", "a@b.de ", "a@b_c.de",  "\xc3\xa4@b.de"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(kit_email_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(kit_email_valid(bad[i]));
    char local[128] = {0};
    memset(local, 'x', 64);
    memcpy(local + 64, "@b.de", 6);
    assert_true(kit_email_valid(local));
    memset(local, 'x', 65);
    memcpy(local + 65, "@b.de", 6);
    assert_false(kit_email_valid(local));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_each_mistake),
        cmocka_unit_test(test_all_mistakes_in_one_pass),
        cmocka_unit_test(test_not_an_object_and_not_json),
        cmocka_unit_test(test_emails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
