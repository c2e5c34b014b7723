/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a route's request, built once before the run. Fields that differ from request to
 * request have a fixed width, so that writing them is all there is to do:
 *   {{seq}}   the number of the arrival, or in the closed model of the request (of users who take
 *             turns), 12 digits: of its own for every request of a run, and the same in every run
 *   {{rand}}  16 random hexadecimal digits
 * in the path, in headers and in the body.
 */
#ifndef LOAD_HTTP_REQUEST_H
#define LOAD_HTTP_REQUEST_H

#include "base/buf.h"
#include "base/random.h"
#include "model/load.h"

struct load_patch {
    size_t at; /* in bytes */
    bool random;
};

struct load_request {
    char *bytes; /* owned */
    size_t len;
    struct load_patch *patches; /* owned */
    size_t patch_count;
    int file; /* what follows the bytes, read at offsets of its own by every connection; -1: none */
    size_t total;      /* len, and the file's size */
    bool head;         /* method HEAD: the response has no body */
    const char *until; /* plain TCP: what the response ends with, of the route; else NULL */
    size_t until_len;
    uint64_t answer_bytes; /* plain TCP: how long the response is; 0: until tells */
};

/* What a request has that depends on the way it takes (http_proxy.h). */
struct load_request_way {
    const char *origin; /* before the path: "http://HOST:PORT"; "": nothing */
    const char *lines;  /* of the head, each with its end; "": none */
};

/* Opens the body's file, which must be a regular one. Host, User-Agent, X-Traffic: load and, where
 * there is a body, Content-Length are added unless the route brings its own. BASE_INVALID when a
 * part would break the request's framing. */
bool load_request_build(struct load_request *out, const char *host, const struct load_route *route,
                        struct base_error *err);
bool load_request_build_for(struct load_request *out, const char *host,
                            const struct load_route *route, const struct load_request_way *way,
                            struct base_error *err);
/* Writes the fields into a copy of its bytes. */
void load_request_patch(const struct load_request *request, char *bytes, uint64_t number,
                        struct base_rng *rng);
/* The same for other protocols. Whether all {{fields}} in the text, which may be NULL, are known;
 * how long it is with them filled in; and appending it to what becomes the request's bytes. */
bool load_request_check_fields(const struct load_route *route, const char *text,
                               struct base_error *err);
size_t load_request_filled(const char *text);
void load_request_fill(struct load_request *request, struct base_buf *buf, const char *text);
void load_request_fini(struct load_request *request); /* accepts a zeroed value */
/* The header lines that every request has unless it brings its own. free() it. */
char *load_request_fixed(const char *host, char *const *headers, size_t count);
/* Whether a request of this method says how long its body is. */
bool load_request_has_length(const char *method, bool body);

#endif
