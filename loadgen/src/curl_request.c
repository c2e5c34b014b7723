/* SPDX-License-Identifier: Apache-2.0 */
#include "curl_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Where the line that begins at this place ends: request_build wrote CR LF. */
static size_t line_end(const struct load_request *whole, size_t at)
{
    const char *end = memmem(whole->bytes + at, whole->len - at, "\r\n", 2);
    return end == NULL ? whole->len : (size_t)(end - whole->bytes);
}

static void add_line(struct load_curl_request *request, struct load_span line)
{
    static const char length[] = "Content-Length:";
    if (base_str_starts(request->whole.bytes + line.at, length)) {
        request->has_body = true; /* libcurl says how long it is */
        return;
    }
    request->lines =
        base_reallocarray(request->lines, request->line_count + 1, sizeof *request->lines);
    request->lines[request->line_count++] = line;
}

static void cut(struct load_curl_request *request)
{
    const struct load_request *whole = &request->whole;
    size_t end = line_end(whole, 0);
    request->path.at = strlen(request->method) + 1;
    request->path.len = end - strlen(" HTTP/1.1") - request->path.at;
    for (size_t at = end + 2; (end = line_end(whole, at)) > at; at = end + 2)
        add_line(request, (struct load_span){at, end - at});
    request->body = (struct load_span){end + 2, whole->len - end - 2};
    for (size_t i = 0; i < whole->patch_count; i++) {
        bool body = whole->patches[i].at >= request->body.at;
        request->moving_body |= body;
        request->moving_head |= !body;
    }
}

bool load_curl_request_build(struct load_curl_request *out, const struct load_spec *spec,
                             const struct load_route *route, struct base_error *err)
{
    struct load_curl_request made = {.method = route->method};
    if (!load_request_build(&made.whole, spec->host, route, err))
        return false;
    cut(&made);
    *out = made;
    return true;
}

void load_curl_request_fini(struct load_curl_request *request)
{
    load_request_fini(&request->whole);
    free(request->lines);
    *request = (struct load_curl_request){0};
}
