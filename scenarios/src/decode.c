/* SPDX-License-Identifier: Apache-2.0 */
#include "decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fields.h"

enum { PATH_MAX_LEN = 256, FOUND_MAX = 60, KEYS_MAX = 64 };

struct decoder {
    const char *file;
    struct scn_problems *problems;
    struct scn_scenario *scenario;
    char path[PATH_MAX_LEN];
};

/* ---- where we are ---- */

static size_t enter_key(struct decoder *decoder, const char *key)
{
    size_t len = strlen(decoder->path);
    (void)snprintf(decoder->path + len, sizeof decoder->path - len, "%s%s", len > 0 ? "." : "",
                   key);
    return len;
}

static size_t enter_index(struct decoder *decoder, size_t index)
{
    size_t len = strlen(decoder->path);
    (void)snprintf(decoder->path + len, sizeof decoder->path - len, "[%zu]", index);
    return len;
}

static void leave(struct decoder *decoder, size_t len)
{
    decoder->path[len] = '\0';
}

static void remember_place(struct decoder *decoder, struct scn_mark mark)
{
    struct scn_scenario *scenario = decoder->scenario;
    size_t count = scenario->place_count;
    if ((count & (count - 1)) == 0)
        scenario->places = base_reallocarray(scenario->places, count == 0 ? 1 : count * 2,
                                             sizeof *scenario->places);
    scenario->places[scenario->place_count++] =
        (struct scn_place){.path = base_str_dup(decoder->path), .mark = mark};
}

__attribute__((format(printf, 3, 4))) static void
problem(struct decoder *decoder, struct scn_mark mark, const char *format, ...)
{
    char message[768];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    bool root = decoder->path[0] == '\0';
    scn_problems_add(decoder->problems, decoder->file, decoder->path, mark, "%s%s%s", decoder->path,
                     root ? "" : ": ", message);
}

static const char *kind_name(const struct scn_node *node)
{
    static const char *const names[] = {
        [SCN_NODE_SCALAR] = "a value", [SCN_NODE_MAP] = "a mapping", [SCN_NODE_LIST] = "a list"};
    if (node->kind == SCN_NODE_SCALAR && node->plain &&
        scn_meaning_of(node->text) == SCN_MEANS_NOTHING)
        return "nothing";
    return names[node->kind];
}

/* True when the value was refused as it is written. */
static bool refused(struct decoder *decoder, const struct scn_node *node)
{
    if (node->bad != NULL)
        problem(decoder, node->mark, "%s", node->bad);
    return node->bad != NULL;
}

/* ---- scalars ---- */

static bool may_be_secret(const struct scn_scalar *scalar, const char *text)
{
    return scalar->secretive != NULL &&
           (*scalar->secretive == '\0' || strpbrk(text, scalar->secretive) != NULL);
}

/* What the text without quotes means must fit what is asked for. */
static bool meaning_fits(struct decoder *decoder, const struct scn_node *node,
                         const struct scn_field *field, const char *expected)
{
    const struct scn_scalar *scalar = scn_scalar_of(field->type);
    enum scn_meaning meaning = node->plain ? scn_meaning_of(node->text) : SCN_MEANS_TEXT;
    if (meaning == SCN_MEANS_NOTHING)
        problem(decoder, node->mark, "expected %s, found nothing", expected);
    else if (meaning != SCN_MEANS_TEXT && may_be_secret(scalar, node->text))
        problem(decoder, node->mark, "expected %s, found %s", expected, scalar->instead);
    else if (meaning == SCN_MEANS_NUMBER && scalar->units != NULL)
        problem(decoder, node->mark, "the bare number %.*s needs a unit, expected %s", FOUND_MAX,
                node->text, expected);
    else if ((field->type == SCN_INTEGER || field->type == SCN_PORT) && !node->plain)
        problem(decoder, node->mark, "expected %s, found text in quotes", expected);
    else if (field->type == SCN_BOOLEAN && meaning != SCN_MEANS_BOOLEAN)
        problem(decoder, node->mark, "expected %s, found \"%.*s\"", expected, FOUND_MAX,
                node->text);
    else if ((meaning == SCN_MEANS_BOOLEAN && field->type != SCN_BOOLEAN) ||
             (meaning == SCN_MEANS_NUMBER && scalar->text && field->type != SCN_PORT))
        problem(decoder, node->mark, "expected %s, found the %s %.*s%s", expected,
                meaning == SCN_MEANS_NUMBER ? "number" : "boolean", FOUND_MAX, node->text,
                scalar->text ? "; put it in quotes" : "");
    else
        return true;
    return false;
}

