/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP client for control traffic and for services calling each other: libcurl multi on the loop
 * (adapter: src/http_client.c), connections kept alive and reused. Not the load engine. The done
 * callback fires exactly once for each call that was started and not cancelled, never from inside
 * io_http_start, always on the loop.
 */
#ifndef IO_HTTP_CLIENT_H
#define IO_HTTP_CLIENT_H

#include "io/loop.h"
#include "io/tls.h"

struct io_http;
struct io_http_call;

/* For https://; each may be NULL. */
struct io_http_tls {
    const char *ca_file;   /* the system's authorities when NULL */
    const char *cert_file; /* of the client */
    const char *key_file;
    bool insecure; /* no verification */
};

struct io_http_request {
    const char *method; /* "GET" when NULL */
    const char *url;
    const char *const *headers; /* "Name: value" lines, NULL-terminated; NULL for none */
    const void *body;           /* copied; NULL for none */
    size_t body_len;
    struct dur_ns timeout;         /* of the whole call; 0 means 10 s */
    struct dur_ns connect_timeout; /* 0 means the whole timeout */
    size_t max_response;           /* bytes of body; 0 means 16 MiB; more is BASE_LIMIT */
    struct io_tls_files tls;       /* of an https:// URL */
};

struct io_http_response {
    bool ok;                 /* a whole response arrived, whatever its status */
    struct base_error error; /* when not ok: BASE_TIMEOUT, BASE_UNAVAILABLE, BASE_LIMIT... */
    bool connected;          /* when not ok: whether a connection had been made */
    int status;
    const char *body; /* NUL-terminated, valid during the callback */
    size_t body_len;
    const char *content_type; /* "" when absent */
    struct dur_ns elapsed;
    const void *handle; /* the adapter's, for io_http_response_header */
};

/* A header of the response by its name in any case, or NULL; of several the first. Valid during the
 * callback. */
const char *io_http_response_header(const struct io_http_response *response, const char *name);

/* libcurl is loaded with the first call, not before. */
struct io_http *io_http_new(struct io_loop *loop);
void io_http_free(struct io_http *client); /* cancels what is under way; accepts NULL */

/* Everything in request is copied. NULL with err when the call cannot even be set up. */
struct io_http_call *io_http_start(struct io_http *client, const struct io_http_request *request,
                                   void (*on_done)(void *ctx, const struct io_http_response *),
                                   void *ctx, struct base_error *err);
void io_http_cancel(struct io_http_call *call); /* on_done will not fire; the call is freed */

#endif
