/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a route's request, built once before the run. */
#ifndef LOAD_HTTP_REQUEST_H
#define LOAD_HTTP_REQUEST_H

#include "model/load.h"

struct load_request {
    char *bytes; /* owned */
    size_t len;
    bool head; /* method HEAD: the response has no body */
};

/* Host, User-Agent, X-Traffic: load and, where there is a body, Content-Length are added unless the
 * route brings its own. BASE_INVALID when a part would break the request's framing. */
bool load_request_build(struct load_request *out, const char *host, const struct load_route *route,
                        struct base_error *err);
void load_request_fini(struct load_request *request); /* accepts a zeroed value */

#endif