/* Where the pattern cannot say it: too long, out of range, or refused by the reader. */
static bool text_fits(struct decoder *decoder, const struct scn_node *node,
                      const struct scn_field *field, const char *expected)
{
    const struct scn_scalar *scalar = scn_scalar_of(field->type);
    if (strlen(node->text) > scalar->max_len) {
        problem(decoder, node->mark, "expected %s, found %zu characters, the most are %zu",
                expected, strlen(node->text), scalar->max_len);
        return false;
    }
    if (!scn_matches(scalar->pattern, node->text)) {
        if (may_be_secret(scalar, node->text))
            problem(decoder, node->mark, "expected %s, found %s", expected, scalar->instead);
        else
            problem(decoder, node->mark, "expected %s, found \"%.*s\"", expected, FOUND_MAX,
                    node->text);
        return false;
    }
    if (!scn_in_range(field, node->text)) {
        BASE_AUTO_FREE char *range = scn_range(field);
        problem(decoder, node->mark, "%.*s is out of range, expected %s", FOUND_MAX, node->text,
                range);
        return false;
    }
    return true;
}

static void decode_scalar(struct decoder *decoder, const struct scn_node *node,
                          const struct scn_field *field, void *out)
{
    BASE_AUTO_FREE char *expected = scn_expected(field);
    struct base_error err;
    if (refused(decoder, node))
        return;
    if (node->kind != SCN_NODE_SCALAR) {
        problem(decoder, node->mark, "expected %s, found %s", expected, kind_name(node));
        return;
    }
    if (!meaning_fits(decoder, node, field, expected) || !text_fits(decoder, node, field, expected))
        return;
    if (scn_scalar_of(field->type)->read(node->text, field, out, &err))
        return;
    if (field->type == SCN_CONDITION)
        problem(decoder, node->mark, "\"%.*s\": %s", FOUND_MAX, node->text, err.message);
    else
        problem(decoder, node->mark, "expected %s, found \"%.*s\"%s", expected, FOUND_MAX,
                node->text, err.message);
}

/* ---- lists ---- */

static bool check_list(struct decoder *decoder, const struct scn_node *node,
                       const struct scn_field *field)
{
    if (refused(decoder, node))
        return false;
    if (node->kind != SCN_NODE_LIST) {
        problem(decoder, node->mark, "expected a list, found %s", kind_name(node));
        return false;
    }
    if (node->count < field->least) {
        problem(decoder, node->mark, "expected at least %zu element%s, found %zu", field->least,
                field->least == 1 ? "" : "s", node->count);
        return false;
    }
    if (field->most > 0 && node->count > field->most) {
        problem(decoder, node->mark, "expected at most %zu elements, found %zu", field->most,
                node->count);
        return false;
    }
    return true;
}

static size_t *count_at(const struct scn_field *field, void *base)
{
    return (size_t *)(void *)((char *)base + field->count_offset);
}

static void decode_texts(struct decoder *decoder, const struct scn_node *node,
                         const struct scn_field *field, void *base)
{
    if (!check_list(decoder, node, field))
        return;
    const struct scn_field item = {.type = field->item};
    char **texts = base_calloc(node->count, sizeof *texts);
    *(char ***)(void *)((char *)base + field->offset) = texts;
    *count_at(field, base) = node->count;
    for (size_t i = 0; i < node->count; i++) {
        const struct scn_node *value = node->entries[i].value;
        size_t len = enter_index(decoder, i);
        remember_place(decoder, value->mark);
        decode_scalar(decoder, value, &item, &texts[i]);
        for (size_t k = 0; k < i && texts[i] != NULL && !field->repeats; k++) {
            if (base_str_eq(texts[k], texts[i]))
                problem(decoder, value->mark, "\"%s\" is in the list twice", texts[i]);
        }
        leave(decoder, len);
    }
}

