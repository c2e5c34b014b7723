/* SPDX-License-Identifier: Apache-2.0 */
#include "model/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define DIGITS  "0123456789"

static const struct {
    const char *word;
    enum template_filter filter;
} filters[] = {{"url", TEMPLATE_URL}, {"json", TEMPLATE_JSON}};

static struct template_part *add(struct template *template, const char *text, size_t len)
{
    template->parts =
        base_reallocarray(template->parts, template->count + 1, sizeof *template->parts);
    struct template_part *part = &template->parts[template->count++];
    *part = (struct template_part){.text = base_str_ndup(text, len)};
    return part;
}

/* A name, or a feeder's and a column's with a dot between; 0: neither. */
static size_t name_length(const char *text)
{
    size_t len = strspn(text, LETTERS);
    if (len == 0)
        return 0;
    len += strspn(text + len, LETTERS DIGITS "-");
    if (text[len] != '.')
        return len;
    size_t column = strspn(text + len + 1, LETTERS DIGITS "-");
    return column == 0 ? 0 : len + 1 + column;
}

/* "|word" or nothing; NULL when it is another. */
static const char *take_filter(const char *at, enum template_filter *out)
{
    *out = TEMPLATE_PLAIN;
    if (*at != '|')
        return at;
    at += 1 + strspn(at + 1, " ");
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        if (base_str_starts(at, filters[i].word)) {
            *out = filters[i].filter;
            at += strlen(filters[i].word);
            return at + strspn(at, " ");
        }
    }
    return NULL;
}

/* `at` is behind the opening braces; returns what follows the closing ones, or NULL. */
static const char *take_field(struct template *template, const char *at)
{
    at += strspn(at, " ");
    size_t len = name_length(at);
    const char *name = at;
    enum template_filter filter;
    at += len;
    at += strspn(at, " ");
    at = len > 0 ? take_filter(at, &filter) : NULL;
    if (at == NULL || !base_str_starts(at, "}}"))
        return NULL;
    struct template_part *part = add(template, name, len);
    part->field = true;
    part->filter = filter;
    return at + 2;
}

bool template_parse(const char *text, struct template *out, struct base_error *err)
{
    struct template made = {.parts = NULL};
    while (*text != '\0') {
        const char *open = strstr(text, "{{");
        size_t len = open == NULL ? strlen(text) : (size_t)(open - text);
        if (len > 0)
            (void)add(&made, text, len);
        if (open == NULL)
            break;
        text = take_field(&made, open + 2);
        if (text == NULL) {
            template_fini(&made);
            return base_fail(err, BASE_INVALID,
                             "\"%.30s\" is no field, expected {{name}}, {{feeder.column}} or one "
                             "of them with |url or |json",
                             open);
        }
    }
    *out = made;
    return true;
}

void template_fini(struct template *template)
{
    for (size_t i = 0; i < template->count; i++)
        free(template->parts[i].text);
    free(template->parts);
    *template = (struct template){.parts = NULL};
}
