/* SPDX-License-Identifier: Apache-2.0 */
/* The response parser on arbitrary bytes: no crash, and the same outcome whole or in pieces. The
 * first byte says how the bytes are cut and whether a HEAD is answered. */
#include <stdlib.h>

#include "http_response.h"

struct outcome {
    enum load_parse parse;
    size_t used;
    struct load_response response;
};

static void feed(struct outcome *o, const char *data, size_t len, size_t piece, bool head)
{
    load_response_start(&o->response, head);
    o->parse = LOAD_PARSE_MORE;
    o->used = 0;
    for (size_t at = 0; at < len && o->parse == LOAD_PARSE_MORE; at += piece) {
        size_t used;
        size_t n = piece < len - at ? piece : len - at;
        o->parse = load_response_feed(&o->response, data + at, n, &used);
        if (used > n || (o->parse == LOAD_PARSE_MORE && used != n))
            abort();
        o->used += used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *bytes = (const char *)data + 1;
    bool head = (data[0] & 0x80) != 0;
    size_t piece = (data[0] & 0x1f) + (size_t)1;
    struct outcome whole, cut;
    feed(&whole, bytes, size - 1, size, head);
    feed(&cut, bytes, size - 1, piece, head);
    const struct load_response *a = &whole.response, *b = &cut.response;
    if (whole.parse != cut.parse || a->status != b->status || a->close != b->close ||
        a->body != b->body)
        abort();
    if (whole.parse == LOAD_PARSE_DONE && whole.used != cut.used)
        abort();
    if ((whole.parse == LOAD_PARSE_BAD) != (a->fault != NULL))
        abort();
    if (load_response_eof(&whole.response) != load_response_eof(&cut.response))
        abort();
    return 0;
}
