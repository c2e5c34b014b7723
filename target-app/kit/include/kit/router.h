/* SPDX-License-Identifier: Apache-2.0 */
/* Paths to handlers: patterns of literal and `:name` segments, with a method table for each. */
#ifndef KIT_ROUTER_H
#define KIT_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

struct kit_request;
typedef void kit_handler(void *ctx, struct kit_request *request);

struct kit_route {
    const char *method;  /* GET answers HEAD too */
    const char *pattern; /* "/api/users/:id"; must outlive the router, as must method */
    kit_handler *handler;
};

enum { KIT_PARAMS_MAX = 4, KIT_ALLOW_TEXT = 96 };

enum kit_match_result { KIT_MATCHED, KIT_NO_PATH, KIT_NO_METHOD };

struct kit_match {
    kit_handler *handler;
    void *ctx;
    const char *pattern;
    size_t param_count;
    const char *names[KIT_PARAMS_MAX]; /* into storage, as are the values */
    const char *values[KIT_PARAMS_MAX];
    char *storage;
    char allow[KIT_ALLOW_TEXT]; /* KIT_NO_METHOD: "GET, HEAD, POST" */
};

struct kit_router;

struct kit_router *kit_router_new(void);
void kit_router_free(struct kit_router *router);
/* false for a malformed pattern, more than KIT_PARAMS_MAX parameters, or a duplicate. */
bool kit_router_add(struct kit_router *router, const struct kit_route *route, void *ctx);
/* path is decoded and begins with '/'. When several patterns fit, the one that is literal at the
 * first segment where they differ wins. Segments "." and ".." and empty ones fit nothing. The match
 * must be finished whatever the result. */
enum kit_match_result kit_router_match(const struct kit_router *router, const char *method,
                                       const char *path, struct kit_match *match);
const char *kit_match_param(const struct kit_match *match, const char *name); /* or NULL */
void kit_match_fini(struct kit_match *match);
/* Calls visit for each route in order of adding. */
void kit_router_each(const struct kit_router *router,
                     void (*visit)(void *ctx, const char *method, const char *pattern), void *ctx);

#endif
