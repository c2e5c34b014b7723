/* SPDX-License-Identifier: Apache-2.0 */
/* A route as the frames of its request: a message to be published, or the wish for one of a
 * queue's. */
#ifndef LOAD_AMQP_MESSAGE_H
#define LOAD_AMQP_MESSAGE_H

#include "amqp_codec.h"
#include "http_request.h"

struct load_amqp_message {
    bool gets;                   /* instead of publishing */
    bool consumes;               /* what it publishes comes back to a consumer */
    const char *queue;           /* that is got from; the spec's */
    const char *exchange;        /* that is published to; the spec's, "": the default one */
    const char *key;             /* the spec's; NULL: consumes, by the name of its own queue */
    struct load_request request; /* its frames */
    size_t id_at;                /* where the message-id is in them, */
    size_t key_at;               /* and the routing key */
    size_t largest;              /* of the frames */
};

/* BASE_INVALID for a route that cannot be sent. */
bool load_amqp_message_build(struct load_amqp_message *out, const struct load_route *route,
                             struct base_error *err);
void load_amqp_message_fini(struct load_amqp_message *message); /* accepts a zeroed value */
/* tag as message-id: as long in every message. */
void load_amqp_id_write(char id[static LOAD_AMQP_ID], uint64_t tag);
bool load_amqp_id_read(const char *id, uint64_t *tag);

/* The queue of a connection that consumes: as long for every one of them. */
#define LOAD_AMQP_OWN_QUEUE "squall.load."
enum { LOAD_AMQP_OWN_QUEUE_LEN = sizeof LOAD_AMQP_OWN_QUEUE - 1 + LOAD_AMQP_ID };
void load_amqp_own_queue(char name[static LOAD_AMQP_OWN_QUEUE_LEN + 1], uint64_t life);

#endif
