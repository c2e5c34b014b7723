/* SPDX-License-Identifier: Apache-2.0 */
/* What each type of field can do: between codec.c (structs and arrays) and codec_scalar.c. */
#ifndef MODEL_CODEC_OPS_H
#define MODEL_CODEC_OPS_H

#include "codec.h"

/* Room for "plan.faults[12].spec.partition" and the like; a longer one is cut, in messages only. */
enum { CODEC_WHERE_MAX = 256 };

struct codec_ops {
    bool (*get)(const json_t *object, const char *where, const struct codec_field *field,
                void *base, struct base_error *err);
    json_t *(*put)(const struct codec_field *field, const void *base);
    void (*copy)(const struct codec_field *field, void *out, const void *base); /* NULL: as bytes */
    void (*fini)(const struct codec_field *field, void *base); /* NULL: owns nothing */
};

/* Of one text, number or word; NULL for the types that are made of others. */
const struct codec_ops *codec_scalar_ops(enum codec_type type);

/* Whether the text has the form that the field asks for. */
bool codec_check_form(const struct codec_field *field, const char *where, const char *text,
                      struct base_error *err);

static inline void *codec_at(const struct codec_field *field, void *base)
{
    return (char *)base + field->offset;
}

static inline const void *codec_at_const(const struct codec_field *field, const void *base)
{
    return (const char *)base + field->offset;
}

#endif
