/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "codec_ops.h"

enum { ELEMENTS_MAX = 1000000 };

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

static size_t *count_at(const struct codec_field *field, void *base)
{
    return (size_t *)(void *)((char *)base + field->count_offset);
}

static size_t count_of(const struct codec_field *field, const void *base)
{
    return *(const size_t *)(const void *)((const char *)base + field->count_offset);
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
    *(char ***)codec_at(field, base) = texts;
    *count_at(field, base) = count;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (text == NULL)
            return base_fail(err, BASE_INVALID, "%s.%s[%zu]: expected text", where, field->key, i);
        if (!codec_check_form(field, where, text, err))
            return false;
        texts[i] = base_str_dup(text);
    }
    return true;
}

static json_t *put_texts(const struct codec_field *field, const void *base)
{
    char *const *texts = *(char *const *const *)codec_at_const(field, base);
    json_t *array = json_array();
    for (size_t i = 0; i < count_of(field, base); i++)
        json_array_append_new(array, model_json_text(texts[i]));
    return array;
}

static void copy_texts(const struct codec_field *field, void *out, const void *base)
{
    char *const *texts = *(char *const *const *)codec_at_const(field, base);
    size_t count = count_of(field, base);
    char **copy = base_calloc(count, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = base_str_dup(texts[i]);
    *(char ***)codec_at(field, out) = copy;
}

static void fini_texts(const struct codec_field *field, void *base)
{
    char **texts = *(char ***)codec_at(field, base);
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
    *(void **)codec_at(field, base) = elements;
    *count_at(field, base) = count;
    for (size_t i = 0; i < count; i++) {
        char inner[CODEC_WHERE_MAX];
        (void)snprintf(inner, sizeof inner, "%s.%s[%zu]", where, field->key, i);
        if (!decode_into(field->shape, json_array_get(array, i), inner,
                         elements + i * field->shape->size, err))
            return false;
    }
    return true;
}

static json_t *put_objects(const struct codec_field *field, const void *base)
{
    const char *elements = *(const char *const *)codec_at_const(field, base);
    json_t *array = json_array();
    for (size_t i = 0; i < count_of(field, base); i++)
        json_array_append_new(array,
                              encode_fields(field->shape, elements + i * field->shape->size));
    return array;
}

static void copy_objects(const struct codec_field *field, void *out, const void *base)
{
    const char *elements = *(const char *const *)codec_at_const(field, base);
    size_t count = count_of(field, base);
    char *copy = base_calloc(count, field->shape->size);
    for (size_t i = 0; i < count; i++) {
        memcpy(copy + i * field->shape->size, elements + i * field->shape->size,
               field->shape->size);
        copy_fields(field->shape, copy + i * field->shape->size, elements + i * field->shape->size);
    }
    *(char **)codec_at(field, out) = copy;
}

static void fini_objects(const struct codec_field *field, void *base)
{
    char *elements = *(char **)codec_at(field, base);
    for (size_t i = 0; elements != NULL && i < count_of(field, base); i++)
        fini_fields(field->shape, elements + i * field->shape->size);
    free(elements);
}

/* ---- objects ---- */

static bool get_object(const json_t *object, const char *where, const struct codec_field *field,
                       void *base, struct base_error *err)
{
    const json_t *value = model_get_object(object, where, field->key, err);
    char inner[CODEC_WHERE_MAX];
    (void)snprintf(inner, sizeof inner, "%s.%s", where, field->key);
    return value != NULL && decode_into(field->shape, value, inner, codec_at(field, base), err);
}

static json_t *put_object(const struct codec_field *field, const void *base)
{
    return encode_fields(field->shape, codec_at_const(field, base));
}

static void copy_object(const struct codec_field *field, void *out, const void *base)
{
    copy_fields(field->shape, codec_at(field, out), codec_at_const(field, base));
}

static void fini_object(const struct codec_field *field, void *base)
{
    fini_fields(field->shape, codec_at(field, base));
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
    const char *first = *(char *const *)codec_at_const(&field->shape->fields[0], base);
    return first == NULL ? json_null() : encode_fields(field->shape, base);
}

/* The variant's own field: its key is the shape's name, its offset the outer struct's start. */
static struct codec_field variant_field(const struct codec_field *field, const void *base)
{
    unsigned kind = *(const unsigned *)(const void *)((const char *)base + field->count_offset);
    return (struct codec_field){.key = field->variants[kind]->name, .shape = field->variants[kind]};
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

/* ---- the table of types ---- */

static const struct codec_ops table[] = {
    [CODEC_TEXTS] = {get_texts, put_texts, copy_texts, fini_texts},
    [CODEC_OBJECT] = {get_object, put_object, copy_object, fini_object},
    [CODEC_OBJECTS] = {get_objects, put_objects, copy_objects, fini_objects},
    [CODEC_GROUP] = {get_group, put_group, copy_object, fini_object},
    [CODEC_VARIANT] = {get_variant, put_variant, copy_variant, fini_variant},
};

static const struct codec_ops *ops_of(enum codec_type type)
{
    const struct codec_ops *scalar = codec_scalar_ops(type);
    return scalar != NULL ? scalar : &table[type];
}

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
    const struct codec_words words = {.names = names, .count = count};
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
        if (field->optional && json_is_object(json) && json_object_get(json, field->key) == NULL)
            continue;
        if (!ops_of(field->type)->get(json, where, field, out, err))
            return false;
    }
    if (shape->closed && !check_keys(shape, json, where, out, err))
        return false;
    return shape->check == NULL || shape->check(out, where, err);
}

/* Optional fields only: whether there is nothing to write. */
static bool is_unset(const struct codec_field *field, const void *value)
{
    const void *at = codec_at_const(field, value);
    switch (field->type) {
    case CODEC_OBJECTS:
    case CODEC_TEXTS:
        return count_of(field, value) == 0;
    case CODEC_OBJECT: /* where it has a field that tells, that is the first */
        return is_unset(&field->shape->fields[0], at);
    case CODEC_GROUP:
        return is_unset(&field->shape->fields[0], value);
    case CODEC_TEXT:
    case CODEC_TEXT_OR_NULL:
        return *(char *const *)at == NULL;
    case CODEC_WORD:
        return *(const unsigned *)at == 0;
    case CODEC_BOOL:
        return !*(const bool *)at;
    case CODEC_REAL:
        return !(*(const double *)at > 0 || *(const double *)at < 0);
    case CODEC_U32:
        return *(const uint32_t *)at == 0;
    case CODEC_U64:
    case CODEC_I64:
    case CODEC_NS:
        return *(const uint64_t *)at == 0;
    default:
        return false;
    }
}

static json_t *encode_fields(const struct codec_shape *shape, const void *value)
{
    json_t *object = json_object();
    if (shape->version != 0)
        json_object_set_new(object, "version", json_integer(shape->version));
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct codec_field *field = &shape->fields[i];
        if (field->optional && is_unset(field, value))
            continue;
        json_object_set_new(object, field_key(field, value),
                            ops_of(field->type)->put(field, value));
    }
    return object;
}

static void copy_fields(const struct codec_shape *shape, void *out, const void *value)
{
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct codec_field *field = &shape->fields[i];
        if (ops_of(field->type)->copy != NULL)
            ops_of(field->type)->copy(field, out, value);
    }
}

static void fini_fields(const struct codec_shape *shape, void *value)
{
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct codec_field *field = &shape->fields[i];
        if (ops_of(field->type)->fini != NULL)
            ops_of(field->type)->fini(field, value);
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
