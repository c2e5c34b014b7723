/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to an interface of HTTP and JSON, over the loop: RabbitMQ's management plugin,
 * Kubernetes' API server. */
#ifndef CHAOS_REST_H
#define CHAOS_REST_H

#include "io/http_client.h"
#include "model/json.h"

struct fault_rest;

struct fault_rest_answer { /* during the call only */
    int status;            /* of HTTP; 0: there is none */
    const json_t *json;    /* NULL: it has none */
    const char *error;     /* when there is no status, or what the server says of a refusal */
};
typedef void fault_rest_next(void *ctx, const struct fault_rest_answer *answer);

struct fault_rest_config { /* copied */
    const char *origin;    /* "http://10.0.0.1:15672", with what all paths begin with */
    const char *ca_file;   /* of https://; NULL: the system's authorities */
    const char *error_key; /* of an answer, under which a refusal says why */
    struct dur_ns timeout; /* of each question */
    size_t max_response;   /* bytes */
};

/* Never NULL: what goes wrong is an answer. */
struct fault_rest *fault_rest_new(struct io_loop *loop, struct io_http *http,
                                  const struct fault_rest_config *config);
void fault_rest_free(struct fault_rest *rest); /* next is not called any more; accepts NULL */
/* Several may be under way. path: its parts encoded already. authorization: a header, copied; NULL:
 * none. body: taken over; may be NULL. next follows on the loop, never from inside. */
void fault_rest_ask(struct fault_rest *rest, const char *method, const char *path,
                    const char *authorization, json_t *body, fault_rest_next *next, void *ctx);
/* In the place of a question that could not be asked: the answer is this error, from the loop. */
void fault_rest_fail(struct fault_rest *rest, const struct base_error *why, fault_rest_next *next,
                     void *ctx);
void fault_rest_cancel(struct fault_rest *rest); /* whatever is under way */
/* A part of a path; free() it. */
char *fault_rest_encode(const char *text);

#endif
