/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 between a client and a server, in step with both: requests that come in a row
 * (pipelining) are forwarded one at a time, so that each answer is known to be whose. Bodies pass
 * by their framing. What is not plainly HTTP/1.1 passes unread from there on, in both directions,
 * as does what follows an upgrade. Pure: the caller brings bytes and time, and moves by itself what
 * need not be read (flow).
 */
#ifndef CHAOS_HTTP_EXCHANGE_H
#define CHAOS_HTTP_EXCHANGE_H

#include "base/random.h"
#include "http_rules.h"
#include "proxy_half.h"
#include "proxy_pace.h"

enum http_request_phase {
    HTTP_REQUEST_HEAD,
    HTTP_REQUEST_HELD,
    HTTP_REQUEST_BODY,
    HTTP_REQUEST_SENT
};
enum http_answer_phase { HTTP_ANSWER_NONE, HTTP_ANSWER_HEAD, HTTP_ANSWER_BODY };

struct http_body {
    enum http_framing framing;
    uint64_t left;
    struct http_chunks chunks;
};

struct http_exchange {
    const struct http_rules *rules; /* outlive it */
    struct base_rng *rng;
    struct proxy_half half[2]; /* by the end that it comes from */
    struct http_flow {
        bool wanted;   /* the next `left` bytes of that end go on unread, when `out` is empty */
        uint64_t left; /* UINT64_MAX: all that come */
    } flow[2];
    enum http_request_phase request;
    enum http_answer_phase answer;
    struct http_body sent;  /* of the request */
    struct http_body heard; /* of the answer */
    bool discard;           /* the request's body goes nowhere: it has been answered here */
    bool tunnel;            /* all passes unread */
    bool hit;               /* the request under way is one of those */
    bool last;              /* close when all has been written: no more is said to the client */
    char method[8];         /* of the request under way; "HEAD" and "CONNECT" matter */
    uint64_t allowed;       /* truncate: bytes of the body that may still pass */
    bool paced;             /* slow body */
    struct proxy_pace pace;
    struct mono_ns held_until; /* HTTP_REQUEST_HELD */
};

void http_exchange_init(struct http_exchange *exchange, const struct http_rules *rules,
                        struct base_rng *rng);
void http_exchange_fini(struct http_exchange *exchange); /* accepts a zeroed value */

/* Whether what that end sends is to be read into its half. */
bool http_exchange_reads(const struct http_exchange *exchange, enum proxy_end from);
/* Moves what may be moved; false: nothing, until something comes, goes or is due. */
bool http_exchange_step(struct http_exchange *exchange, struct mono_ns now);
/* When something becomes due that is not now; false: nothing. */
bool http_exchange_next(const struct http_exchange *exchange, struct mono_ns now,
                        struct mono_ns *out);
/* A flow is over, with so much of it left: that end has said its last. */
void http_exchange_flowed(struct http_exchange *exchange, enum proxy_end from, uint64_t left);
/* Whether the other end may be told that this one has said its last. */
bool http_exchange_ends(const struct http_exchange *exchange, enum proxy_end from);

#endif
