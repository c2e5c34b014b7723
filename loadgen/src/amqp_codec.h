/* SPDX-License-Identifier: Apache-2.0 */
/* The librabbitmq adapter: its codec of AMQP 0-9-1 methods and properties. Its sockets, which
 * block, are not used (docs/adr/0017-several-requests-on-one-connection.md). */
#ifndef LOAD_AMQP_CODEC_H
#define LOAD_AMQP_CODEC_H

#include "amqp_frame.h"
#include "base/error.h"

enum {
    LOAD_AMQP_TEXT = 200,
    LOAD_AMQP_ID = 16,                   /* a number in a message-id */
    LOAD_AMQP_LONG_ID = 2 * LOAD_AMQP_ID /* of a message that comes back: two of them */
};

/* What a server says, as far as it means anything here. */
enum load_amqp_method {
    LOAD_AMQP_OTHER,
    LOAD_AMQP_START,
    LOAD_AMQP_TUNE,
    LOAD_AMQP_AGREED, /* to open, to declare, to consume...: what was asked for is so */
    LOAD_AMQP_CLOSE,  /* of the connection or the channel; code and text say why */
    LOAD_AMQP_ACK,
    LOAD_AMQP_NACK,
    LOAD_AMQP_RETURN, /* code and text; a header and a body follow */
    LOAD_AMQP_GET_OK, /* the same follow */
    LOAD_AMQP_GET_EMPTY,
    LOAD_AMQP_DELIVER, /* as GET_OK, pushed */
    LOAD_AMQP_CANCEL,  /* there will be no more of these */
    LOAD_AMQP_BLOCKED  /* publishers have to wait; text says why */
};

struct load_amqp_said {
    enum load_amqp_method method;
    uint64_t tag;
    bool multiple;
    bool redelivered; /* DELIVER: somebody had it before */
    uint16_t code;
    char text[LOAD_AMQP_TEXT];
    uint32_t frame_max;
    bool plain; /* START: a user name and a password will do */
};

/* Memory for decoding, of one thread. */
struct load_amqp_memory;
struct load_amqp_memory *load_amqp_memory_new(void);
void load_amqp_memory_free(struct load_amqp_memory *memory); /* accepts NULL */

/* False: it does not decode. */
bool load_amqp_decode(struct load_amqp_memory *memory, const struct load_amqp_frame *frame,
                      struct load_amqp_said *out);
/* Of a content header: how long the body is, and its message-id, "" when it has none as long as one
 * of ours. */
bool load_amqp_decode_header(struct load_amqp_memory *memory, const struct load_amqp_frame *frame,
                             uint64_t *body, char id[static LOAD_AMQP_LONG_ID + 1]);

/* Each appends whole frames; false: out is full, or a name is longer than 255 bytes. */
bool load_amqp_put_start_ok(struct base_buf *out, const char *user, const char *password);
bool load_amqp_put_tune_ok(struct base_buf *out, uint32_t frame_max);
bool load_amqp_put_open(struct base_buf *out, const char *vhost);
bool load_amqp_put_channel_open(struct base_buf *out);
bool load_amqp_put_confirm_select(struct base_buf *out);
/* Whether it is there: nothing is made. */
bool load_amqp_put_queue_exists(struct base_buf *out, const char *queue);
bool load_amqp_put_exchange_exists(struct base_buf *out, const char *exchange);
/* *key_at: where in out the key's bytes are. */
bool load_amqp_put_publish(struct base_buf *out, const char *exchange, const char *key,
                           size_t *key_at);
/* *id_at: where in out the message-id's bytes are, LOAD_AMQP_ID or LOAD_AMQP_LONG_ID of them. */
bool load_amqp_put_header(struct base_buf *out, uint64_t body, bool persistent, size_t id_len,
                          size_t *id_at);
bool load_amqp_put_body(struct base_buf *out, const char *data, size_t len);
bool load_amqp_put_get(struct base_buf *out, const char *queue);
bool load_amqp_put_ack(struct base_buf *out, uint64_t tag);
/* A queue of this connection alone, which goes with it. */
bool load_amqp_put_own_queue(struct base_buf *out, const char *queue);
bool load_amqp_put_bind(struct base_buf *out, const char *queue, const char *exchange,
                        const char *key);
/* So many deliveries at most without their acknowledgement. */
bool load_amqp_put_qos(struct base_buf *out, uint16_t prefetch);
/* As its only consumer. */
bool load_amqp_put_consume(struct base_buf *out, const char *queue);

#endif
