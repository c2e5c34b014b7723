/* SPDX-License-Identifier: Apache-2.0 */
#include "http_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"

static const size_t request_max = (size_t)64 * 1024 * 1024;

/* Printable ASCII without the given bytes: what a method or a request target may hold. */
static bool is_word(const char *text, const char *without)
{
    if (*text == '\0')
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c == 0x7f || strchr(without, *c) != NULL)
            return false;
    return true;
}

static bool is_line(const char *text)
{
    return strpbrk(text, "\r\n") == NULL;
}

static bool header_is(const char *line, const char *name)
{
    size_t len = strlen(name);
    return strncasecmp(line, name, len) == 0 && line[len] == ':';
}

static bool has_header(const struct load_route *route, const char *name)
{
    for (size_t i = 0; i < route->header_count; i++)
        if (header_is(route->headers[i], name))
            return true;
    return false;
}

static bool check_headers(const struct load_route *route, struct base_error *err)
{
    for (size_t i = 0; i < route->header_count; i++) {
        const char *line = route->headers[i];
        const char *colon = strchr(line, ':');
        BASE_AUTO_FREE char *name = base_str_ndup(line, colon == NULL ? 0 : (size_t)(colon - line));
        if (colon == NULL || !is_line(line) || !is_word(name, "\"(),/:;<=>?@[\\]{}"))
            return base_fail(err, BASE_INVALID,
                             "route \"%s\": header \"%s\" is not of the form \"Name: value\"",
                             route->name, line);
        if (header_is(line, "Transfer-Encoding") || header_is(line, "Content-Length"))
            return base_fail(err, BASE_INVALID,
                             "route \"%s\": header \"%s\" must be left out, it follows from the "
                             "body",
                             route->name, line);
    }
    return true;
}

static bool check_route(const char *host, const struct load_route *route, struct base_error *err)
{
    if (!is_word(route->method, "\"(),/:;<=>?@[\\]{}"))
        return base_fail(err, BASE_INVALID, "route \"%s\": \"%s\" is not an HTTP method",
                         route->name, route->method);
    if (!is_word(route->path, "#") || (route->path[0] != '/' && !base_str_eq(route->path, "*")))
        return base_fail(err, BASE_INVALID,
                         "route \"%s\": path \"%s\" must begin with / and have no spaces",
                         route->name, route->path);
    if (host == NULL || !is_word(host, "/?#"))
        return base_fail(err, BASE_INVALID, "host \"%s\" is not a host name",
                         host == NULL ? "" : host);
    return check_headers(route, err);
}

static bool carries_length(const struct load_route *route)
{
    static const char *const with_body[] = {"POST", "PUT", "PATCH"};
    if (route->body != NULL)
        return true;
    for (size_t i = 0; i < sizeof with_body / sizeof *with_body; i++)
        if (base_str_eq(route->method, with_body[i]))
            return true;
    return false;
}

static void write_head(struct base_buf *buf, const char *host, const struct load_route *route)
{
    base_buf_printf(buf, "%s %s HTTP/1.1\r\n", route->method, route->path);
    if (!has_header(route, "Host"))
        base_buf_printf(buf, "Host: %s\r\n", host);
    if (!has_header(route, "User-Agent"))
        base_buf_str(buf, "User-Agent: squall-load\r\n");
    if (!has_header(route, "X-Traffic"))
        base_buf_str(buf, "X-Traffic: load\r\n");
    for (size_t i = 0; i < route->header_count; i++)
        base_buf_printf(buf, "%s\r\n", route->headers[i]);
    if (carries_length(route))
        base_buf_printf(buf, "Content-Length: %zu\r\n",
                        route->body == NULL ? (size_t)0 : strlen(route->body));
    base_buf_str(buf, "\r\n");
}

bool load_request_build(struct load_request *out, const char *host, const struct load_route *route,
                        struct base_error *err)
{
    if (!check_route(host, route, err))
        return false;
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, request_max);
    write_head(&buf, host, route);
    if (route->body != NULL)
        base_buf_str(&buf, route->body);
    size_t len = buf.len;
    char *bytes = base_buf_steal(&buf);
    if (bytes == NULL)
        return base_fail(err, BASE_LIMIT, "route \"%s\": the request exceeds %zu bytes",
                         route->name, request_max);
    *out = (struct load_request){
        .bytes = bytes, .len = len, .head = base_str_eq(route->method, "HEAD")};
    return true;
}

void load_request_fini(struct load_request *request)
{
    free(request->bytes);
    *request = (struct load_request){0};
}
