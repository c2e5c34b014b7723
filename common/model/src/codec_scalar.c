/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that hold one text, number or word. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "codec_ops.h"
#include "model/expectation.h"

/* ---- text ---- */

static bool plain(const char *text, const char *refused)
{
    if (*text == '\0')
        return false;
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f || strchr(refused, *p) != NULL)
            return false;
    }
    return true;
}

static bool method(const char *text)
{
    return *text != '\0' && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(text);
}

static bool form_ok(enum codec_form form, const char *text, const char **expected)
{
    switch (form) {
    case FORM_ANY:
        return true;
    case FORM_NAME:
        *expected = "text that is not empty";
        return *text != '\0';
    case FORM_TAG:
        *expected = "a name without '/', ',', spaces or control characters";
        return plain(text, "/, ");
    case FORM_METHOD:
        *expected = "a method in capital letters";
        return method(text);
    case FORM_PATH:
        *expected = "a path that starts with '/', without spaces or control characters";
        return *text == '/' && plain(text, " ");
    case FORM_LINE:
        *expected = "text without control characters";
        return plain(text, "");
    }
    return false;
}

bool codec_check_form(const struct codec_field *field, const char *where, const char *text,
                      struct base_error *err)
{
    const char *expected = "";
    return form_ok(field->form, text, &expected) ||
           base_fail(err, BASE_INVALID, "%s.%s: expected %s, found \"%.80s\"", where, field->key,
                     expected, text);
}

static bool get_text(const json_t *object, const char *where, const struct codec_field *field,
                     void *base, struct base_error *err)
{
    char **out = codec_at(field, base);
    return model_get_text(object, where, field->key, out, err) &&
           codec_check_form(field, where, *out, err);
}

static bool get_text_or_null(const json_t *object, const char *where,
                             const struct codec_field *field, void *base, struct base_error *err)
{
    char **out = codec_at(field, base);
    return model_get_text_or(object, where, field->key, NULL, out, err) &&
           (*out == NULL || codec_check_form(field, where, *out, err));
}

static json_t *put_text(const struct codec_field *field, const void *base)
{
    return model_json_text(*(char *const *)codec_at_const(field, base));
}

static void copy_text(const struct codec_field *field, void *out, const void *base)
{
    *(char **)codec_at(field, out) = base_str_dup(*(char *const *)codec_at_const(field, base));
}

static void fini_text(const struct codec_field *field, void *base)
{
    free(*(char **)codec_at(field, base));
}

/* ---- numbers ---- */

static bool get_bool(const json_t *object, const char *where, const struct codec_field *field,
                     void *base, struct base_error *err)
{
    return model_get_bool(object, where, field->key, codec_at(field, base), err);
}

static json_t *put_bool(const struct codec_field *field, const void *base)
{
    return json_boolean(*(const bool *)codec_at_const(field, base));
}

static bool get_number(const json_t *object, const char *where, const struct codec_field *field,
                       int64_t type_max, int64_t *out, struct base_error *err)
{
    int64_t max = field->max != 0 ? field->max : type_max;
    return model_get_i64(object, where, field->key, field->min, max, out, err);
}

static bool get_int(const json_t *object, const char *where, const struct codec_field *field,
                    void *base, struct base_error *err)
{
    int64_t number;
    if (!get_number(object, where, field, INT_MAX, &number, err))
        return false;
    *(int *)codec_at(field, base) = (int)number;
    return true;
}

static json_t *put_int(const struct codec_field *field, const void *base)
{
    return json_integer(*(const int *)codec_at_const(field, base));
}

static bool get_u16(const json_t *object, const char *where, const struct codec_field *field,
                    void *base, struct base_error *err)
{
    int64_t number;
    if (!get_number(object, where, field, UINT16_MAX, &number, err))
        return false;
    *(uint16_t *)codec_at(field, base) = (uint16_t)number;
    return true;
}

static json_t *put_u16(const struct codec_field *field, const void *base)
{
    return json_integer(*(const uint16_t *)codec_at_const(field, base));
}

static bool get_u32(const json_t *object, const char *where, const struct codec_field *field,
                    void *base, struct base_error *err)
{
    int64_t number;
    if (!get_number(object, where, field, UINT32_MAX, &number, err))
        return false;
    *(uint32_t *)codec_at(field, base) = (uint32_t)number;
    return true;
}

static json_t *put_u32(const struct codec_field *field, const void *base)
{
    return json_integer(*(const uint32_t *)codec_at_const(field, base));
}

static bool get_u64(const json_t *object, const char *where, const struct codec_field *field,
                    void *base, struct base_error *err)
{
    return model_get_u64(object, where, field->key, UINT64_MAX, codec_at(field, base), err);
}

/* As model_get_u64 reads it: beyond 2^63-1 as decimal text. */
static json_t *u64_value(uint64_t number)
{
    if (number <= (uint64_t)INT64_MAX)
        return json_integer((json_int_t)number);
    return json_sprintf("%llu", (unsigned long long)number);
}

static json_t *put_u64(const struct codec_field *field, const void *base)
{
    return u64_value(*(const uint64_t *)codec_at_const(field, base));
}

static bool get_i64(const json_t *object, const char *where, const struct codec_field *field,
                    void *base, struct base_error *err)
{
    return get_number(object, where, field, INT64_MAX, codec_at(field, base), err);
}

static json_t *put_i64(const struct codec_field *field, const void *base)
{
    return json_integer(*(const int64_t *)codec_at_const(field, base));
}

