/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy's reading of HTTP: heads of both kinds and the chunked coding, from any client and any
 * server. Whatever comes first stays what it was when more comes, and where the chunks end does not
 * depend on how the bytes were cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_parse parse(bool request, const char *text, size_t len, struct http_head *out)
{
    static const struct http_text method = {"GET", 3};
    return request ? http_request_parse(text, len, out)
                   : http_response_parse(text, len, method, out);
}

static void check_head(bool request, const char *text, size_t size)
{
    struct http_head head = {0};
    struct http_head again = {0};
    enum http_parse whole = parse(request, text, size, &head);
    for (size_t len = size < 64 ? 0 : size - 64; len < size; len++) {
        enum http_parse part = parse(request, text, len, &again);
        if (part == HTTP_DONE && (whole != HTTP_DONE || again.len != head.len))
            abort();
        if (part == HTTP_BAD && whole != HTTP_BAD)
            abort();
    }
    if (whole != HTTP_DONE)
        return;
    if (head.len > size || memcmp(text + head.len - 4, "\r\n\r\n", 4) != 0)
        abort();
    struct http_text fields = head.fields;
    struct http_field field;
    size_t seen = 0;
    while (http_field_next(&fields, &field)) {
        seen += field.line.len;
        if (field.name.len == 0 || field.value.len > field.line.len)
            abort();
    }
    if (seen != head.fields.len)
        abort();
}

static void check_chunks(const char *text, size_t size)
{
    struct http_chunks once = {0};
    struct http_chunks bitwise = {0};
    enum http_parse whole = HTTP_MORE;
    enum http_parse part = HTTP_MORE;
    size_t used = http_chunks_follow(&once, text, size, &whole);
    size_t at = 0;
    while (at < size && part == HTTP_MORE) {
        size_t n = http_chunks_follow(&bitwise, text + at, 1, &part);
        if (n == 0 && part == HTTP_MORE)
            abort();
        at += n;
    }
    if (used != at || whole != part)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    check_head(true, text, size);
    check_head(false, text, size);
    check_chunks(text, size);
    return 0;
}
