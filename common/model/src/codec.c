/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "model/expectation.h"

/* Room for "plan.faults[12].spec.partition" and the like; a longer one is cut, in messages only. */
enum { WHERE_MAX = 256, ELEMENTS_MAX = 1000000 };

const char *codec_word(const struct codec_words *words, size_t value)
{
    return value < words->count ? words->names[value] : "unknown";
}

bool codec_word_parse(const struct codec_words *words, const char *word, size_t *out)
{
    for (size_t i = 0; word != NULL && i < words->count; i++) {
        if (strcmp(words->names[i], word) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static void *at(const struct codec_field *field, void *base)
{
    return (char *)base + field->offset;
}

static const void *at_const(const struct codec_field *field, const void *base)
{
    return (const char *)base + field->offset;
}

static size_t *count_at(const struct codec_field *field, void *base)
{
    return (size_t *)(void *)((char *)base + field->count_offset);
}

static size_t count_of(const struct codec_field *field, const void *base)
{
    return *(const size_t *)(const void *)((const char *)base + field->count_offset);
}

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

static bool check_form(const struct codec_field *field, const char *where, const char *text,
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
    char **out = at(field, base);
    return model_get_text(object, where, field->key, out, err) &&
           check_form(field, where, *out, err);
}

static bool get_text_or_null(const json_t *object, const char *where,
                             const struct codec_field *field, void *base, struct base_error *err)
{
    char **out = at(field, base);
    return model_get_text_or(object, where, field->key, NULL, out, err) &&
           (*out == NULL || check_form(field, where, *out, err));
}

static json_t *put_text(const struct codec_field *field, const void *base)
{
    return model_json_text(*(char *const *)at_const(field, base));
}

static void copy_text(const struct codec_field *field, void *out, const void *base)
{
    *(char **)at(field, out) = base_str_dup(*(char *const *)at_const(field, base));
}

static void fini_text(const struct codec_field *field, void *base)
{
    free(*(char **)at(field, base));
}

/* ---- numbers ---- */

static bool get_bool(const json_t *object, const char *where, const struct codec_field *field,
                     void *base, struct base_error *err)
{
    return model_get_bool(object, where, field->key, at(field, base), err);
}

static json_t *put_bool(const struct codec_field *field, const void *base)
{
    return json_boolean(*(const bool *)at_const(field, base));
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
    *(int *)at(field, base) = (int)number;
    return true;
}

static json_t *put_int(const struct codec_field *field, const void *base)
{
    return json_integer(*(const int *)at_const(field, base));
}

static bool get_u16(const json_t *object, const char *where, const struct codec_field *field,
                    void *base, struct base_error *err)
{
    int64_t number;
    if (!get_number(object, where, field, UINT16_MAX, &number, err))
        return false;
    *(uint16_t *)at(field, base) = (uint16_t)number;
    return true;
}

static json_t *put_u16(const struct codec_field *field, const void *base)
{
    return json_integer(*(const uint16_t *)at_const(field, base));
}

static bool get_u32(const json_t *object, const char *where, const struct codec_field *field,
                    void *base, struct base_error *err)
{
    int64_t number;
    if (!get_number(object, where, field, UINT32_MAX, &number, err))
        return false;
    *(uint32_t *)at(field, base) = (uint32_t)number;
    return true;
}

static json_t *put_u32(const struct codec_field *field, const void *base)
{
    return json_integer(*(const uint32_t *)at_const(field, base));
}

static bool get_u64(const json_t *object, const char *where, const struct codec_field *field,
                    void *base, struct base_error *err)
{
    return model_get_u64(object, where, field->key, UINT64_MAX, at(field, base), err);
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
    return u64_value(*(const uint64_t *)at_const(field, base));
}

static bool get_i64(const json_t *object, const char *where, const struct codec_field *field,
                    void *base, struct base_error *err)
{
    return get_number(object, where, field, INT64_MAX, at(field, base), err);
}

static json_t *put_i64(const struct codec_field *field, const void *base)
{
    return json_integer(*(const int64_t *)at_const(field, base));
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
    *(double *)at(field, base) = number;
    return true;
}

static bool get_real_or_null(const json_t *object, const char *where,
                             const struct codec_field *field, void *base, struct base_error *err)
{
    if (json_is_null(json_object_get(object, field->key))) {
        *(double *)at(field, base) = (double)NAN;
        return true;
    }
    return get_real(object, where, field, base, err);
}

/* JSON has no NaN: null, which a field that needs a number refuses when it is read. */
static json_t *put_real(const struct codec_field *field, const void *base)
{
    double number = *(const double *)at_const(field, base);
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
    *(unsigned *)at(field, base) = (unsigned)value;
    return true;
}

static json_t *put_word(const struct codec_field *field, const void *base)
{
    return json_string(codec_word(field->words, *(const unsigned *)at_const(field, base)));
}

static bool get_counts(const json_t *object, const char *where, const struct codec_field *field,
                       void *base, struct base_error *err)
{
    const json_t *counts = model_get_object(object, where, field->key, err);
    char inner[WHERE_MAX];
    if (counts == NULL)
        return false;
    (void)snprintf(inner, sizeof inner, "%s.%s", where, field->key);
    uint64_t *out = at(field, base);
    for (size_t i = 0; i < field->words->count; i++) {
        if (!model_get_u64(counts, inner, field->words->names[i], UINT64_MAX, &out[i], err))
            return false;
    }
    return true;
}

static json_t *put_counts(const struct codec_field *field, const void *base)
{
    const uint64_t *counts = at_const(field, base);
    json_t *object = json_object();
    for (size_t i = 0; i < field->words->count; i++)
        json_object_set_new(object, field->words->names[i], u64_value(counts[i]));
    return object;
}

/* ---- arrays ---- */

static bool check_count(const struct codec_field *field, const char *where, size_t count,
                        struct base_error *err)
{
    if (count < (size_t)field->min)
        return base_fail(err, BASE_INVALID, "%s.%s: expected at least %lld, found %zu", where,
                         field->key, (long long)field->min, count);
    if (count > ELEMENTS_MAX)
        return base_fail(err, BASE_LIMIT, "%s.%s: expected at most %d elements, found %zu", where,
                         field->key, ELEMENTS_MAX, count);
    return true;
}

static bool get_texts(const json_t *object, const char *where, const struct codec_field *field,
                      void *base, struct base_error *err)
{
    const json_t *array = model_get_array(object, where, field->key, err);
    if (array == NULL || !check_count(field, where, json_array_size(array), err))
        return false;
    size_t count = json_array_size(array);
    char **texts = base_calloc(count, sizeof *texts);
    *(char ***)at(field, base) = texts;
    *count_at(field, base) = count;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (text == NULL)
            return base_fail(err, BASE_INVALID, "%s.%s[%zu]: expected text", where, field->key, i);
        if (!check_form(field, where, text, err))
            return false;
        texts[i] = base_str_dup(text);
    }
    return true;
}

static json_t *put_texts(const struct codec_field *field, const void *base)
{
    char *const *texts = *(char *const *const *)at_const(field, base);
    json_t *array = json_array();
    for (size_t i = 0; i < count_of(field, base); i++)
        json_array_append_new(array, model_json_text(texts[i]));
    return array;
}

static void copy_texts(const struct codec_field *field, void *out, const void *base)
{
    char *const *texts = *(char *const *const *)at_const(field, base);
    size_t count = count_of(field, base);
    char **copy = base_calloc(count, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = base_str_dup(texts[i]);
    *(char ***)at(field, out) = copy;
}

static void fini_texts(const struct codec_field *field, void *base)
{
    char **texts = *(char ***)at(field, base);
    for (size_t i = 0; texts != NULL && i < count_of(field, base); i++)
        free(texts[i]);
    free(texts);
}

static bool decode_into(const struct codec_shape *shape, const json_t *json, const char *where,
                        void *out, struct base_error *err);
static json_t *encode_fields(const struct codec_shape *shape, const void *value);
static void copy_fields(const struct codec_shape *shape, void *out, const void *value);
static void fini_fields(const struct codec_shape *shape, void *value);

static bool get_objects(const json_t *object, const char *where, const struct codec_field *field,
                        void *base, struct base_error *err)
{
    const json_t *array = model_get_array(object, where, field->key, err);
    if (array == NULL || !check_count(field, where, json_array_size(array), err))
        return false;
    size_t count = json_array_size(array);
    char *elements = base_calloc(count, field->shape->size);
    *(void **)at(field, base) = elements;
    *count_at(field, base) = count;
    for (size_t i = 0; i < count; i++) {
        char inner[WHERE_MAX];
        (void)snprintf(inner, sizeof inner, "%s.%s[%zu]", where, field->key, i);
        if (!decode_into(field->shape, json_array_get(array, i), inner,
                         elements + i * field->shape->size, err))
            return false;
    }
    return true;
}

static json_t *put_objects(const struct codec_field *field, const void *base)
{
    const char *elements = *(const char *const *)at_const(field, base);
    json_t *array = json_array();
    for (size_t i = 0; i < count_of(field, base); i++)
        json_array_append_new(array,
                              encode_fields(field->shape, elements + i * field->shape->size));
    return array;
}

static void copy_objects(const struct codec_field *field, void *out, const void *base)
{
    const char *elements = *(const char *const *)at_const(field, base);
    size_t count = count_of(field, base);
    char *copy = base_calloc(count, field->shape->size);
    for (size_t i = 0; i < count; i++) {
        memcpy(copy + i * field->shape->size, elements + i * field->shape->size,
               field->shape->size);
        copy_fields(field->shape, copy + i * field->shape->size, elements + i * field->shape->size);
    }
    *(char **)at(field, out) = copy;
}

static void fini_objects(const struct codec_field *field, void *base)
{
    char *elements = *(char **)at(field, base);
    for (size_t i = 0; elements != NULL && i < count_of(field, base); i++)
        fini_fields(field->shape, elements + i * field->shape->size);
    free(elements);
}

/* ---- objects ---- */

static bool get_object(const json_t *object, const char *where, const struct codec_field *field,
                       void *base, struct base_error *err)
{
    const json_t *value = model_get_object(object, where, field->key, err);
    char inner[WHERE_MAX];
    (void)snprintf(inner, sizeof inner, "%s.%s", where, field->key);
    return value != NULL && decode_into(field->shape, value, inner, at(field, base), err);
}

static json_t *put_object(const struct codec_field *field, const void *base)
{
    return encode_fields(field->shape, at_const(field, base));
}

static void copy_object(const struct codec_field *field, void *out, const void *base)
{
    copy_fields(field->shape, at(field, out), at_const(field, base));
}

static void fini_object(const struct codec_field *field, void *base)
{
    fini_fields(field->shape, at(field, base));
}

static bool get_group(const json_t *object, const char *where, const struct codec_field *field,
                      void *base, struct base_error *err)
{
    const json_t *value = json_object_get(object, field->key);
    bool absent = json_is_object(object) && (value == NULL || json_is_null(value));
    return absent || get_object(object, where, field, base, err);
}

static json_t *put_group(const struct codec_field *field, const void *base)
{
    const char *first = *(char *const *)at_const(&field->shape->fields[0], base);
    return first == NULL ? json_null() : encode_fields(field->shape, base);
}

/* The variant's own field: its key is the word, its offset the outer struct's start. */
static struct codec_field variant_field(const struct codec_field *field, const void *base)
{
    unsigned kind = *(const unsigned *)(const void *)((const char *)base + field->count_offset);
    return (struct codec_field){.key = codec_word(field->words, kind),
                                .shape = field->variants[kind]};
}

static bool get_variant(const json_t *object, const char *where, const struct codec_field *field,
                        void *base, struct base_error *err)
{
    struct codec_field chosen = variant_field(field, base);
    return get_object(object, where, &chosen, base, err);
}

static json_t *put_variant(const struct codec_field *field, const void *base)
{
    return encode_fields(variant_field(field, base).shape, base);
}

static void copy_variant(const struct codec_field *field, void *out, const void *base)
{
    copy_fields(variant_field(field, base).shape, out, base);
}

static void fini_variant(const struct codec_field *field, void *base)
{
    fini_fields(variant_field(field, base).shape, base);
}

static bool get_expectation(const json_t *object, const char *where,
                            const struct codec_field *field, void *base, struct base_error *err)
{
    BASE_AUTO_FREE char *text = NULL;
    if (!model_get_text(object, where, field->key, &text, err))
        return false;
    return expectation_parse(text, at(field, base), err) ||
           base_fail_context(err, "%s.%s", where, field->key);
}

static json_t *put_expectation(const struct codec_field *field, const void *base)
{
    char text[EXPECT_TEXT];
    expectation_format(at_const(field, base), text);
    return json_string(text);
}

/* ---- the table of types ---- */

struct type_ops {
    bool (*get)(const json_t *object, const char *where, const struct codec_field *field,
                void *base, struct base_error *err);
    json_t *(*put)(const struct codec_field *field, const void *base);
    void (*copy)(const struct codec_field *field, void *out, const void *base); /* NULL: as bytes */
    void (*fini)(const struct codec_field *field, void *base); /* NULL: owns nothing */
};

static const struct type_ops type_table[] = {
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
    [CODEC_TEXTS] = {get_texts, put_texts, copy_texts, fini_texts},
    [CODEC_OBJECT] = {get_object, put_object, copy_object, fini_object},
    [CODEC_OBJECTS] = {get_objects, put_objects, copy_objects, fini_objects},
    [CODEC_GROUP] = {get_group, put_group, copy_object, fini_object},
    [CODEC_VARIANT] = {get_variant, put_variant, copy_variant, fini_variant},
    [CODEC_EXPECTATION] = {get_expectation, put_expectation, NULL, NULL},
};

static const char *field_key(const struct codec_field *field, const void *value)
{
    return field->type == CODEC_VARIANT ? variant_field(field, value).key : field->key;
}

static bool check_keys(const struct codec_shape *shape, const json_t *json, const char *where,
                       const void *value, struct base_error *err)
{
    const char *names[64];
    size_t count = 0;
    if (shape->version != 0)
        names[count++] = "version";
    for (size_t i = 0; i < shape->field_count && count < CODEC_COUNT(names); i++)
        names[count++] = field_key(&shape->fields[i], value);
    const struct codec_words words = {names, count};
    for (void *it = json_object_iter((json_t *)(uintptr_t)json); it != NULL;
         it = json_object_iter_next((json_t *)(uintptr_t)json, it)) {
        const char *key = json_object_iter_key(it);
        size_t ignored;
        if (!codec_word_parse(&words, key, &ignored))
            return base_fail(err, BASE_INVALID, "%s: unknown key \"%.80s\"", where, key);
    }
    return true;
}

static bool decode_into(const struct codec_shape *shape, const json_t *json, const char *where,
                        void *out, struct base_error *err)
{
    int64_t version;
    if (shape->version != 0 &&
        !model_get_i64(json, where, "version", shape->version, shape->version, &version, err))
        return false;
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct codec_field *field = &shape->fields[i];
        if (!type_table[field->type].get(json, where, field, out, err))
            return false;
    }
    if (shape->closed && !check_keys(shape, json, where, out, err))
        return false;
    return shape->check == NULL || shape->check(out, where, err);
}

static json_t *encode_fields(const struct codec_shape *shape, const void *value)
{
    json_t *object = json_object();
    if (shape->version != 0)
        json_object_set_new(object, "version", json_integer(shape->version));
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct codec_field *field = &shape->fields[i];
        json_object_set_new(object, field_key(field, value),
                            type_table[field->type].put(field, value));
    }
    return object;
}

static void copy_fields(const struct codec_shape *shape, void *out, const void *value)
{
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct codec_field *field = &shape->fields[i];
        if (type_table[field->type].copy != NULL)
            type_table[field->type].copy(field, out, value);
    }
}

static void fini_fields(const struct codec_shape *shape, void *value)
{
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct codec_field *field = &shape->fields[i];
        if (type_table[field->type].fini != NULL)
            type_table[field->type].fini(field, value);
    }
}

bool codec_decode(const struct codec_shape *shape, const json_t *json, const char *where, void *out,
                  struct base_error *err)
{
    BASE_AUTO_FREE void *value = base_calloc(1, shape->size);
    if (!decode_into(shape, json, where, value, err)) {
        fini_fields(shape, value);
        return false;
    }
    memcpy(out, value, shape->size);
    return true;
}

json_t *codec_encode(const struct codec_shape *shape, const void *value)
{
    return encode_fields(shape, value);
}

void codec_copy(const struct codec_shape *shape, void *out, const void *value)
{
    memmove(out, value, shape->size);
    copy_fields(shape, out, value);
}

void codec_fini(const struct codec_shape *shape, void *value)
{
    fini_fields(shape, value);
    memset(value, 0, shape->size);
}
