/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that a proxy is asked (load_spec_asks_proxy): in absolute form (RFC 9112 section 3.2.2),
 * with what the proxy itself wants to know among their headers.
 */
#ifndef LOAD_HTTP_PROXY_H
#define LOAD_HTTP_PROXY_H

#include "http_request.h"

/* As load_request_build; for the first target. */
bool load_proxy_build(struct load_request *out, const struct load_spec *spec,
                      const struct load_route *route, struct base_error *err);

#endif
