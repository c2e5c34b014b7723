/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/template.h"

/* What a template was understood as: its texts in quotes, its fields in angles with their filter.
 */
static void spell(const struct template *template, char *out, size_t size)
{
    static const char *const filters[] = {"", "|url", "|json"};
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];
        len += (size_t)snprintf(out + len, size - len, part->field ? "<%s%s>" : "'%s%s'",
                                part->text, filters[part->filter]);
    }
}

static void test_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *parts;
    } cases[] = {
        {"", ""},
        {"plain", "'plain'"},
        {"{{id}}", "<id>"},
        {"/users/{{id}}/x", "'/users/'<id>'/x'"},
        {"{{a}}{{b}}", "<a><b>"},
        {"{{ a }}", "<a>"},
        {"{{a|url}}{{ b | json }}", "<a|url><b|json>"},
        {"{{people.e-mail_2}}", "<people.e-mail_2>"},
        {"{\"a\":{\"b\":{{x}}}}", "'{\"a\":{\"b\":'<x>'}}'"},
        {"{ {a}} }}", "'{ {a}} }}'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct template template;
        struct base_error err;
        char spelt[200];
        if (!template_parse(cases[i].text, &template, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        spell(&template, spelt, sizeof spelt);
        assert_string_equal(spelt, cases[i].parts);
        template_fini(&template);
    }
}

static void test_slips_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{{",     "{{}}",   "{{id",   "{{id}",   "{{1}}",     "{{a b}}",     "{{a|xml}}",
        "{{a|}}", "{{a.}}", "{{.b}}", "{{{a}}}", "{{a.b.c}}", "ok {{a}} {{", "{{a|url|json}}"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct template template = {.count = 77};
        struct base_error err = {.message = ""};
        if (template_parse(cases[i], &template, &err))
            fail_msg("%s was taken", cases[i]);
        assert_int_equal(err.code, BASE_INVALID);
        assert_non_null(strstr(err.message, "is no field"));
        assert_int_equal(template.count, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_understood),
        cmocka_unit_test(test_slips_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
