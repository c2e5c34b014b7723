/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the management interface of a RabbitMQ node (its plugin rabbitmq_management), over
 * the loop: HTTP and JSON. */
#ifndef CHAOS_RABBIT_API_H
#define CHAOS_RABBIT_API_H

#include "credentials.h"
#include "io/http_client.h"
#include "model/json.h"

struct fault_rabbit;

struct fault_rabbit_answer { /* during the call only */
    int status;              /* of HTTP; 0: there is none */
    const json_t *json;      /* NULL: it has none */
    const char *error;       /* when there is no status, or what RabbitMQ says of a refusal */
};
typedef void fault_rabbit_next(void *ctx, const struct fault_rabbit_answer *answer);

/* address is numeric. Never NULL: what goes wrong is an answer. */
struct fault_rabbit *fault_rabbit_new(struct io_loop *loop, struct io_http *http,
                                      const char *address, uint16_t port,
                                      const struct fault_credentials *credentials);
void fault_rabbit_free(struct fault_rabbit *rabbit); /* next is not called any more; accepts NULL */
/* Several may be under way. path: behind "/api", its parts encoded already. body: taken over; may
 * be NULL. next follows on the loop, never from inside. */
void fault_rabbit_ask(struct fault_rabbit *rabbit, const char *method, const char *path,
                      json_t *body, fault_rabbit_next *next, void *ctx);
void fault_rabbit_cancel(struct fault_rabbit *rabbit); /* whatever is under way */
/* A part of a path; free() it. */
char *fault_rabbit_encode(const char *text);

#endif
