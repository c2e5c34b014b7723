/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 on a stream. */
#include "http_memo.h"
#include "http_proxy.h"
#include "protocol.h"

_Static_assert(sizeof(struct load_response) <= LOAD_PARSER_MAX, "it lies in the connection");

static bool build(struct load_request *out, const struct load_spec *spec,
                  const struct load_route *route, struct base_error *err)
{
    return load_spec_asks_proxy(spec) ? load_proxy_build(out, spec, route, err)
                                      : load_request_build(out, spec->host, route, err);
}

static void start(void *parser, const struct load_request *request)
{
    load_response_start(parser, request->head);
}

static enum load_parse feed(void *parser, void *memory, const char *data, size_t len, size_t *used)
{
    return load_response_feed_memo(parser, memory, data, len, used);
}

static const char *fault(const void *parser)
{
    return ((const struct load_response *)parser)->fault;
}

static enum load_parse eof(void *parser)
{
    return load_response_eof(parser);
}

static bool judge(const void *parser, struct load_outcome *outcome)
{
    const struct load_response *response = parser;
    load_outcome_status(outcome, response->status);
    return !response->close;
}

static bool in_body(const void *parser)
{
    return load_response_has_head(parser);
}

const struct load_protocol load_http1_protocol = {
    .memory_size = sizeof(struct load_memo),
    .for_each_target = load_spec_asks_proxy,
    .build = build,
    .start = start,
    .feed = feed,
    .fault = fault,
    .eof = eof,
    .judge = judge,
    .in_body = in_body,
};
