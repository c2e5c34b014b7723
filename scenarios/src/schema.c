/* SPDX-License-Identifier: Apache-2.0 */
/* The table of fields as JSON Schema and as help. */
#include "scenarios/schema.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "fields.h"
#include "model/json.h"

enum { HELP_MAX = 1 << 20 };

static json_t *shape_schema(const struct scn_shape *shape);

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

static json_t *words_schema(const struct scn_words *words)
{
    json_t *list = json_array();
    for (size_t i = 0; words != NULL && i < words->count; i++)
        json_array_append_new(list, json_string(words->words[i].name));
    return json_pack("{s:o}", "enum", list);
}

static json_t *integer_schema(const struct scn_field *field)
{
    json_t *schema = json_pack("{s:s}", "type", "integer");
    int64_t limit;
    if (field->min != NULL && base_parse_i64(field->min, &limit))
        set(schema, "minimum", json_integer(limit));
    if (field->max != NULL && base_parse_i64(field->max, &limit))
        set(schema, "maximum", json_integer(limit));
    return schema;
}

static json_t *scalar_schema(const struct scn_field *field)
{
    if (field->type == SCN_WORD)
        return words_schema(field->words);
    if (field->type == SCN_INTEGER)
        return integer_schema(field);
    if (field->type == SCN_PORT)
        return json_pack("{s:s,s:i,s:i}", "type", "integer", "minimum", 1, "maximum", UINT16_MAX);
    if (field->type == SCN_BOOLEAN)
        return json_pack("{s:s}", "type", "boolean");
    const struct scn_scalar *scalar = scn_scalar_of(field->type);
    json_t *schema =
        json_pack("{s:s,s:I}", "type", "string", "maxLength", (json_int_t)scalar->max_len);
    if (scalar->pattern != NULL)
        set(schema, "pattern", json_string(scalar->pattern));
    return schema;
}

static json_t *list_schema(const struct scn_field *field, json_t *items)
{
    json_t *schema = json_pack("{s:s,s:o}", "type", "array", "items", items);
    if (field->least > 0)
        set(schema, "minItems", json_integer((json_int_t)field->least));
    if (field->most > 0)
        set(schema, "maxItems", json_integer((json_int_t)field->most));
    return schema;
}

static json_t *texts_schema(const struct scn_field *field)
{
    const struct scn_field item = {.type = field->item};
    json_t *schema = list_schema(field, scalar_schema(&item));
    if (!field->repeats)
        set(schema, "uniqueItems", json_true());
    return schema;
}

static json_t *headers_schema(const struct scn_field *field)
{
    static const struct scn_field item = {.type = SCN_HEADER};
    return json_pack("{s:s,s:I,s:{s:s},s:o}", "type", "object", "maxProperties",
                     (json_int_t)field->most, "propertyNames", "pattern", scn_header_name_pattern,
                     "additionalProperties", scalar_schema(&item));
}

static json_t *value_schema(const struct scn_field *field)
{
    if (field->refused != NULL)
        return json_pack("{s:{}}", "not");
    if (field->type < SCN_SCALARS)
        return scalar_schema(field);
    if (field->type == SCN_TEXTS)
        return texts_schema(field);
    if (field->type == SCN_HEADERS)
        return headers_schema(field);
    if (field->type == SCN_OBJECTS)
        return list_schema(field, shape_schema(field->shape));
    if (field->type == SCN_WORD_OR_OBJECT)
        return json_pack("{s:[o,o]}", "oneOf", words_schema(field->words),
                         shape_schema(field->shape));
    return shape_schema(field->shape);
}

/* What a pattern cannot say stands in the description. */
static void describe(json_t *schema, const struct scn_field *field)
{
    BASE_AUTO_FREE char *range = scn_range(field);
    BASE_AUTO_FREE char *text = range == NULL
                                    ? base_str_dup(field->help)
                                    : base_str_printf("%s Range: %s.", field->help, range);
    set(schema, "description", json_string(text));
    int64_t number;
    if (field->fallback == NULL || field->type == SCN_OBJECT)
        return;
    if (field->type == SCN_INTEGER && base_parse_i64(field->fallback, &number))
        set(schema, "default", json_integer(number));
    else if (field->type == SCN_BOOLEAN)
        set(schema, "default", json_boolean(field->fallback[0] == 't'));
    else
        set(schema, "default", json_string(field->fallback));
}

