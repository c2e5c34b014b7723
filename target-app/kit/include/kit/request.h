/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a handler sees: one request, answered exactly once by one of the kit_reply_* functions, at
 * once or later, on the loop's thread. After the reply the request is gone.
 */
#ifndef KIT_REQUEST_H
#define KIT_REQUEST_H

#include <jansson.h>

#include "kit/envelope.h"
#include "kit/router.h"
#include "kit/trace.h"
#include "kit/validate.h"

const char *kit_request_method(const struct kit_request *request);
const char *kit_request_target(const struct kit_request *request); /* as received, with the query */
const char *kit_request_param(const struct kit_request *request, const char *name);  /* or NULL */
const char *kit_request_query(const struct kit_request *request, const char *name);  /* or NULL */
const char *kit_request_header(const struct kit_request *request, const char *name); /* or NULL */
const char *kit_request_body(const struct kit_request *request, size_t *len);
const char *kit_request_traffic(const struct kit_request *request); /* user, load or probe */
const struct kit_trace *kit_request_trace(const struct kit_request *request);
struct mono_ns kit_request_received(const struct kit_request *request);

/* The body as a JSON object that fits fields; otherwise NULL and the request has been answered:
 * 415 for another content type, 400 for what is not JSON, 422 with every field error. The caller
 * owns the value. */
json_t *kit_request_json(struct kit_request *request, const struct kit_field *fields, size_t count);

/* Called when the client goes away before the reply: stop the work; request is gone afterwards. */
void kit_request_on_abandon(struct kit_request *request, void (*on_abandon)(void *ctx), void *ctx);
/* Whether the service was ordered to behave as if this dependency of its had failed: answer what is
 * answered then. Counted as injected, and the answer gets "X-Chaos: dependency", by which who
 * ordered it tells it from a failure that is real. */
bool kit_request_lacks(struct kit_request *request, const char *dependency);
void kit_reply_header(struct kit_request *request, const char *name, const char *value);

/* data and meta are stolen; either may be NULL. */
void kit_reply_json(struct kit_request *request, unsigned status, json_t *data, json_t *meta);
/* One error. 429 and 503 get "Retry-After: 1". message may hold any bytes. */
void kit_reply_error(struct kit_request *request, unsigned status, const char *code,
                     const char *field, const char *message);
/* Several errors; the list is finished. data as above. */
void kit_reply_errors(struct kit_request *request, unsigned status, json_t *data,
                      struct kit_errors *errors);
/* Bytes that already are what the client shall see: an upstream's answer, the exposition. */
void kit_reply_bytes(struct kit_request *request, unsigned status, const char *content_type,
                     const void *body, size_t len);

#endif