static bool get_real(const json_t *object, const char *where, const struct codec_field *field,
                     void *base, struct base_error *err)
{
    static const char *const expected[] = {
        [RANGE_ANY] = "a number",
        [RANGE_SHARE] = "0 to 1",
        [RANGE_OPEN] = "more than 0 and less than 1",
        [RANGE_POSITIVE] = "more than 0",
    };
    double number;
    if (!model_get_real(object, where, field->key, &number, err))
        return false;
    bool ok = field->range == RANGE_ANY ||
              (field->range == RANGE_SHARE && number >= 0 && number <= 1) ||
              (field->range == RANGE_OPEN && number > 0 && number < 1) ||
              (field->range == RANGE_POSITIVE && number > 0);
    if (!ok)
        return base_fail(err, BASE_INVALID, "%s.%s: %g is out of range, expected %s", where,
                         field->key, number, expected[field->range]);
    *(double *)codec_at(field, base) = number;
    return true;
}

static bool get_real_or_null(const json_t *object, const char *where,
                             const struct codec_field *field, void *base, struct base_error *err)
{
    if (json_is_null(json_object_get(object, field->key))) {
        *(double *)codec_at(field, base) = (double)NAN;
        return true;
    }
    return get_real(object, where, field, base, err);
}

/* JSON has no NaN: null, which a field that needs a number refuses when it is read. */
static json_t *put_real(const struct codec_field *field, const void *base)
{
    double number = *(const double *)codec_at_const(field, base);
    return isfinite(number) ? json_real(number) : json_null();
}

/* ---- words ---- */

static bool unknown_word(const struct codec_field *field, const char *where, const char *word,
                         struct base_error *err)
{
    BASE_AUTO_BUF struct base_buf list;
    base_buf_init(&list, 512);
    for (size_t i = 0; i < field->words->count; i++)
        base_buf_printf(&list, "%s%s", i > 0 ? ", " : "", field->words->names[i]);
    return base_fail(err, BASE_INVALID, "%s.%s: unknown word \"%.80s\", expected one of %s", where,
                     field->key, word, list.data);
}

static bool get_word(const json_t *object, const char *where, const struct codec_field *field,
                     void *base, struct base_error *err)
{
    BASE_AUTO_FREE char *word = NULL;
    size_t value;
    if (!model_get_text(object, where, field->key, &word, err))
        return false;
    if (!codec_word_parse(field->words, word, &value))
        return unknown_word(field, where, word, err);
    *(unsigned *)codec_at(field, base) = (unsigned)value;
    return true;
}

static json_t *put_word(const struct codec_field *field, const void *base)
{
    return json_string(codec_word(field->words, *(const unsigned *)codec_at_const(field, base)));
}

static bool get_counts(const json_t *object, const char *where, const struct codec_field *field,
                       void *base, struct base_error *err)
{
    const json_t *counts = model_get_object(object, where, field->key, err);
    char inner[CODEC_WHERE_MAX];
    if (counts == NULL)
        return false;
    (void)snprintf(inner, sizeof inner, "%s.%s", where, field->key);
    uint64_t *out = codec_at(field, base);
    for (size_t i = 0; i < field->words->count; i++) {
        bool late = field->words->early > 0 && i >= field->words->early;
        if (late && json_object_get(counts, field->words->names[i]) == NULL)
            continue;
        if (!model_get_u64(counts, inner, field->words->names[i], UINT64_MAX, &out[i], err))
            return false;
    }
    return true;
}

static json_t *put_counts(const struct codec_field *field, const void *base)
{
    const uint64_t *counts = codec_at_const(field, base);
    json_t *object = json_object();
    for (size_t i = 0; i < field->words->count; i++)
        json_object_set_new(object, field->words->names[i], u64_value(counts[i]));
    return object;
}

static bool get_expectation(const json_t *object, const char *where,
                            const struct codec_field *field, void *base, struct base_error *err)
{
    BASE_AUTO_FREE char *text = NULL;
    if (!model_get_text(object, where, field->key, &text, err))
        return false;
    return expectation_parse(text, codec_at(field, base), err) ||
           base_fail_context(err, "%s.%s", where, field->key);
}

static json_t *put_expectation(const struct codec_field *field, const void *base)
{
    char text[EXPECT_TEXT];
    expectation_format(codec_at_const(field, base), text);
    return json_string(text);
}

/* ---- the table of types ---- */

static const struct codec_ops table[] = {
    [CODEC_TEXT] = {get_text, put_text, copy_text, fini_text},
    [CODEC_TEXT_OR_NULL] = {get_text_or_null, put_text, copy_text, fini_text},
    [CODEC_BOOL] = {get_bool, put_bool, NULL, NULL},
    [CODEC_INT] = {get_int, put_int, NULL, NULL},
    [CODEC_U16] = {get_u16, put_u16, NULL, NULL},
    [CODEC_U32] = {get_u32, put_u32, NULL, NULL},
    [CODEC_U64] = {get_u64, put_u64, NULL, NULL},
    [CODEC_I64] = {get_i64, put_i64, NULL, NULL},
    [CODEC_NS] = {get_i64, put_i64, NULL, NULL},
    [CODEC_REAL] = {get_real, put_real, NULL, NULL},
    [CODEC_REAL_OR_NULL] = {get_real_or_null, put_real, NULL, NULL},
    [CODEC_WORD] = {get_word, put_word, NULL, NULL},
    [CODEC_COUNTS] = {get_counts, put_counts, NULL, NULL},
    [CODEC_EXPECTATION] = {get_expectation, put_expectation, NULL, NULL},
};

const struct codec_ops *codec_scalar_ops(enum codec_type type)
{
    return (size_t)type < CODEC_COUNT(table) && table[type].get != NULL ? &table[type] : NULL;
}