/* The engine writes these itself, to fit the message. */
static bool reserved_header(const char *name)
{
    static const char *const reserved[] = {"Host", "Content-Length", "Transfer-Encoding",
                                           "Connection"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strcasecmp(reserved[i], name) == 0)
            return true;
    }
    return false;
}

static char *decode_header(struct decoder *decoder, const struct scn_entry *entry)
{
    static const struct scn_field item = {.type = SCN_HEADER};
    BASE_AUTO_FREE char *value = NULL;
    if (strlen(entry->key) > 256 || !scn_matches(scn_header_name_pattern, entry->key)) {
        problem(decoder, entry->mark, "expected the name of a header, found \"%.*s\"", FOUND_MAX,
                entry->key);
        return NULL;
    }
    if (reserved_header(entry->key)) {
        problem(decoder, entry->mark, "%s is set by the load generator or the service, remove it",
                entry->key);
        return NULL;
    }
    decode_scalar(decoder, entry->value, &item, &value);
    return value == NULL ? NULL : base_str_printf("%s: %s", entry->key, value);
}

static void decode_headers(struct decoder *decoder, const struct scn_node *node,
                           const struct scn_field *field, void *base)
{
    if (refused(decoder, node))
        return;
    if (node->kind != SCN_NODE_MAP) {
        problem(decoder, node->mark, "expected a mapping of names to values, found %s",
                kind_name(node));
        return;
    }
    if (node->count > field->most) {
        problem(decoder, node->mark, "expected at most %zu headers, found %zu", field->most,
                node->count);
        return;
    }
    char **headers = base_calloc(node->count, sizeof *headers);
    *(char ***)(void *)((char *)base + field->offset) = headers;
    *count_at(field, base) = node->count;
    for (size_t i = 0; i < node->count; i++) {
        size_t len = enter_key(decoder, node->entries[i].key);
        remember_place(decoder, node->entries[i].value->mark);
        headers[i] = decode_header(decoder, &node->entries[i]);
        leave(decoder, len);
    }
}

/* ---- objects ---- */

static void decode_object(struct decoder *decoder, const struct scn_node *node,
                          const struct scn_shape *shape, void *base);

/* A name must mean one thing in its list. */
static void check_unique(struct decoder *decoder, const struct scn_node *node,
                         const struct scn_shape *shape, const char *elements, size_t index)
{
    const char *const *name = (const char *const *)(const void *)(elements + index * shape->size +
                                                                  shape->fields[0].offset);
    for (size_t i = 0; i < index && *name != NULL; i++) {
        const char *const *other = (const char *const *)(const void *)(elements + i * shape->size +
                                                                       shape->fields[0].offset);
        if (!base_str_eq(*name, *other))
            continue;
        const struct scn_entry *entry = scn_node_find(node->entries[index].value, "name");
        size_t len = enter_key(decoder, "name");
        problem(decoder, entry->value->mark, "\"%s\" is taken by element %zu of the list", *name,
                i + 1);
        leave(decoder, len);
        return;
    }
}

static void decode_objects(struct decoder *decoder, const struct scn_node *node,
                           const struct scn_field *field, void *base)
{
    if (!check_list(decoder, node, field))
        return;
    const struct scn_shape *shape = field->shape;
    char *elements = base_calloc(node->count, shape->size);
    *(void **)(void *)((char *)base + field->offset) = elements;
    *count_at(field, base) = node->count;
    for (size_t i = 0; i < node->count; i++) {
        size_t len = enter_index(decoder, i);
        remember_place(decoder, node->entries[i].value->mark);
        decode_object(decoder, node->entries[i].value, shape, elements + i * shape->size);
        if (shape->named)
            check_unique(decoder, node, shape, elements, i);
        leave(decoder, len);
    }
}

