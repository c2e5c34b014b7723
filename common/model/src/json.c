/* SPDX-License-Identifier: Apache-2.0 */
#include "model/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"

/* jansson itself stops at 2048 levels; no file of ours comes near this, and every reader of a value
 * recurses as deep as it goes. */
enum { MAX_DEPTH = 64 };

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "text";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a real number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "an unknown type";
}

/* The member, or NULL with an error when object is none or has no such key. */
static const json_t *member(const json_t *object, const char *where, const char *key,
                            const char *expected, struct base_error *err)
{
    if (!json_is_object(object)) {
        base_fail(err, BASE_INVALID, "%s: expected an object, found %s", where,
                  object == NULL ? "nothing" : type_name(object));
        return NULL;
    }
    const json_t *value = json_object_get(object, key);
    if (value == NULL)
        base_fail(err, BASE_INVALID, "%s: key \"%s\" is missing, expected %s", where, key,
                  expected);
    return value;
}

static bool wrong_type(const json_t *value, const char *where, const char *key,
                       const char *expected, struct base_error *err)
{
    return base_fail(err, BASE_INVALID, "%s.%s: expected %s, found %s", where, key, expected,
                     type_name(value));
}

static void replace_text(char **out, const char *text)
{
    char *copy = base_str_dup(text);
    free(*out);
    *out = copy;
}

bool model_get_text(const json_t *object, const char *where, const char *key, char **out,
                    struct base_error *err)
{
    const json_t *value = member(object, where, key, "text", err);
    if (value == NULL)
        return false;
    if (!json_is_string(value))
        return wrong_type(value, where, key, "text", err);
    replace_text(out, json_string_value(value));
    return true;
}

bool model_get_text_or(const json_t *object, const char *where, const char *key,
                       const char *fallback, char **out, struct base_error *err)
{
    const json_t *value = json_is_object(object) ? json_object_get(object, key) : NULL;
    if (json_is_object(object) && (value == NULL || json_is_null(value))) {
        replace_text(out, fallback);
        return true;
    }
    return model_get_text(object, where, key, out, err);
}

bool model_get_i64(const json_t *object, const char *where, const char *key, int64_t min,
                   int64_t max, int64_t *out, struct base_error *err)
{
    const json_t *value = member(object, where, key, "an integer", err);
    if (value == NULL)
        return false;
    if (!json_is_integer(value))
        return wrong_type(value, where, key, "an integer", err);
    int64_t number = (int64_t)json_integer_value(value);
    if (number < min || number > max)
        return base_fail(err, BASE_INVALID, "%s.%s: %lld is out of range, expected %lld to %lld",
                         where, key, (long long)number, (long long)min, (long long)max);
    *out = number;
    return true;
}

/* JSON numbers of jansson end at 2^63-1; larger ones travel as decimal text. */
static bool large_u64(const json_t *value, uint64_t *out)
{
    return json_is_string(value) && base_parse_u64(json_string_value(value), out) &&
           *out > (uint64_t)INT64_MAX;
}

bool model_get_u64(const json_t *object, const char *where, const char *key, uint64_t max,
                   uint64_t *out, struct base_error *err)
{
    const json_t *value = member(object, where, key, "an integer", err);
    uint64_t number;
    if (value == NULL)
        return false;
    if (!large_u64(value, &number)) {
        if (!json_is_integer(value))
            return wrong_type(value, where, key, "an integer", err);
        if (json_integer_value(value) < 0)
            return base_fail(err, BASE_INVALID, "%s.%s: %lld is out of range, expected 0 to %llu",
                             where, key, (long long)json_integer_value(value),
                             (unsigned long long)max);
        number = (uint64_t)json_integer_value(value);
    }
    if (number > max)
        return base_fail(err, BASE_INVALID, "%s.%s: %llu is out of range, expected 0 to %llu",
                         where, key, (unsigned long long)number, (unsigned long long)max);
    *out = number;
    return true;
}

bool model_get_real(const json_t *object, const char *where, const char *key, double *out,
                    struct base_error *err)
{
    const json_t *value = member(object, where, key, "a number", err);
    if (value == NULL)
        return false;
    if (!json_is_number(value))
        return wrong_type(value, where, key, "a number", err);
    double number = json_number_value(value);
    if (!isfinite(number))
        return base_fail(err, BASE_INVALID, "%s.%s: expected a finite number", where, key);
    *out = number;
    return true;
}

bool model_get_bool(const json_t *object, const char *where, const char *key, bool *out,
                    struct base_error *err)
{
    const json_t *value = member(object, where, key, "true or false", err);
    if (value == NULL)
        return false;
    if (!json_is_boolean(value))
        return wrong_type(value, where, key, "true or false", err);
    *out = json_is_true(value);
    return true;
}

bool model_get_dur(const json_t *object, const char *where, const char *key, struct dur_ns *out,
                   struct base_error *err)
{
    return model_get_i64(object, where, key, 0, INT64_MAX, &out->ns, err);
}

const json_t *model_get_object(const json_t *object, const char *where, const char *key,
                               struct base_error *err)
{
    const json_t *value = member(object, where, key, "an object", err);
    if (value != NULL && !json_is_object(value)) {
        wrong_type(value, where, key, "an object", err);
        return NULL;
    }
    return value;
}

const json_t *model_get_array(const json_t *object, const char *where, const char *key,
                              struct base_error *err)
{
    const json_t *value = member(object, where, key, "an array", err);
    if (value != NULL && !json_is_array(value)) {
        wrong_type(value, where, key, "an array", err);
        return NULL;
    }
    return value;
}

/* Brackets outside of strings; the parser finds everything else that is wrong. */
static bool too_deep(const char *text, size_t len)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        if (quoted && text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && (text[i] == '{' || text[i] == '[')) {
            if (++depth > MAX_DEPTH)
                return true;
        } else if (!quoted && (text[i] == '}' || text[i] == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

json_t *model_json_parse(const char *text, size_t len, const char *where, struct base_error *err)
{
    if (too_deep(text, len)) {
        base_fail(err, BASE_CORRUPT, "%s: JSON nested deeper than %d levels", where, MAX_DEPTH);
        return NULL;
    }
    json_error_t error;
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        base_fail(err, BASE_CORRUPT, "%s:%d:%d: not valid JSON: %s", where, error.line,
                  error.column, error.text);
    return value;
}

json_t *model_json_read(const char *path, size_t max, struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, max);
    if (!base_file_read(path, &buf, err))
        return NULL;
    return model_json_parse(buf.data, buf.len, path, err);
}

static char *dump(const json_t *value, size_t flags)
{
    char *text = json_dumps(value, flags | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    /* What json_t holds always encodes; only no value at all does not. */
    return text != NULL ? text : base_str_dup("null");
}

char *model_json_dump(const json_t *value)
{
    BASE_AUTO_FREE char *text = dump(value, JSON_INDENT(2));
    return base_str_printf("%s\n", text);
}

char *model_json_dump_line(const json_t *value)
{
    return dump(value, JSON_COMPACT);
}

bool model_json_write(const char *path, const json_t *value, struct base_error *err)
{
    BASE_AUTO_FREE char *text = model_json_dump(value);
    return base_file_write(path, text, strlen(text), 0644, err);
}

json_t *model_json_text(const char *text)
{
    if (text == NULL)
        return json_null();
    json_t *value = json_string(text);
    if (value != NULL)
        return value;
    BASE_AUTO_FREE char *clean = base_utf8_clean(text);
    return json_string(clean);
}
