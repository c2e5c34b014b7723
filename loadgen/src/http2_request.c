/* SPDX-License-Identifier: Apache-2.0 */
#include "http2_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "http_bytes.h"
#include "http_parts.h"

enum { PSEUDO = 4 }; /* :method, :scheme, :authority, :path */

static bool check_line(const char *where, const char *line, struct base_error *err)
{
    static const char *const unknown[] = {"Connection",        "Keep-Alive", "Proxy-Connection",
                                          "Transfer-Encoding", "Upgrade",    "TE"};
    size_t len = strcspn(line, ":");
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        if (strlen(unknown[i]) == len && strncasecmp(line, unknown[i], len) == 0)
            return base_fail(err, BASE_INVALID,
                             "\"%s\": header \"%s\" is about a connection of HTTP/1.1, which "
                             "HTTP/2 has not: leave it out",
                             where, line);
    return true;
}

static bool check_steps(const struct load_step *steps, size_t count, struct base_error *err)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < steps[i].header_count; k++)
            if (!check_line(steps[i].name, steps[i].headers[k], err))
                return false;
    return true;
}

bool load_h2_request_check(const struct load_spec *spec, struct base_error *err)
{
    for (size_t i = 0; i < spec->route_count; i++)
        for (size_t k = 0; k < spec->routes[i].header_count; k++)
            if (!check_line(spec->routes[i].name, spec->routes[i].headers[k], err))
                return false;
    for (size_t i = 0; i < spec->flow_count; i++) {
        const struct load_flow *flow = &spec->flows[i];
        if (!check_steps(flow->steps, flow->step_count, err) ||
            !check_steps(flow->setup, flow->setup_count, err) ||
            !check_steps(flow->teardown, flow->teardown_count, err))
            return false;
    }
    return true;
}

/* Whether some of these bytes are filled in anew for each request. */
static bool is_moving(const struct load_request *whole, const struct load_span *span)
{
    for (size_t i = 0; i < whole->patch_count; i++)
        if (whole->patches[i].at >= span->at && whole->patches[i].at < span->at + span->len)
            return true;
    return false;
}

static void set(struct load_h2_head *head, size_t at, const char *name, size_t name_len,
                const struct load_request *whole, struct load_span value)
{
    while (value.len > 0 && load_is_blank(whole->bytes[value.at])) {
        value.at++;
        value.len--;
    }
    while (value.len > 0 && load_is_blank(whole->bytes[value.at + value.len - 1]))
        value.len--;
    load_h2_head_set(head, at, name, name_len, whole->bytes + value.at, value.len,
                     is_moving(whole, &value));
}

/* A field of its own. The host has another name here, and a place before the others. */
static void add_line(struct load_h2_head *head, size_t *count, bool *named,
                     const struct load_request *whole, const struct load_span *line)
{
    char *name = whole->bytes + line->at;
    size_t len = (size_t)((char *)memchr(name, ':', line->len) - name);
    struct load_span value = {line->at + len + 1, line->len - len - 1};
    for (size_t i = 0; i < len; i++)
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] = (char)(name[i] + ('a' - 'A'));
    if (*named || len != 4 || memcmp(name, "host", 4) != 0) {
        set(head, (*count)++, name, len, whole, value);
        return;
    }
    *named = true;
    set(head, 2, ":authority", 10, whole, value);
}

struct load_h2_head *load_h2_request_head(const struct load_request *whole, bool tls,
                                          size_t *body_at)
{
    struct load_parts parts;
    size_t count = PSEUDO;
    bool named = false;
    load_parts_cut(&parts, whole);
    /* One of the lines is the host, which is among the four here. */
    struct load_h2_head *head = load_h2_head_new(PSEUDO + parts.line_count - 1);
    set(head, 0, ":method", 7, whole, parts.method);
    load_h2_head_set(head, 1, ":scheme", 7, tls ? "https" : "http", tls ? 5 : 4, false);
    set(head, 3, ":path", 5, whole, parts.path);
    for (size_t i = 0; i < parts.line_count; i++)
        add_line(head, &count, &named, whole, &parts.lines[i]);
    *body_at = parts.body.at;
    load_parts_fini(&parts);
    return head;
}

bool load_h2_request_build(struct load_h2_request *out, const struct load_spec *spec,
                           const struct load_route *route, struct base_error *err)
{
    struct load_h2_request made = {.body_at = 0};
    if (!load_request_build(&made.whole, spec->host, route, err))
        return false;
    made.head = load_h2_request_head(&made.whole, spec->tls.server_name != NULL, &made.body_at);
    *out = made;
    return true;
}

void load_h2_request_fini(struct load_h2_request *request)
{
    load_request_fini(&request->whole);
    free(request->head);
    *request = (struct load_h2_request){.head = NULL};
}
