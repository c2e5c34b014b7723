/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON object a line. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "feeder.h"
#include "json_text.h"

static bool missing(const char *where, const json_t *object, const char *name,
                    struct base_error *err)
{
    const char *keys[64];
    size_t count = 0;
    json_t *any = (json_t *)(uintptr_t)object; /* jansson's iterators are not const */
    for (void *it = json_object_iter(any); it != NULL && count < 64;
         it = json_object_iter_next(any, it))
        keys[count++] = json_object_iter_key(it);
    const char *near = base_str_nearest(name, keys, count);
    if (near != NULL)
        return base_fail(err, BASE_INVALID, "%s: no key \"%s\", did you mean \"%s\"?", where, name,
                         near);
    return base_fail(err, BASE_INVALID, "%s: no key \"%s\"", where, name);
}

static bool read_line(struct load_rows *rows, const struct load_rows_source *source,
                      const char *where, const json_t *object, struct base_error *err)
{
    if (!json_is_object(object))
        return base_fail(err, BASE_INVALID, "%s: expected a JSON object", where);
    for (size_t i = 0; i < source->column_count; i++) {
        const json_t *value = json_object_get(object, source->columns[i]);
        if (value == NULL)
            return missing(where, object, source->columns[i], err);
        BASE_AUTO_FREE char *text = load_json_text(value);
        load_rows_add(rows, text, strlen(text));
    }
    return true;
}

bool load_rows_jsonl(struct load_rows *rows, const struct load_rows_source *source,
                     struct base_error *err)
{
    const char *line = source->bytes;
    const char *end = source->bytes + source->len;
    for (unsigned number = 1; line < end; number++) {
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((lf == NULL ? end : lf) - line);
        BASE_AUTO_FREE char *where = base_str_printf("%s:%u", source->file, number);
        json_t *object = model_json_parse(line, len, "JSON", err);
        if (object == NULL)
            return base_fail_context(err, "%s", where);
        bool good = read_line(rows, source, where, object, err);
        json_decref(object);
        if (!good)
            return false;
        line += len + 1;
    }
    return true;
}
