/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/validate.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

json_t *kit_json_parse(const char *body, size_t len, struct kit_errors *errors)
{
    json_error_t error;
    json_t *value = json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL)
        kit_errors_add(errors, "INVALID_JSON", NULL, "line %d, column %d: %s", error.line,
                       error.column, error.text);
    return value;
}

/* atext of RFC 5322 section 3.2.3; quoted local parts are legal but nobody's address. */
static bool local_part_valid(const char *text, size_t len)
{
    if (len == 0 || len > 64 || text[0] == '.' || text[len - 1] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.' && text[i + 1] == '.')
            return false;
        if (!isalnum((unsigned char)text[i]) && strchr(".!#$%&'*+/=?^_`{|}~-", text[i]) == NULL)
            return false;
    }
    return true;
}

/* Labels of RFC 1035 section 2.3.1, two at least. */
static bool domain_valid(const char *text)
{
    size_t labels = 0;
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, ".");
        if (len == 0 || len > 63 || p[0] == '-' || p[len - 1] == '-')
            return false;
        for (size_t i = 0; i < len; i++) {
            if (!isalnum((unsigned char)p[i]) && p[i] != '-')
                return false;
        }
        labels++;
        p += len;
        if (*p == '\0')
            return labels >= 2;
    }
}

bool kit_email_valid(const char *text)
{
    const char *at = strchr(text, '@');
    return at != NULL && strlen(text) <= 254 && local_part_valid(text, (size_t)(at - text)) &&
           domain_valid(at + 1);
}

/* jansson hands out well-formed UTF-8 only, so each byte that is no continuation is a letter. */
static size_t code_points(const char *text)
{
    size_t n = 0;
    for (const char *p = text; *p != '\0'; p++)
        n += ((unsigned char)*p & 0xc0U) != 0x80U;
    return n;
}

static bool has_control(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)p[0];
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)p[1] < 0xa0)) /* C0, DEL, C1 */
            return true;
    }
    return false;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " ")] == '\0';
}

static void check_text(const struct kit_field *field, const json_t *value,
                       struct kit_errors *errors)
{
    if (!json_is_string(value)) {
        kit_errors_add(errors, "WRONG_TYPE", field->name, "%s must be a string", field->name);
        return;
    }
    const char *text = json_string_value(value);
    size_t length = field->type == KIT_FIELD_EMAIL ? strlen(text) : code_points(text);
    if (field->type == KIT_FIELD_LINE && length > 0 && (is_blank(text) || has_control(text)))
        kit_errors_add(errors, "INVALID_FORMAT", field->name,
                       "%s must not be blank nor hold control characters", field->name);
    else if ((double)length < field->min)
        kit_errors_add(errors, "TOO_SHORT", field->name, "%s must have at least %.0f characters",
                       field->name, field->min);
    else if ((double)length > field->max)
        kit_errors_add(errors, "TOO_LONG", field->name, "%s must have at most %.0f characters",
                       field->name, field->max);
    else if (field->type == KIT_FIELD_EMAIL && !kit_email_valid(text))
        kit_errors_add(errors, "INVALID_FORMAT", field->name,
                       "%s must be an address such as name@example.com", field->name);
}

static void check_number(const struct kit_field *field, const json_t *value,
                         struct kit_errors *errors)
{
    bool whole = field->type == KIT_FIELD_INTEGER;
    if (whole ? !json_is_integer(value) : !json_is_number(value)) {
        kit_errors_add(errors, "WRONG_TYPE", field->name, "%s must be %s", field->name,
                       whole ? "a whole number" : "a number");
        return;
    }
    double number = json_number_value(value);
    if (!(number >= field->min && number <= field->max))
        kit_errors_add(errors, "OUT_OF_RANGE", field->name, "%s must be from %.12g to %.12g",
                       field->name, field->min, field->max);
}

static const struct kit_field *find(const struct kit_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    }
    return NULL;
}

static void refuse_unknown(const json_t *body, const struct kit_field *fields, size_t count,
                           struct kit_errors *errors)
{
    const char *names[KIT_ERRORS_MAX];
    for (size_t i = 0; i < count && i < KIT_ERRORS_MAX; i++)
        names[i] = fields[i].name;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)body, key, value)
    {
        if (find(fields, count, key) != NULL)
            continue;
        const char *near = strlen(key) < 64 ? base_str_nearest(key, names, count) : NULL;
        if (near != NULL)
            kit_errors_add(errors, "UNKNOWN_FIELD", key, "unknown field; did you mean %s?", near);
        else
            kit_errors_add(errors, "UNKNOWN_FIELD", key, "unknown field; remove it");
    }
}

bool kit_validate(const json_t *body, const struct kit_field *fields, size_t count,
                  struct kit_errors *errors)
{
    size_t before = errors->count;
    if (!json_is_object(body)) {
        kit_errors_add(errors, "NOT_AN_OBJECT", NULL, "the body must be a JSON object");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(body, fields[i].name);
        if (value == NULL && fields[i].required)
            kit_errors_add(errors, "REQUIRED", fields[i].name, "%s is missing", fields[i].name);
        if (value == NULL)
            continue;
        if (fields[i].type == KIT_FIELD_LINE || fields[i].type == KIT_FIELD_EMAIL)
            check_text(&fields[i], value, errors);
        else
            check_number(&fields[i], value, errors);
    }
    refuse_unknown(body, fields, count, errors);
    return errors->count == before;
}
