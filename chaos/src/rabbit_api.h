/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the management interface of a RabbitMQ node (its plugin rabbitmq_management), over
 * the loop: HTTP and JSON. */
#ifndef CHAOS_RABBIT_API_H
#define CHAOS_RABBIT_API_H

#include "credentials.h"
#include "rest.h"

struct fault_rabbit;

/* address is numeric. Never NULL: what goes wrong is an answer. */
struct fault_rabbit *fault_rabbit_new(struct io_loop *loop, struct io_http *http,
                                      const char *address, uint16_t port,
                                      const struct fault_credentials *credentials);
void fault_rabbit_free(struct fault_rabbit *rabbit); /* next is not called any more; accepts NULL */
/* As fault_rest_ask; path: behind "/api". */
void fault_rabbit_ask(struct fault_rabbit *rabbit, const char *method, const char *path,
                      json_t *body, fault_rest_next *next, void *ctx);
void fault_rabbit_cancel(struct fault_rabbit *rabbit); /* whatever is under way */

#endif
