/* SPDX-License-Identifier: Apache-2.0 */
#include "http_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Where the line that begins at this place ends: whoever made the request wrote CR LF. */
static size_t line_end(const struct load_request *whole, size_t at)
{
    const char *end = memmem(whole->bytes + at, whole->len - at, "\r\n", 2);
    return end == NULL ? whole->len : (size_t)(end - whole->bytes);
}

static size_t count_lines(const struct load_request *whole, size_t at)
{
    size_t count = 0;
    for (size_t end; (end = line_end(whole, at)) > at; at = end + 2)
        count++;
    return count;
}

void load_parts_cut(struct load_parts *out, const struct load_request *whole)
{
    const char *space = memchr(whole->bytes, ' ', whole->len);
    size_t end = line_end(whole, 0), at = end + 2;
    *out = (struct load_parts){.line_count = count_lines(whole, at)};
    out->method.len = (size_t)(space - whole->bytes);
    out->path.at = out->method.len + 1;
    out->path.len = end - strlen(" HTTP/1.1") - out->path.at;
    out->lines = base_calloc(out->line_count, sizeof *out->lines);
    for (size_t i = 0; i < out->line_count; i++) {
        end = line_end(whole, at);
        out->lines[i] = (struct load_span){at, end - at};
        at = end + 2;
    }
    out->body = (struct load_span){at + 2, whole->len - at - 2};
}

void load_parts_fini(struct load_parts *parts)
{
    free(parts->lines);
    *parts = (struct load_parts){.lines = NULL};
}