static void decode_word_or_object(struct decoder *decoder, const struct scn_node *node,
                                  const struct scn_field *field, void *base)
{
    char *out = (char *)base + field->offset;
    if (node->kind == SCN_NODE_MAP) {
        decode_object(decoder, node, field->shape, out);
        return;
    }
    const struct scn_field word = {.type = SCN_WORD, .words = field->words, .shape = field->shape};
    decode_scalar(decoder, node, &word, out + field->shape->choice_offset);
}

static void decode_value(struct decoder *decoder, const struct scn_node *node,
                         const struct scn_field *field, void *base)
{
    char *out = (char *)base + field->offset;
    if (field->type < SCN_SCALARS)
        decode_scalar(decoder, node, field, out);
    else if (field->type == SCN_TEXTS)
        decode_texts(decoder, node, field, base);
    else if (field->type == SCN_HEADERS)
        decode_headers(decoder, node, field, base);
    else if (field->type == SCN_OBJECTS)
        decode_objects(decoder, node, field, base);
    else if (field->type == SCN_WORD_OR_OBJECT)
        decode_word_or_object(decoder, node, field, base);
    else
        decode_object(decoder, node, field->shape, out);
}

static bool is_known(const struct scn_shape *shape, const char *key)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (strcmp(shape->fields[i].key, key) == 0)
            return true;
    }
    return false;
}

static const char *nearest_key(const struct scn_shape *shape, const char *key)
{
    const char *keys[KEYS_MAX];
    size_t count = 0;
    for (; count < shape->count && count < KEYS_MAX; count++)
        keys[count] = shape->fields[count].key;
    return base_str_nearest(key, keys, count);
}

/* Was this key meant by one that is unknown, and so spoken of already? Only the first keys are
 * looked at: a mapping of a thousand unknown ones is no misspelling. */
static bool is_misspelt(const struct scn_node *node, const struct scn_shape *shape, const char *key)
{
    for (size_t i = 0; i < node->count && i < KEYS_MAX; i++) {
        if (!is_known(shape, node->entries[i].key) &&
            base_str_eq(nearest_key(shape, node->entries[i].key), key))
            return true;
    }
    return false;
}

/* Reported at the key that was meant: rules that depend on that one then hold their peace. */
static void report_unknown(struct decoder *decoder, const struct scn_entry *entry,
                           const struct scn_shape *shape)
{
    const char *near = nearest_key(shape, entry->key);
    BASE_AUTO_FREE char *object = base_str_dup(decoder->path);
    const char *colon = *object != '\0' ? ": " : "";
    size_t len = enter_key(decoder, near != NULL ? near : entry->key);
    BASE_AUTO_BUF struct base_buf list;
    base_buf_init(&list, 512);
    for (size_t i = 0; i < shape->count; i++)
        if (shape->fields[i].refused == NULL)
            base_buf_printf(&list, "%s%s", i > 0 ? ", " : "", shape->fields[i].key);
    if (near != NULL)
        scn_problems_add(decoder->problems, decoder->file, decoder->path, entry->mark,
                         "%s%sunknown key \"%.*s\", did you mean \"%s\"?", object, colon, FOUND_MAX,
                         entry->key, near);
    else
        scn_problems_add(decoder->problems, decoder->file, decoder->path, entry->mark,
                         "%s%sunknown key \"%.*s\", expected one of %s", object, colon, FOUND_MAX,
                         entry->key, list.data);
    leave(decoder, len);
}

/* The word of the shape's first field, on which other fields of it may depend. */
static const char *first_word(const struct scn_node *node, const struct scn_shape *shape)
{
    const struct scn_entry *entry = scn_node_find(node, shape->fields[0].key);
    if (entry == NULL)
        return shape->fields[0].fallback;
    return entry->value->kind == SCN_NODE_SCALAR ? entry->value->text : NULL;
}

static void report_missing(struct decoder *decoder, struct scn_mark mark,
                           const struct scn_field *field)
{
    BASE_AUTO_FREE char *expected = scn_expected(field);
    problem(decoder, mark, "this key is missing, expected %s", expected);
}

