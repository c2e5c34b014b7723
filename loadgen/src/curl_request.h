/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A route's request as libcurl wants it: in parts. They are cut from the bytes that the native
 * engine would send, so that both engines send the same request, fields ({{seq}}...) included, and
 * refuse the same ones.
 */
#ifndef LOAD_CURL_REQUEST_H
#define LOAD_CURL_REQUEST_H

#include "http_parts.h"

struct load_curl_request {
    struct load_request whole; /* owned */
    const char *method;        /* the route's */
    struct load_span path;
    struct load_span *lines; /* headers but for Content-Length; owned */
    size_t line_count;
    struct load_span body;
    bool has_body;    /* and may be empty: Content-Length: 0 */
    bool moving_head; /* there are fields in path or headers... */
    bool moving_body; /* ...or in the body */
};

/* spec must outlive it. As load_request_build. */
bool load_curl_request_build(struct load_curl_request *out, const struct load_spec *spec,
                             const struct load_route *route, struct base_error *err);
void load_curl_request_fini(struct load_curl_request *request); /* accepts a zeroed value */

#endif
