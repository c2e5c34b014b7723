/* SPDX-License-Identifier: Apache-2.0 */
#include "fill.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static struct load_fill_part *grow(struct load_fill *fill)
{
    fill->parts = base_reallocarray(fill->parts, fill->count + 1, sizeof *fill->parts);
    struct load_fill_part *part = &fill->parts[fill->count++];
    *part = (struct load_fill_part){.kind = LOAD_FILL_TEXT};
    return part;
}

void load_fill_add_text(struct load_fill *fill, const char *text)
{
    struct load_fill_part *part = grow(fill);
    part->text = base_str_dup(text);
    part->len = strlen(text);
}

struct load_fill_part *load_fill_add(struct load_fill *fill, const char *name)
{
    struct load_fill_part *part = grow(fill);
    part->text = base_str_dup(name);
    part->len = strlen(name);
    return part;
}

void load_fill_fini(struct load_fill *fill)
{
    for (size_t i = 0; i < fill->count; i++)
        free(fill->parts[i].text);
    free(fill->parts);
    *fill = (struct load_fill){.parts = NULL};
}

/* RFC 3986 section 2.3: what needs no escape anywhere in a URL. */
static void write_url(struct base_buf *out, const char *text)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-._~";
    for (; *text != '\0'; text++) {
        if (strchr(unreserved, *text) != NULL)
            base_buf_char(out, *text);
        else
            base_buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

/* RFC 8259 section 7. */
static void write_json(struct base_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            base_buf_printf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            base_buf_printf(out, "\\u%04x", (unsigned)(unsigned char)*text);
        else
            base_buf_char(out, *text);
    }
}

static bool may_stand(enum load_fill_place place, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (place == LOAD_PLACE_HEADER && ((c < 0x20 && c != '\t') || c == 0x7f))
            return false;
        if (place == LOAD_PLACE_PATH && (c <= ' ' || c >= 0x7f || c == '#'))
            return false;
    }
    return true;
}

static const char *value_of(const struct load_fill_part *part,
                            const struct load_fill_values *values, char *number, size_t size)
{
    switch (part->kind) {
    case LOAD_FILL_SEQ:
        (void)snprintf(number, size, "%012" PRIu64, values->seq);
        return number;
    case LOAD_FILL_RAND:
        (void)snprintf(number, size, "%016" PRIx64, base_rng_u64(values->rng));
        return number;
    case LOAD_FILL_VARIABLE:
        return values->variables[part->number];
    case LOAD_FILL_CELL:
        return load_rows_cell(values->feeders[part->number], values->rows[part->number],
                              part->column);
    case LOAD_FILL_TEXT:
        break;
    }
    return part->text;
}

static bool write_field(const struct load_fill_part *part, const struct load_fill_values *values,
                        struct base_buf *out, char *why, size_t why_size)
{
    char number[32];
    const char *value = value_of(part, values, number, sizeof number);
    if (value == NULL) { /* rules keep it from happening (model/flow_check.c) */
        (void)snprintf(why, why_size, "{{%s}} has no value", part->text);
        return false;
    }
    if (part->filter == TEMPLATE_URL) {
        write_url(out, value);
        return true;
    }
    if (part->filter == TEMPLATE_JSON) {
        write_json(out, value);
        return true;
    }
    if (!may_stand(part->place, value)) {
        (void)snprintf(
            why, why_size, "{{%s}} is \"%.60s\", which cannot stand in a %s: see {{%s|url}}",
            part->text, value, part->place == LOAD_PLACE_PATH ? "path" : "header", part->text);
        return false;
    }
    base_buf_str(out, value);
    return true;
}

bool load_fill_write(const struct load_fill *fill, const struct load_fill_values *values,
                     struct base_buf *out, char *why, size_t why_size)
{
    for (size_t i = 0; i < fill->count; i++) {
        const struct load_fill_part *part = &fill->parts[i];
        if (part->kind == LOAD_FILL_TEXT)
            base_buf_append(out, part->text, part->len);
        else if (!write_field(part, values, out, why, why_size))
            return false;
    }
    return true;
}
