/* SPDX-License-Identifier: Apache-2.0 */
/* Plain TCP on a stream: a route's body is what is sent, and a response ends with certain bytes or
 * after so many. */
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "protocol.h"

static const size_t message_max = (size_t)64 * 1024 * 1024;

struct parser {
    const struct load_request *request;
    size_t matched; /* so many bytes of what ends the response came last */
    uint64_t left;  /* of a response of known length */
};
_Static_assert(sizeof(struct parser) <= LOAD_PARSER_MAX, "it lies in the connection");

static bool build(struct load_request *out, const struct load_spec *spec,
                  const struct load_route *route, struct base_error *err)
{
    (void)spec;
    if (route->body == NULL || *route->body == '\0')
        return base_fail(err, BASE_INVALID, "route \"%s\": the body must have what is to be sent",
                         route->name);
    if (route->body_file != NULL || route->header_count > 0)
        return base_fail(err, BASE_INVALID, "route \"%s\": headers and a body's file are for HTTP",
                         route->name);
    if (!load_request_check_fields(route, route->body, err))
        return false;
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, message_max);
    struct load_request made = {.file = -1, .answer_bytes = route->answer_bytes};
    made.until = route->until != NULL ? route->until : "\n";
    made.until_len = strlen(made.until);
    load_request_fill(&made, &buf, route->body);
    made.len = made.total = buf.len;
    made.bytes = base_buf_steal(&buf);
    if (made.bytes == NULL) {
        load_request_fini(&made);
        return base_fail(err, BASE_LIMIT, "route \"%s\": the body exceeds %zu bytes", route->name,
                         message_max);
    }
    *out = made;
    return true;
}

static void start(void *memory, const struct load_request *request)
{
    *(struct parser *)memory = (struct parser){.request = request, .left = request->answer_bytes};
}

/* After `matched` bytes of the text came another one: how many of it match now. Shorter beginnings
 * are tried only where one broke off, which is rare in what ends a message. */
static size_t match_on(const struct load_request *request, size_t matched, char byte)
{
    const char *text = request->until;
    while (text[matched] != byte) {
        if (matched == 0)
            return 0;
        size_t shorter = matched - 1;
        while (memcmp(text, text + matched - shorter, shorter) != 0)
            shorter--;
        matched = shorter;
    }
    return matched + 1;
}

static enum load_parse feed(void *memory, void *unused, const char *data, size_t len, size_t *used)
{
    struct parser *parser = memory;
    const struct load_request *request = parser->request;
    (void)unused;
    if (request->answer_bytes > 0) {
        *used = len < parser->left ? len : (size_t)parser->left;
        parser->left -= *used;
        return parser->left == 0 ? LOAD_PARSE_DONE : LOAD_PARSE_MORE;
    }
    for (size_t i = 0; i < len; i++) {
        if (parser->matched == 0) {
            const char *first = memchr(data + i, request->until[0], len - i);
            i = first == NULL ? len - 1 : (size_t)(first - data);
        }
        parser->matched = match_on(request, parser->matched, data[i]);
        if (parser->matched == request->until_len) {
            *used = i + 1;
            return LOAD_PARSE_DONE;
        }
    }
    *used = len;
    return LOAD_PARSE_MORE;
}

static enum load_parse eof(void *memory)
{
    (void)memory;
    return LOAD_PARSE_BAD;
}

static bool judge(const void *memory, struct load_outcome *outcome)
{
    (void)memory;
    outcome->ok = true;
    return true;
}

const struct load_protocol load_tcp_protocol = {
    .build = build,
    .start = start,
    .feed = feed,
    .eof = eof,
    .judge = judge,
};
