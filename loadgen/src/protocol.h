/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said on a stream (stream.h): how a route becomes the bytes of a request, and when the
 * bytes of its response are whole. One response at a time; pure but for build.
 */
#ifndef LOAD_PROTOCOL_H
#define LOAD_PROTOCOL_H

#include "driver.h"
#include "http_request.h"
#include "parse.h"

#define LOAD_MORE_THAN_ASKED "more came than the answers to what was asked"

enum { LOAD_PARSER_MAX = 256 }; /* bytes that a connection has for its parser */

struct load_protocol {
    size_t memory_size; /* of what a thread remembers of each route's responses; 0: nothing */
    /* Each target has requests of its own: that of the spec's first is built. NULL: none has. */
    bool (*for_each_target)(const struct load_spec *spec);
    /* BASE_INVALID for a route that cannot be sent. */
    bool (*build)(struct load_request *out, const struct load_spec *spec,
                  const struct load_route *route, struct base_error *err);
    /* A request is about to be sent. */
    void (*start)(void *parser, const struct load_request *request);
    /* Takes bytes until the response is whole or wrong; *used of them belonged to it. */
    enum load_parse (*feed)(void *parser, void *memory, const char *data, size_t len, size_t *used);
    /* What was wrong, when feed said BAD; valid until the parser starts anew. NULL: it never says
     * so. */
    const char *(*fault)(const void *parser);
    /* The connection ended: DONE when that is how this response ends, otherwise BAD. */
    enum load_parse (*eof)(void *parser);
    /* Of a whole response: ok, or else the failure. False: the connection is not to be used again.
     */
    bool (*judge)(const void *parser, struct load_outcome *outcome);
    void (*fini)(void *parser); /* NULL: there is nothing to free; accepts a zeroed one */
    /* Pipelined (fifo.c): a response was whole, the next one may follow; whether bytes of it lie in
     * the parser already, which feeding nothing looks at. NULL: it keeps no bytes, start serves. */
    bool (*next)(void *parser);
    /* The response's head is whole. NULL: the protocol has no errands (errand.h). */
    bool (*in_body)(const void *parser);
};

extern const struct load_protocol load_http1_protocol;
extern const struct load_protocol load_redis_protocol;
extern const struct load_protocol load_tcp_protocol;

#endif
