/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request as HTTP/2 has it: fields and a body, both cut from the bytes that HTTP/1.1 would send,
 * so that either way the same is asked, {{fields}} included.
 */
#ifndef LOAD_HTTP2_REQUEST_H
#define LOAD_HTTP2_REQUEST_H

#include "http2_session.h"
#include "http_request.h"

struct load_h2_request {
    struct load_request whole; /* owned; names of fields in lower case */
    struct load_h2_head *head; /* points into it; owned */
    size_t body_at;
};

/* Whether HTTP/2 has what the spec's headers say, those of flows among them: BASE_INVALID for what
 * is about the connection (RFC 9113 section 8.2.2). */
bool load_h2_request_check(const struct load_spec *spec, struct base_error *err);
bool load_h2_request_build(struct load_h2_request *out, const struct load_spec *spec,
                           const struct load_route *route, struct base_error *err);
void load_h2_request_fini(struct load_h2_request *request); /* accepts a zeroed value */

/* The head of a request, whose bytes are changed: HTTP/2 has names in lower case. free() it. */
struct load_h2_head *load_h2_request_head(const struct load_request *whole, bool tls,
                                          size_t *body_at);
/* The body of a request whose bytes are `bytes`. */
static inline struct load_h2_body load_h2_request_body(const struct load_request *whole,
                                                       const char *bytes, size_t body_at)
{
    return (struct load_h2_body){.bytes = bytes + body_at,
                                 .len = whole->len - body_at,
                                 .file = whole->file,
                                 .total = whole->total - body_at};
}

#endif
