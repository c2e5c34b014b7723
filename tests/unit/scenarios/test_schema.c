/* SPDX-License-Identifier: Apache-2.0 */
/* The schema is checked against a validator in tests/e2e/test_b_schema.py; here: that it and the
 * help speak of every field of the table. */
#include "fixture.h"

#include "fields.h"
#include "scenarios/schema.h"

static void walk(const struct scn_shape *shape, const json_t *schema, const char *path,
                 const char *help, size_t *count)
{
    const json_t *properties = json_object_get(schema, "properties");
    assert_int_equal(json_object_size(properties), shape->count);
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    for (size_t i = 0; i < shape->count; i++) {
        const struct scn_field *field = &shape->fields[i];
        const json_t *property = json_object_get(properties, field->key);
        assert_non_null(property);
        assert_non_null(json_object_get(property, "description"));
        char *inner = base_str_printf("%s%s%s%s", path, *path != '\0' ? "." : "", field->key,
                                      field->type == SCN_OBJECTS ? "[]" : "");
        char *line = base_str_printf("\n%s\n", inner);
        assert_contains(help, line);
        ++*count;
        if (field->type == SCN_OBJECTS)
            walk(field->shape, json_object_get(property, "items"), inner, help, count);
        else if (field->type == SCN_OBJECT)
            walk(field->shape, property, inner, help, count);
        free(line);
        free(inner);
    }
}

static void test_nothing_is_left_out(void **state)
{
    (void)state;
    char *text = scn_schema_text();
    char *help = scn_schema_help();
    char *lines = base_str_printf("\n%s", help);
    json_t *schema = json_loads(text, 0, NULL);
    size_t count = 0;
    walk(&scn_scenario_shape, schema, "", lines, &count);
    assert_true(count > 80);
    json_decref(schema);
    free(lines);
    free(help);
    free(text);
}

/* A default or bound that the parser itself refuses would only show once somebody meets it. */
static void check_field(const struct scn_field *field)
{
    const struct scn_scalar *scalar = scn_scalar_of(field->type);
    const char *const texts[] = {field->fallback, field->min, field->max};
    for (size_t i = 0; i < 3; i++) {
        if (texts[i] != NULL && !scn_matches(scalar->pattern, texts[i]))
            fail_msg("%s: %s", field->key, texts[i]);
    }
    if (field->fallback != NULL && !scn_in_range(field, field->fallback))
        fail_msg("%s: the default %s is out of range", field->key, field->fallback);
    assert_false(field->required && field->fallback != NULL);
    assert_non_null(field->help);
}

static void check_shape(const struct scn_shape *shape)
{
    for (size_t i = 0; i < shape->count; i++) {
        check_field(&shape->fields[i]);
        if (shape->fields[i].shape != NULL)
            check_shape(shape->fields[i].shape);
    }
}

static void test_defaults_and_bounds_are_valid(void **state)
{
    (void)state;
    check_shape(&scn_scenario_shape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_left_out),
        cmocka_unit_test(test_defaults_and_bounds_are_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
