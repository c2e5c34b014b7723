/* SPDX-License-Identifier: Apache-2.0 */
#include "http_request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
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

static bool has_header(char *const *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (header_is(headers[i], name))
            return true;
    return false;
}

static const struct field {
    const char *text;
    bool random;
    size_t width;
} fields[] = {{"{{seq}}", false, 12}, {"{{rand}}", true, 16}};
enum { FIELDS = sizeof fields / sizeof *fields };

static const struct field *field_at(const char *text)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (base_str_starts(text, fields[i].text))
            return &fields[i];
    return NULL;
}

/* The name of a field, between its braces. */
static bool names_field(const char *word, size_t len)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (strlen(fields[i].text) == len + 4 && memcmp(fields[i].text + 2, word, len) == 0)
            return true;
    return false;
}

/* A word in double braces that is none of ours, and one of ours that has no end, are slips that
 * nobody would see on the wire. */
bool load_request_check_fields(const struct load_route *route, const char *text,
                               struct base_error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    for (const char *at = text; at != NULL && (at = strstr(at, "{{")) != NULL; at++) {
        size_t len = strspn(at + 2, letters);
        bool closed = base_str_starts(at + 2 + len, "}}");
        if (!closed && names_field(at + 2, len))
            return base_fail(err, BASE_INVALID,
                             "route \"%s\": the field \"%.40s\" has no end: write {{%.*s}}",
                             route->name, at, (int)len, at + 2);
        if (len > 0 && closed && field_at(at) == NULL)
            return base_fail(err, BASE_INVALID,
                             "route \"%s\": the field \"%.*s\" is unknown: use {{seq}} or {{rand}}",
                             route->name, (int)(len < 40 ? len + 4 : 40), at);
    }
    return true;
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
        if (!load_request_check_fields(route, line, err))
            return false;
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
    return load_request_check_fields(route, route->path, err) &&
           load_request_check_fields(route, route->body, err) && check_headers(route, err);
}

bool load_request_has_length(const char *method, bool body)
{
    static const char *const with_body[] = {"POST", "PUT", "PATCH"};
    for (size_t i = 0; i < sizeof with_body / sizeof *with_body; i++)
        body = body || base_str_eq(method, with_body[i]);
    return body;
}

char *load_request_fixed(const char *host, char *const *headers, size_t count)
{
    bool named = has_header(headers, count, "Host");
    return base_str_printf(
        "%s%s%s%s%s", named ? "" : "Host: ", named ? "" : host, named ? "" : "\r\n",
        has_header(headers, count, "User-Agent") ? "" : "User-Agent: squall-load\r\n",
        has_header(headers, count, "X-Traffic") ? "" : "X-Traffic: load\r\n");
}

/* How long the text is with its fields in place. */
size_t load_request_filled(const char *text)
{
    size_t len = 0;
    while (text != NULL && *text != '\0') {
        const struct field *field = field_at(text);
        len += field == NULL ? 1 : field->width;
        text += field == NULL ? 1 : strlen(field->text);
    }
    return len;
}

/* Appends the text, leaving room for its fields and noting where they are. */
void load_request_fill(struct load_request *request, struct base_buf *buf, const char *text)
{
    while (*text != '\0') {
        const struct field *field = field_at(text);
        if (field == NULL) {
            base_buf_char(buf, *text++);
            continue;
        }
        request->patches =
            base_reallocarray(request->patches, request->patch_count + 1, sizeof *request->patches);
        request->patches[request->patch_count++] =
            (struct load_patch){.at = buf->len, .random = field->random};
        base_buf_printf(buf, "%0*d", (int)field->width, 0);
        text += strlen(field->text);
    }
}

static void write_head(struct load_request *request, struct base_buf *buf, const char *host,
                       const struct load_route *route, const struct load_request_way *way)
{
    base_buf_printf(buf, "%s %s", route->method, way->origin);
    /* RFC 9112 section 3.2.4: a proxy is asked about all of a server without a path. */
    if (*way->origin == '\0' || !base_str_eq(route->path, "*"))
        load_request_fill(request, buf, route->path);
    BASE_AUTO_FREE char *fixed = load_request_fixed(host, route->headers, route->header_count);
    base_buf_printf(buf, " HTTP/1.1\r\n%s", fixed);
    for (size_t i = 0; i < route->header_count; i++) {
        load_request_fill(request, buf, route->headers[i]);
        base_buf_str(buf, "\r\n");
    }
    base_buf_str(buf, way->lines);
    if (load_request_has_length(route->method, route->body != NULL || route->body_file != NULL))
        base_buf_printf(buf, "Content-Length: %zu\r\n",
                        load_request_filled(route->body) + request->total);
    base_buf_str(buf, "\r\n");
}

/* Its size goes into total, to which the bytes before it are added. */
static bool open_file(struct load_request *request, const struct load_route *route,
                      struct base_error *err)
{
    struct stat about;
    if (route->body_file == NULL)
        return true;
    if (route->body != NULL)
        return base_fail(err, BASE_INVALID, "route \"%s\": a body and a file for it: give one",
                         route->name);
    int file = open(route->body_file, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) != 0) {
        int error = errno;
        base_fd_close(&file);
        return base_fail(err, BASE_INVALID, "route \"%s\": cannot read the body's file %s: %s",
                         route->name, route->body_file, strerrordesc_np(error));
    }
    if (!S_ISREG(about.st_mode)) {
        base_fd_close(&file);
        return base_fail(err, BASE_INVALID, "route \"%s\": the body's file %s is no regular file",
                         route->name, route->body_file);
    }
    request->total = (size_t)about.st_size;
    request->file = file;
    return true;
}

bool load_request_build(struct load_request *out, const char *host, const struct load_route *route,
                        struct base_error *err)
{
    static const struct load_request_way straight = {"", ""};
    return load_request_build_for(out, host, route, &straight, err);
}

bool load_request_build_for(struct load_request *out, const char *host,
                            const struct load_route *route, const struct load_request_way *way,
                            struct base_error *err)
{
    if (!check_route(host, route, err))
        return false;
    BASE_AUTO_BUF struct base_buf buf;
    base_buf_init(&buf, request_max);
    struct load_request made = {.head = base_str_eq(route->method, "HEAD"), .file = -1};
    if (!open_file(&made, route, err))
        return false;
    write_head(&made, &buf, host, route, way);
    if (route->body != NULL)
        load_request_fill(&made, &buf, route->body);
    made.len = buf.len;
    made.total += buf.len;
    made.bytes = base_buf_steal(&buf);
    if (made.bytes == NULL) {
        base_fd_close(&made.file);
        load_request_fini(&made);
        return base_fail(err, BASE_LIMIT, "route \"%s\": the request exceeds %zu bytes",
                         route->name, request_max);
    }
    *out = made;
    return true;
}

void load_request_patch(const struct load_request *request, char *bytes, uint64_t number,
                        struct base_rng *rng)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < request->patch_count; i++) {
        const struct load_patch *patch = &request->patches[i];
        uint64_t value = patch->random ? base_rng_u64(rng) : number;
        unsigned base = patch->random ? 16 : 10;
        for (size_t k = fields[patch->random].width; k-- > 0; value /= base)
            bytes[patch->at + k] = hex[value % base];
    }
}

void load_request_fini(struct load_request *request)
{
    free(request->bytes);
    free(request->patches);
    if (request->bytes != NULL && request->file >= 0) /* a zeroed one has none */
        base_fd_close(&request->file);
    *request = (struct load_request){0};
}
