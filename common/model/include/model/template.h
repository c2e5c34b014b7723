/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts with fields: {{name}}, {{feeder.column}}, {{name|url}}, {{name|json}}, with spaces inside
 * the braces if one likes. What begins with "{{" must be a field: a slip would go out on the wire
 * and nobody would see it. (JSON never has "{{" but inside of text.)
 */
#ifndef MODEL_TEMPLATE_H
#define MODEL_TEMPLATE_H

#include <stddef.h>

#include "base/error.h"

enum template_filter { TEMPLATE_PLAIN, TEMPLATE_URL, TEMPLATE_JSON };

struct template_part {
    char *text; /* owned: what stands there, or the field's name */
    bool field;
    enum template_filter filter;
};

struct template
{
    struct template_part *parts; /* owned */
    size_t count;
};

/* out is written on success only. */
bool template_parse(const char *text, struct template *out, struct base_error *err);
void template_fini(struct template *template); /* accepts a zeroed value, leaves one */

#endif
