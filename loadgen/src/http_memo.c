/* SPDX-License-Identifier: Apache-2.0 */
#include "http_memo.h"

#include <stddef.h>
#include <string.h>

/* The text fields hold nothing between lines, so they are left out of the copies. */
enum { MEMO_PART = offsetof(struct load_response, name) };

static void remember(struct load_memo *memo, const struct load_response *r, const char *data,
                     size_t len)
{
    memo->len = len;
    memo->head = r->head;
    memcpy(&memo->after, r, MEMO_PART);
    memcpy(memo->bytes, data, len);
}

static size_t take_head(struct load_response *r, struct load_memo *memo, const char *data,
                        size_t len)
{
    if (memo->len > 0 && memo->len <= len && memo->head == r->head &&
        memcmp(memo->bytes, data, memo->len) == 0) {
        memcpy(r, &memo->after, MEMO_PART);
        return memo->len;
    }
    size_t taken = load_response_feed_head(r, data, len);
    if (load_response_has_head(r) && taken <= LOAD_MEMO_MAX)
        remember(memo, r, data, taken);
    return taken;
}

enum load_parse load_response_feed_memo(struct load_response *r, struct load_memo *memo,
                                        const char *data, size_t len, size_t *used)
{
    size_t taken = load_response_is_new(r) ? take_head(r, memo, data, len) : 0;
    enum load_parse parse = load_response_feed(r, data + taken, len - taken, used);
    *used += taken;
    return parse;
}
