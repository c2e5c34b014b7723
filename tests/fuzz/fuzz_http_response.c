/* SPDX-License-Identifier: Apache-2.0 */
/* The response parser on arbitrary bytes: no crash, and the same outcome whole, in pieces
 * and with heads remembered; and what is read of a whole response later has the status and as much
 * of a body as the parser saw. The first byte says how the bytes are cut and whether a HEAD is
 * answered. */
#include <stdlib.h>

#include <string.h>

#include "http_memo.h"
#include "message.h"

struct outcome {
    enum load_parse parse;
    size_t used;
    struct load_response response;
};

static void feed(struct outcome *o, const char *data, size_t len, size_t piece, bool head,
                 struct load_memo *memo)
{
    load_response_start(&o->response, head);
    o->parse = LOAD_PARSE_MORE;
    o->used = 0;
    for (size_t at = 0; at < len && o->parse == LOAD_PARSE_MORE; at += piece) {
        size_t used;
        size_t n = piece < len - at ? piece : len - at;
        o->parse = memo == NULL ? load_response_feed(&o->response, data + at, n, &used)
                                : load_response_feed_memo(&o->response, memo, data + at, n, &used);
        if (used > n || (o->parse == LOAD_PARSE_MORE && used != n))
            abort();
        o->used += used;
    }
}

static void compare(const struct outcome *x, const struct outcome *y)
{
    const struct load_response *a = &x->response, *b = &y->response;
    if (x->parse != y->parse || a->status != b->status || a->close != b->close ||
        a->body != b->body || (x->parse == LOAD_PARSE_DONE && x->used != y->used))
        abort();
}

static void read_whole(const struct load_response *response, const char *bytes, size_t len)
{
    struct load_message message;
    char *copy = malloc(len + 1);
    if (copy == NULL)
        abort();
    memcpy(copy, bytes, len);
    if (!load_message_read(copy, len, &message) || message.status != response->status ||
        message.body.len != response->body)
        abort();
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *bytes = (const char *)data + 1;
    bool head = (data[0] & 0x80) != 0;
    size_t piece = (data[0] & 0x1f) + (size_t)1;
    static struct load_memo memo; /* of inputs before, too */
    struct outcome whole, cut, again;
    feed(&whole, bytes, size - 1, size, head, NULL);
    feed(&cut, bytes, size - 1, piece, head, NULL);
    feed(&again, bytes, size - 1, size, head, &memo);
    compare(&whole, &cut);
    compare(&whole, &again);
    feed(&again, bytes, size - 1, piece, head, &memo); /* cuts the head that is remembered now */
    compare(&whole, &again);
    if ((whole.parse == LOAD_PARSE_BAD) != (whole.response.fault != NULL))
        abort();
    if (whole.parse == LOAD_PARSE_DONE)
        read_whole(&whole.response, bytes, whole.used);
    enum load_parse end = load_response_eof(&whole.response);
    if (end != load_response_eof(&cut.response) || end != load_response_eof(&again.response))
        abort();
    if (whole.parse == LOAD_PARSE_MORE && end == LOAD_PARSE_DONE)
        read_whole(&whole.response, bytes, size - 1);
    return 0;
}
