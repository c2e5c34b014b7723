/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hands a request to one of an upstream's peers and its answer back. One second try, on another
 * peer, when the first could not be answered or was answered 502, 503 or 504, the method is
 * idempotent (RFC 9110, 9.2.2), time is left, and the retry budget allows it.
 */
#ifndef GATEWAY_PROXY_H
#define GATEWAY_PROXY_H

#include "upstream.h"

struct proxy_limits {
    struct dur_ns connect; /* of a try */
    struct dur_ns try_timeout;
    struct dur_ns deadline; /* from the request's arrival on */
};

/* Answers the request sooner or later; upstream and limits outlive it. */
void proxy_request(struct upstream *upstream, const struct proxy_limits *limits,
                   struct kit_request *request);

#endif
