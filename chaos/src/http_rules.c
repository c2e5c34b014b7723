/* SPDX-License-Identifier: Apache-2.0 */
#include "http_rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "measure.h"

enum { max_exempt = 6, probe_max = 16384 };

struct http_rules {
    const struct fault_spec *spec;
    char *exempt[max_exempt];
    size_t exempt_count;
    char *probe;
};

static void spare(struct http_rules *rules, const char *path)
{
    const char *own = rules->spec->http.path;
    const char *prefix = rules->spec->http.path_prefix;
    bool named = (own != NULL && base_str_starts(own, path)) ||
                 (prefix != NULL && base_str_starts(prefix, path));
    if (path == NULL || named || rules->exempt_count == max_exempt)
        return;
    rules->exempt[rules->exempt_count++] = base_str_dup(path);
}

static char *make_probe(const struct fault_spec *spec, struct base_error *err);

struct http_rules *http_rules_new(const struct fault_spec *spec, const struct topo_service *service,
                                  struct base_error *err)
{
    static const char *const always[] = {"/health", "/ready", "/metrics", "/api/chaos"};
    struct http_rules *rules = base_calloc(1, sizeof *rules);
    rules->spec = spec;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        spare(rules, always[i]);
    if (service != NULL && service->health_path != NULL)
        spare(rules, service->health_path);
    if (service != NULL && service->ready_path != NULL)
        spare(rules, service->ready_path);
    rules->probe = make_probe(spec, err);
    if (rules->probe != NULL)
        return rules;
    http_rules_free(rules);
    return NULL;
}

void http_rules_free(void *value)
{
    struct http_rules *rules = value;
    for (size_t i = 0; rules != NULL && i < rules->exempt_count; i++)
        free(rules->exempt[i]);
    if (rules != NULL)
        free(rules->probe);
    free(rules);
}

const struct fault_spec *http_rules_spec(const struct http_rules *rules)
{
    return rules->spec;
}

/* --- matching --- */

/* Without the query, and without scheme and authority (RFC 9112, 3.2.2). */
static struct http_text path_of(struct http_text target)
{
    const char *scheme = memmem(target.at, target.len, "://", 3);
    const char *query = memchr(target.at, '?', target.len);
    if (query != NULL)
        target.len = (size_t)(query - target.at);
    if (target.len == 0 || target.at[0] == '/' || scheme == NULL ||
        scheme >= target.at + target.len)
        return target;
    size_t authority = (size_t)(scheme + 3 - target.at);
    const char *slash = memchr(target.at + authority, '/', target.len - authority);
    if (slash == NULL)
        return (struct http_text){"/", 1};
    return (struct http_text){slash, target.len - (size_t)(slash - target.at)};
}

static bool starts(struct http_text text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.at, prefix, len) == 0;
}

/* "/api/chaos" spares "/api/chaos/errors", not "/api/chaos-probe". */
static bool is_spared(const struct http_rules *rules, struct http_text path)
{
    for (size_t i = 0; i < rules->exempt_count; i++) {
        size_t len = strlen(rules->exempt[i]);
        if (starts(path, rules->exempt[i]) && (path.len == len || path.at[len] == '/'))
            return true;
    }
    return false;
}

/* "Name: value"; in the table of fields or in a list of ours. */
static bool is_field(const char *line, const struct http_field *field, bool with_value)
{
    const char *colon = strchr(line, ':');
    size_t name_len = colon != NULL ? (size_t)(colon - line) : strlen(line);
    BASE_AUTO_FREE char *name = base_str_ndup(line, name_len);
    if (!http_text_names(field->name, name))
        return false;
    const char *value = colon != NULL ? colon + 1 : "";
    value += strspn(value, " \t");
    return !with_value || http_text_is(field->value, value);
}

static bool has_field(const struct http_head *head, const char *line)
{
    struct http_text fields = head->fields;
    struct http_field field;
    while (http_field_next(&fields, &field))
        if (is_field(line, &field, true))
            return true;
    return false;
}

bool http_rules_match(const struct http_rules *rules, const struct http_head *request)
{
    const struct fault_spec *spec = rules->spec;
    struct http_text path = path_of(request->target);
    if (spec->http.method != NULL && !http_text_is(request->method, spec->http.method))
        return false;
    if (spec->http.path != NULL && !http_text_is(path, spec->http.path))
        return false;
    if (spec->http.path_prefix != NULL && !starts(path, spec->http.path_prefix))
        return false;
    for (size_t i = 0; i < spec->http.headers.count; i++)
        if (!has_field(request, spec->http.headers.list[i]))
            return false;
    return !is_spared(rules, path);
}

/* --- what is sent instead --- */

