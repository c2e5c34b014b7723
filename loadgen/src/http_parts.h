/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a request of HTTP/1.1 (http_request.h, passage.h), for engines that send the same
 * request in another form. */
#ifndef LOAD_HTTP_PARTS_H
#define LOAD_HTTP_PARTS_H

#include "http_request.h"

struct load_span {
    size_t at; /* in the request's bytes */
    size_t len;
};

struct load_parts {
    struct load_span method;
    struct load_span path;
    struct load_span *lines; /* of the head, without CR LF; owned */
    size_t line_count;
    struct load_span body;
};

/* whole is a request that one of the two above has made. */
void load_parts_cut(struct load_parts *out, const struct load_request *whole);
void load_parts_fini(struct load_parts *parts); /* accepts a zeroed value */

#endif
