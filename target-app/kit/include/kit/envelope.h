/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of every application answer: {"data": ..., "meta": {"requestId","timestamp",
 * "duration", ...}, "errors": [{"code","message","field"}]}. All three keys are always there: data
 * is null and errors is not empty when the request failed; `field` is absent when no single field
 * is to blame. duration is in milliseconds.
 */
#ifndef KIT_ENVELOPE_H
#define KIT_ENVELOPE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"

enum { KIT_ERRORS_MAX = 32 };

struct kit_issue {
    const char *code; /* a stable word in capitals; static */
    char *message;
    char *field; /* or NULL */
};
/* A growing list of what is wrong; zero-initialised is empty. */
struct kit_errors {
    struct kit_issue items[KIT_ERRORS_MAX]; /* more are dropped */
    size_t count;
};
/* field may be NULL. */
void kit_errors_add(struct kit_errors *errors, const char *code, const char *field,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
void kit_errors_fini(struct kit_errors *errors);

struct kit_envelope {
    const char *request_id;
    struct wall_ns now;
    struct dur_ns took;
    const json_t *data;              /* NULL: null */
    const json_t *meta;              /* an object with further keys of meta, or NULL */
    const struct kit_errors *errors; /* NULL: none */
};
bool kit_envelope_write(const struct kit_envelope *envelope, struct base_buf *out);

/* A JSON string of any bytes: what is not UTF-8 becomes U+FFFD. Never NULL. */
json_t *kit_json_text(const char *text);

#endif
