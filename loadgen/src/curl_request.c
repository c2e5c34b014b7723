/* SPDX-License-Identifier: Apache-2.0 */
#include "curl_request.h"

#include <stdlib.h>

#include "base/text.h"

/* libcurl says itself how long the body is. */
static void drop_length(struct load_curl_request *request)
{
    static const char length[] = "Content-Length:";
    size_t kept = 0;
    for (size_t i = 0; i < request->line_count; i++) {
        if (base_str_starts(request->whole.bytes + request->lines[i].at, length))
            request->has_body = true;
        else
            request->lines[kept++] = request->lines[i];
    }
    request->line_count = kept;
}

static void cut(struct load_curl_request *request)
{
    const struct load_request *whole = &request->whole;
    struct load_parts parts;
    load_parts_cut(&parts, whole);
    request->path = parts.path;
    request->lines = parts.lines; /* owned from here on */
    request->line_count = parts.line_count;
    request->body = parts.body;
    drop_length(request);
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
