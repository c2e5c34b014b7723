/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every value of the model must withstand: its JSON survives decoding and encoding, and each
 * key of it, at any depth, removed or given a wrong type, is refused by name with the output left
 * alone.
 */
#ifndef TESTS_JSON_CASES_H
#define TESTS_JSON_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/text.h"
#include "model/json.h"

struct json_case {
    bool (*from)(const json_t *json, void *out, struct base_error *err);
    json_t *(*to)(const void *value);
    void (*fini)(void *value);
    size_t size;
    const char *const *nullable; /* keys that may be missing or null */
    size_t nullable_count;
};

/* JSON with ' for " reads better inside C. */
static inline json_t *json_of(const char *text)
{
    struct base_error err;
    char *copy = base_str_dup(text);
    for (char *p = copy; *p != '\0'; p++) {
        if (*p == '\'')
            *p = '"';
    }
    json_t *json = model_json_parse(copy, strlen(copy), "test", &err);
    free(copy);
    if (json == NULL)
        fail_msg("%s", err.message);
    return json;
}

static inline void assert_round_trip(const struct json_case *of, const char *text)
{
    struct base_error err;
    json_t *json = json_of(text);
    void *value = base_calloc(1, of->size);
    if (!of->from(json, value, &err))
        fail_msg("%s", err.message);
    json_t *again = of->to(value);
    char *before = model_json_dump(json);
    char *after = model_json_dump(again);
    assert_string_equal(before, after);
    of->fini(value);
    for (size_t i = 0; i < of->size; i++)
        assert_int_equal(((unsigned char *)value)[i], 0);
    of->fini(value); /* a zeroed value is accepted */
    free(before);
    free(after);
    free(value);
    json_decref(json);
    json_decref(again);
}

static inline void assert_refused(const struct json_case *of, const json_t *json, const char *named)
{
    struct base_error err = {.code = BASE_OK};
    unsigned char *value = base_calloc(1, of->size);
    memset(value, 0xA5, of->size);
    if (of->from(json, value, &err)) {
        char *text = model_json_dump(json);
        fail_msg("accepted without a valid \"%s\": %s", named, text);
    }
    assert_int_equal(err.code, BASE_INVALID);
    if (strstr(err.message, named) == NULL)
        fail_msg("\"%s\" does not name \"%s\"", err.message, named);
    for (size_t i = 0; i < of->size; i++)
        assert_int_equal(value[i], 0xA5);
    free(value);
}

static inline bool is_nullable(const struct json_case *of, const char *key)
{
    for (size_t i = 0; i < of->nullable_count; i++) {
        if (strcmp(of->nullable[i], key) == 0)
            return true;
    }
    return false;
}

static inline void walk_keys(const struct json_case *of, const json_t *root, json_t *node);

static inline void walk_key(const struct json_case *of, const json_t *root, json_t *node,
                            const char *key)
{
    json_t *value = json_incref(json_object_get(node, key));
    walk_keys(of, root, value);
    if (!is_nullable(of, key)) {
        json_object_del(node, key);
        assert_refused(of, root, key);
        json_object_set_new(node, key, json_null());
        assert_refused(of, root, key);
    }
    json_object_set_new(node, key, json_is_boolean(value) ? json_integer(1) : json_true());
    assert_refused(of, root, key);
    json_object_set_new(node, key, value);
}

static inline void walk_keys(const struct json_case *of, const json_t *root, json_t *node)
{
    size_t index;
    json_t *element;
    json_array_foreach(node, index, element) walk_keys(of, root, element);
    const char *keys[64];
    size_t count = 0;
    for (void *it = json_object_iter(node); it != NULL && count < 64;
         it = json_object_iter_next(node, it))
        keys[count++] = json_object_iter_key(it);
    for (size_t i = 0; i < count; i++) {
        char *key = base_str_dup(keys[i]);
        keys[i] = key;
    }
    for (size_t i = 0; i < count; i++) {
        walk_key(of, root, node, keys[i]);
        free((void *)(uintptr_t)keys[i]);
    }
}

static inline void assert_every_key_guarded(const struct json_case *of, const char *text)
{
    json_t *json = json_of(text);
    walk_keys(of, json, json);
    json_decref(json);
}

/* Replaces what a pointer such as "faults/0/spec/leaseNs" names by a JSON value and expects the
 * last key in the refusal. */
static inline void assert_bad_value(const struct json_case *of, const char *text,
                                    const char *pointer, const char *bad)
{
    json_t *json = json_of(text);
    json_t *node = json;
    char *path = base_str_dup(pointer);
    char *rest = path;
    char *key = strsep(&rest, "/");
    for (char *next; (next = strsep(&rest, "/")) != NULL; key = next)
        node = json_is_array(node) ? json_array_get(node, (size_t)(key[0] - '0'))
                                   : json_object_get(node, key);
    char *wrapped = base_str_printf("[%s]", bad);
    json_t *values = json_of(wrapped);
    if (json_is_array(node))
        json_array_set(node, (size_t)(key[0] - '0'), json_array_get(values, 0));
    else
        assert_int_equal(json_object_set(node, key, json_array_get(values, 0)), 0);
    assert_refused(of, json, json_is_array(node) ? "" : key);
    json_decref(values);
    json_decref(json);
    free(wrapped);
    free(path);
}

struct bad_value {
    const char *pointer;
    const char *value;
};

#define CASE(prefix, type, nullables)                                                              \
    static bool prefix##_case_from(const json_t *json, void *out, struct base_error *err)          \
    {                                                                                              \
        return prefix##_from_json(json, out, err);                                                 \
    }                                                                                              \
    static json_t *prefix##_case_to(const void *value)                                             \
    {                                                                                              \
        return prefix##_to_json(value);                                                            \
    }                                                                                              \
    static void prefix##_case_fini(void *value)                                                    \
    {                                                                                              \
        prefix##_fini(value);                                                                      \
    }                                                                                              \
    static const struct json_case prefix##_case = {                                                \
        prefix##_case_from, prefix##_case_to, prefix##_case_fini,                                  \
        sizeof(type),       nullables,        sizeof(nullables) / sizeof((nullables)[0])}

#endif
