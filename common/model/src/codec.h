/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A struct of the model and its JSON, described once by a table of fields: decoding with checks,
 * encoding, copying and freeing all follow that table and cannot drift apart.
 */
#ifndef MODEL_CODEC_H
#define MODEL_CODEC_H

#include <stddef.h>

#include "model/json.h"

enum codec_type {
    CODEC_TEXT,
    CODEC_TEXT_OR_NULL, /* a missing key reads as null */
    CODEC_BOOL,
    CODEC_INT,
    CODEC_U16,
    CODEC_U32,
    CODEC_U64,
    CODEC_I64,
    CODEC_NS, /* struct dur_ns, wall_ns or mono_ns */
    CODEC_REAL,
    CODEC_REAL_OR_NULL, /* NaN is null */
    CODEC_WORD,         /* an enum, written as a word of `words` */
    CODEC_COUNTS,       /* an array of uint64_t with one member for each word */
    CODEC_TEXTS,        /* char ** with a count */
    CODEC_OBJECT,       /* a struct held by value */
    CODEC_OBJECTS,      /* an array of structs with a count */
    CODEC_GROUP,        /* fields of the same struct in an object of their own, null when the first
                           (a text) is NULL */
    CODEC_VARIANT,      /* one of `variants`, chosen by the enum at count_offset, under the name of
                           its shape; their offsets count from the outer struct */
    CODEC_EXPECTATION   /* struct expectation, as text */
};

/* What a text must look like. */
enum codec_form {
    FORM_ANY,
    FORM_NAME,   /* not empty */
    FORM_TAG,    /* goes into a histogram tag: no '/', ',', space or control character */
    FORM_METHOD, /* upper-case letters */
    FORM_PATH,   /* starts with '/', without space or control characters */
    FORM_LINE    /* no control characters, not empty: it goes into an HTTP header */
};

enum codec_range {
    RANGE_ANY,
    RANGE_SHARE,    /* 0..1 */
    RANGE_OPEN,     /* 0..1, both excluded */
    RANGE_POSITIVE, /* > 0 */
};

struct codec_words {
    const char *const *names; /* by enum value */
    size_t count;
    size_t early; /* counts by words behind so many may be left out, as older files do; 0: none */
};

struct codec_shape;

struct codec_field {
    const char *key;
    enum codec_type type;
    enum codec_form form;
    enum codec_range range;
    bool optional; /* zero when missing, left out when zero: most files have no use for it */
    size_t offset;
    size_t count_offset;
    int64_t min; /* of integers; the least number of elements of arrays */
    int64_t max; /* of integers; 0 for "as the type allows" */
    const struct codec_words *words;
    const struct codec_shape *shape;
    const struct codec_shape *const *variants;
};

struct codec_shape {
    const char *name; /* the word that errors start with */
    size_t size;
    int version; /* 0: none; otherwise written, and required when reading */
    bool closed; /* unknown keys are errors: what is not understood must not be half done */
    const struct codec_field *fields;
    size_t field_count;
    bool (*check)(const void *value, const char *where, struct base_error *err); /* may be NULL */
};

#define CODEC_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CODEC_WORDS(table)                                                                         \
    {                                                                                              \
        .names = (table), .count = CODEC_COUNT(table)                                              \
    }
#define CODEC_FIELDS(table) .fields = (table), .field_count = CODEC_COUNT(table)

/* out is only written on success. */
bool codec_decode(const struct codec_shape *shape, const json_t *json, const char *where, void *out,
                  struct base_error *err);
json_t *codec_encode(const struct codec_shape *shape, const void *value);
/* Deep copy of every described field. */
void codec_copy(const struct codec_shape *shape, void *out, const void *value);
/* Frees what the fields own and zeroes the value; accepts a zeroed value. */
void codec_fini(const struct codec_shape *shape, void *value);

const char *codec_word(const struct codec_words *words, size_t value);
bool codec_word_parse(const struct codec_words *words, const char *word, size_t *out);

#endif