/* {"if": the first field has this word (or, when that is its default, is left out),
 *  "then": the field may and perhaps must be there, "else": it must not}. */
static json_t *only_rule(const struct scn_shape *shape, const struct scn_field *field)
{
    const struct scn_field *first = &shape->fields[0];
    json_t *when = json_pack("{s:{s:{s:s}}}", "properties", first->key, "const", field->only);
    if (first->fallback == NULL || strcmp(first->fallback, field->only) != 0)
        set(when, "required", json_pack("[s]", first->key));
    json_t *rule =
        json_pack("{s:o,s:{s:{s:[s]}}}", "if", when, "else", "not", "required", field->key);
    if (field->required)
        set(rule, "then", json_pack("{s:[s]}", "required", field->key));
    return rule;
}

static void add_rules(json_t *schema, const struct scn_shape *shape)
{
    json_t *required = json_array();
    json_t *choices = json_array();
    json_t *rules = json_array();
    for (size_t i = 0; i < shape->count; i++) {
        const struct scn_field *field = &shape->fields[i];
        if (field->required && field->only == NULL)
            json_array_append_new(required, json_string(field->key));
        if (field->choice != 0)
            json_array_append_new(choices, json_pack("{s:[s]}", "required", field->key));
        if (field->only != NULL)
            json_array_append_new(rules, only_rule(shape, field));
    }
    if (json_array_size(required) > 0)
        json_object_set(schema, "required", required);
    if (json_array_size(choices) > 0)
        json_object_set(schema, "oneOf", choices);
    if (json_array_size(rules) > 0)
        json_object_set(schema, "allOf", rules);
    json_decref(required);
    json_decref(choices);
    json_decref(rules);
}

static json_t *shape_schema(const struct scn_shape *shape)
{
    json_t *properties = json_object();
    for (size_t i = 0; i < shape->count; i++) {
        json_t *schema = value_schema(&shape->fields[i]);
        describe(schema, &shape->fields[i]);
        set(properties, shape->fields[i].key, schema);
    }
    json_t *schema = json_pack("{s:s,s:b,s:o}", "type", "object", "additionalProperties", 0,
                               "properties", properties);
    add_rules(schema, shape);
    return schema;
}

char *scn_schema_text(void)
{
    json_t *schema = shape_schema(&scn_scenario_shape);
    set(schema, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
    set(schema, "title", json_string("squall scenario, squall/v1"));
    char *text = model_json_dump(schema);
    json_decref(schema);
    return text;
}

/* ---- help ---- */

static void help_field(struct base_buf *out, const struct scn_field *field, const char *path)
{
    BASE_AUTO_FREE char *type =
        field->refused != NULL ? base_str_dup("nothing") : scn_expected(field);
    BASE_AUTO_FREE char *range = scn_range(field);
    base_buf_printf(out, "%s\n    %s\n    %s", path, field->help, type);
    if (range != NULL)
        base_buf_printf(out, "; %s", range);
    if (field->required)
        base_buf_str(out, "; required");
    else if (field->choice != 0)
        base_buf_str(out, "; exactly one of its kind");
    else if (field->fallback != NULL && field->type != SCN_OBJECT)
        base_buf_printf(out, "; default %s", *field->fallback != '\0' ? field->fallback : "empty");
    if (field->only != NULL)
        base_buf_printf(out, "; only %s", field->only);
    base_buf_char(out, '\n');
}

static void help_shape(struct base_buf *out, const struct scn_shape *shape, const char *path)
{
    for (size_t i = 0; i < shape->count; i++) {
        const struct scn_field *field = &shape->fields[i];
        BASE_AUTO_FREE char *inner =
            base_str_printf("%s%s%s%s", path, *path != '\0' ? "." : "", field->key,
                            field->type == SCN_OBJECTS ? "[]" : "");
        help_field(out, field, inner);
        if (field->shape != NULL)
            help_shape(out, field->shape, inner);
    }
}

char *scn_schema_help(void)
{
    struct base_buf out;
    base_buf_init(&out, HELP_MAX);
    help_shape(&out, &scn_scenario_shape, "");
    char *text = base_buf_steal(&out);
    return text != NULL ? text : base_str_dup("");
}
