/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/router.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { SEGMENTS_MAX = 16 };

/* A path cut at its slashes; the pieces point into a copy. */
struct segments {
    char *copy;
    char *piece[SEGMENTS_MAX];
    size_t count;
};

struct entry {
    struct kit_route route;
    void *ctx;
    struct segments segments;
    uint32_t literal; /* the first segment's bit is the highest: larger is more literal earlier */
};

struct kit_router {
    struct entry *entries;
    size_t count;
};

static bool split(const char *path, struct segments *out)
{
    memset(out, 0, sizeof *out);
    if (path[0] != '/')
        return false;
    out->copy = base_str_dup(path);
    char *p = out->copy + 1;
    while (*p != '\0' || out->count > 0) {
        if (out->count == SEGMENTS_MAX)
            return false;
        char *end = p + strcspn(p, "/");
        bool last = *end == '\0';
        *end = '\0';
        if (*p == '\0' || strcmp(p, ".") == 0 || strcmp(p, "..") == 0)
            return false;
        out->piece[out->count++] = p;
        if (last)
            return true;
        p = end + 1;
    }
    return true; /* "/" has no segments */
}

struct kit_router *kit_router_new(void)
{
    return base_calloc(1, sizeof(struct kit_router));
}

void kit_router_free(struct kit_router *router)
{
    if (router == NULL)
        return;
    for (size_t i = 0; i < router->count; i++)
        free(router->entries[i].segments.copy);
    free(router->entries);
    free(router);
}

static bool weigh(struct entry *entry)
{
    size_t params = 0;
    for (size_t i = 0; i < entry->segments.count; i++) {
        if (entry->segments.piece[i][0] != ':')
            entry->literal |= 1U << (31 - i);
        else if (++params > KIT_PARAMS_MAX || entry->segments.piece[i][1] == '\0')
            return false;
    }
    return true;
}

bool kit_router_add(struct kit_router *router, const struct kit_route *route, void *ctx)
{
    for (size_t i = 0; i < router->count; i++) {
        const struct kit_route *known = &router->entries[i].route;
        if (strcmp(known->method, route->method) == 0 &&
            strcmp(known->pattern, route->pattern) == 0)
            return false;
    }
    struct entry entry = {.route = *route, .ctx = ctx};
    if (!split(route->pattern, &entry.segments) || !weigh(&entry)) {
        free(entry.segments.copy);
        return false;
    }
    router->entries =
        base_reallocarray(router->entries, router->count + 1, sizeof *router->entries);
    router->entries[router->count++] = entry;
    return true;
}

static bool fits(const struct entry *entry, const struct segments *path)
{
    if (entry->segments.count != path->count)
        return false;
    for (size_t i = 0; i < path->count; i++) {
        const char *piece = entry->segments.piece[i];
        if (piece[0] != ':' && strcmp(piece, path->piece[i]) != 0)
            return false;
    }
    return true;
}

static bool answers(const struct entry *entry, const char *method)
{
    return strcmp(entry->route.method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(entry->route.method, "GET") == 0);
}

static void allow(struct kit_match *match, const char *method)
{
    size_t len = strlen(match->allow);
    snprintf(match->allow + len, sizeof match->allow - len, "%s%s%s", len > 0 ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

static void bind_params(struct kit_match *match, const struct entry *entry,
                        const struct segments *path)
{
    for (size_t i = 0; i < path->count; i++) {
        if (entry->segments.piece[i][0] == ':') {
            match->names[match->param_count] = entry->segments.piece[i] + 1;
            match->values[match->param_count++] = path->piece[i];
        }
    }
}

enum kit_match_result kit_router_match(const struct kit_router *router, const char *method,
                                       const char *path, struct kit_match *match)
{
    memset(match, 0, sizeof *match);
    struct segments segments;
    bool sound = split(path, &segments);
    match->storage = segments.copy;
    if (!sound)
        return KIT_NO_PATH;
    const struct entry *best = NULL; /* of the fitting patterns */
    for (size_t i = 0; i < router->count; i++) {
        const struct entry *entry = &router->entries[i];
        if (fits(entry, &segments) && (best == NULL || entry->literal > best->literal))
            best = entry;
    }
    if (best == NULL)
        return KIT_NO_PATH;
    match->pattern = best->route.pattern;
    for (size_t i = 0; i < router->count; i++) {
        const struct entry *entry = &router->entries[i];
        if (strcmp(entry->route.pattern, match->pattern) != 0)
            continue;
        if (answers(entry, method)) {
            match->handler = entry->route.handler;
            match->ctx = entry->ctx;
            bind_params(match, entry, &segments);
            return KIT_MATCHED;
        }
        allow(match, entry->route.method);
    }
    return KIT_NO_METHOD;
}

const char *kit_match_param(const struct kit_match *match, const char *name)
{
    for (size_t i = 0; i < match->param_count; i++) {
        if (strcmp(match->names[i], name) == 0)
            return match->values[i];
    }
    return NULL;
}

void kit_match_fini(struct kit_match *match)
{
    free(match->storage);
    match->storage = NULL;
}

void kit_router_each(const struct kit_router *router,
                     void (*visit)(void *ctx, const char *method, const char *pattern), void *ctx)
{
    for (size_t i = 0; i < router->count; i++)
        visit(ctx, router->entries[i].route.method, router->entries[i].route.pattern);
}