static void decode_default(struct decoder *decoder, const struct scn_node *parent,
                           const struct scn_field *field, void *base)
{
    struct scn_node *node =
        scn_node_new(field->type == SCN_OBJECT ? SCN_NODE_MAP : SCN_NODE_SCALAR, parent->mark);
    node->text = base_str_dup(field->fallback);
    /* An empty text is meant as such; anything else as if the file said it. */
    node->plain = field->type != SCN_TEXT;
    decode_value(decoder, node, field, base);
    scn_node_free(node);
}

static void refuse_key(struct decoder *decoder, const struct scn_entry *entry,
                       const struct scn_field *field)
{
    size_t len = enter_key(decoder, field->key);
    if (entry != NULL)
        problem(decoder, entry->mark, "%s", field->refused);
    leave(decoder, len);
}

static void decode_field(struct decoder *decoder, const struct scn_node *node,
                         const struct scn_shape *shape, const struct scn_field *field, void *base)
{
    const struct scn_entry *entry = scn_node_find(node, field->key);
    if (field->refused != NULL) {
        refuse_key(decoder, entry, field);
        return;
    }
    const char *word = field->only != NULL ? first_word(node, shape) : NULL;
    bool fits = field->only == NULL || base_str_eq(word, field->only);
    if (entry != NULL && !fits && word != NULL)
        problem(decoder, entry->mark, "\"%s\" makes sense only with %s: %s, found %.*s", field->key,
                shape->fields[0].key, field->only, FOUND_MAX, word);
    size_t len = enter_key(decoder, field->key);
    if (entry != NULL) {
        remember_place(decoder, entry->value->mark);
        decode_value(decoder, entry->value, field, base);
    } else if (field->fallback != NULL) {
        decode_default(decoder, node, field, base);
    } else if (field->required && fits && !is_misspelt(node, shape, field->key)) {
        report_missing(decoder, node->mark, field);
    }
    leave(decoder, len);
}

/* Exactly one of the fields that exclude each other. */
static void decode_choice(struct decoder *decoder, const struct scn_node *node,
                          const struct scn_shape *shape, void *base)
{
    const char *chosen = NULL;
    bool misspelt = false;
    BASE_AUTO_BUF struct base_buf list;
    base_buf_init(&list, 512);
    for (size_t i = 0; i < shape->count; i++) {
        const struct scn_field *field = &shape->fields[i];
        /* Whoever asks for what is refused hears of that alone. */
        misspelt = misspelt || (field->refused != NULL && scn_node_find(node, field->key) != NULL);
        if (field->choice == 0)
            continue;
        base_buf_printf(&list, "%s%s", list.len > 0 ? ", " : "", field->key);
        const struct scn_entry *entry = scn_node_find(node, field->key);
        misspelt = misspelt || (entry == NULL && is_misspelt(node, shape, field->key));
        if (entry == NULL)
            continue;
        if (chosen != NULL)
            problem(decoder, entry->mark, "\"%s\" beside \"%s\", expected exactly one %s",
                    field->key, chosen, shape->choice_of + strlen("a "));
        chosen = field->key;
        *(int *)(void *)((char *)base + shape->choice_offset) = field->choice - 1;
    }
    if (chosen == NULL && !misspelt)
        problem(decoder, node->mark, "%s is missing, expected one of %s", shape->choice_of,
                list.data);
}

static void decode_object(struct decoder *decoder, const struct scn_node *node,
                          const struct scn_shape *shape, void *base)
{
    if (refused(decoder, node))
        return;
    if (node->kind != SCN_NODE_MAP) {
        problem(decoder, node->mark, "expected a mapping, found %s", kind_name(node));
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        if (!is_known(shape, node->entries[i].key))
            report_unknown(decoder, &node->entries[i], shape);
    }
    if (shape->choice_of != NULL)
        decode_choice(decoder, node, shape, base);
    for (size_t i = 0; i < shape->count; i++)
        decode_field(decoder, node, shape, &shape->fields[i], base);
}

void scn_decode(const char *file, const struct scn_node *root, struct scn_scenario *out,
                struct scn_problems *problems)
{
    struct decoder decoder = {.file = file, .problems = problems, .scenario = out};
    out->file = base_str_dup(file);
    remember_place(&decoder, root->mark);
    decode_object(&decoder, root, &scn_scenario_shape, out);
}