/* HTTP/1.0 takes a connection for ended unless it is told otherwise. */
static const char *fate_of_connection(const struct http_head *request, bool close)
{
    if (close)
        return "Connection: close\r\n\r\n";
    return request->minor == 0 ? "Connection: keep-alive\r\n\r\n" : "\r\n";
}

void http_rules_answer(const struct http_rules *rules, const struct http_head *request, bool close,
                       struct base_buf *out)
{
    const struct fault_spec *spec = rules->spec;
    const char *body = spec->http.body != NULL ? spec->http.body : "";
    int status = spec->http.status;
    bool bodiless = status == 204 || status == 304;
    base_buf_printf(out, "HTTP/1.1 %d Fault\r\n" HTTP_RULES_MARK ": %s\r\n", status, spec->name);
    if (!bodiless)
        base_buf_printf(out, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n",
                        strlen(body));
    base_buf_str(out, fate_of_connection(request, close));
    if (!bodiless && !http_text_is(request->method, "HEAD"))
        base_buf_str(out, body);
}

static bool is_listed(const struct fault_texts *texts, const struct http_field *field)
{
    for (size_t i = 0; i < texts->count; i++)
        if (is_field(texts->list[i], field, false))
            return true;
    return false;
}

void http_rules_patch(const struct http_rules *rules, const struct http_head *head,
                      const char *bytes, struct base_buf *out)
{
    const struct fault_texts *set = &rules->spec->http.set;
    const struct fault_texts *remove = &rules->spec->http.remove;
    struct http_text fields = head->fields;
    struct http_field field;
    base_buf_append(out, bytes, (size_t)(head->fields.at - bytes));
    while (http_field_next(&fields, &field))
        if (!is_listed(remove, &field) && !is_listed(set, &field))
            base_buf_append(out, field.line.at, field.line.len);
    for (size_t i = 0; i < set->count; i++)
        base_buf_printf(out, "%s\r\n", set->list[i]);
    base_buf_str(out, "\r\n");
}

bool http_rules_patched(const struct http_rules *rules, const struct http_head *head)
{
    struct http_text fields = head->fields;
    struct http_field field;
    while (http_field_next(&fields, &field))
        if (is_listed(&rules->spec->http.remove, &field))
            return false;
    for (size_t i = 0; i < rules->spec->http.set.count; i++)
        if (!has_field(head, rules->spec->http.set.list[i]))
            return false;
    return true;
}

/* --- measuring --- */

static bool is_safe(const char *method)
{
    return method == NULL || base_str_eq(method, "GET") || base_str_eq(method, "HEAD") ||
           base_str_eq(method, "OPTIONS");
}

/* Under a prefix, a path that no service has: the request is answered without being acted upon. */
static char *probe_path(const struct fault_spec *spec)
{
    const char *prefix = spec->http.path_prefix;
    if (spec->http.path != NULL)
        return base_str_dup(spec->http.path);
    if (prefix == NULL || base_str_starts(FAULT_MEASURE_PATH, prefix))
        return base_str_dup(FAULT_MEASURE_PATH);
    return base_str_printf("%s%schaos-probe", prefix, base_str_ends(prefix, "/") ? "" : "/");
}

const char *http_rules_probe(const struct http_rules *rules)
{
    return rules->probe;
}

static char *make_probe(const struct fault_spec *spec, struct base_error *err)
{
    const char *method = spec->http.method != NULL ? spec->http.method : "GET";
    if (spec->http.path != NULL && !is_safe(spec->http.method)) {
        (void)base_fail(err, BASE_INVALID,
                        "proving a fault on %s %s would take such requests, which change things; "
                        "give pathPrefix instead of path",
                        method, spec->http.path);
        return NULL;
    }
    BASE_AUTO_FREE char *path = probe_path(spec);
    struct base_buf out;
    base_buf_init(&out, probe_max);
    base_buf_printf(&out, "%s %s HTTP/1.1\r\nHost: squall-probe\r\nX-Traffic: probe\r\n", method,
                    path);
    for (size_t i = 0; i < spec->http.headers.count; i++)
        base_buf_printf(&out, "%s\r\n", spec->http.headers.list[i]);
    bool loses = spec->http.action == FAULT_HTTP_PATCH_REQUEST;
    for (size_t i = 0; loses && i < spec->http.remove.count; i++)
        if (strcasecmp(spec->http.remove.list[i], "Host") != 0)
            base_buf_printf(&out, "%s: squall-probe\r\n", spec->http.remove.list[i]);
    base_buf_str(&out, "Content-Length: 0\r\nConnection: close\r\n\r\n");
    char *text = base_buf_steal(&out);
    if (text == NULL)
        (void)base_fail(err, BASE_LIMIT, "the headers to match are too long");
    return text;
}
