/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_HTTP_MEMO_H
#define LOAD_HTTP_MEMO_H

#include "http_response.h"

enum { LOAD_MEMO_MAX = 1024 };

/*
 * The head fed last and what the parser made of it. A target's heads are the same bytes most of the
 * time (a Date changes once a second), and comparing them costs a tenth of parsing them. The parser
 * being pure, the outcome cannot differ. Zeroed: nothing remembered.
 */
struct load_memo {
    size_t len; /* 0: nothing */
    bool head;  /* it answered a HEAD */
    struct load_response after;
    char bytes[LOAD_MEMO_MAX];
};

/* load_response_feed, remembering heads that come in one piece. */
enum load_parse load_response_feed_memo(struct load_response *response, struct load_memo *memo,
                                        const char *data, size_t len, size_t *used);

#endif
