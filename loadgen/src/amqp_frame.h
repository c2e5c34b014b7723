/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of AMQP 0-9-1 (section 4.2.3) out of a stream of bytes, however they are cut. Pure. What
 * methods and headers hold is for amqp_codec.h; bodies are passed over, not kept.
 */
#ifndef LOAD_AMQP_FRAME_H
#define LOAD_AMQP_FRAME_H

#include <stdint.h>

#include "base/buf.h"
#include "parse.h"

enum {
    LOAD_AMQP_METHOD = 1,
    LOAD_AMQP_HEADER = 2,
    LOAD_AMQP_BODY = 3,
    LOAD_AMQP_HEARTBEAT = 8,
    LOAD_AMQP_HEAD = 7, /* bytes before a frame's payload */
    LOAD_AMQP_AROUND = 8,
    LOAD_AMQP_END = 0xce,
    LOAD_AMQP_FRAME_MAX = 131072 /* the whole frame: what we ask for, and what RabbitMQ offers */
};

struct load_amqp_frame {
    uint8_t type;
    uint16_t channel;
    const char *payload; /* until the next call; NULL of a body */
    size_t len;          /* of the payload */
};

struct load_amqp_reader {
    unsigned char head[LOAD_AMQP_HEAD];
    size_t have;          /* of the head */
    size_t left;          /* of the payload and the byte behind it */
    struct base_buf kept; /* of a payload that came in pieces */
};

void load_amqp_reader_init(struct load_amqp_reader *reader);
void load_amqp_reader_fini(struct load_amqp_reader *reader); /* accepts a zeroed one */
void load_amqp_reader_reset(struct load_amqp_reader *reader);
/* Takes bytes until a frame is whole or wrong; *used of them belonged to it. */
enum load_parse load_amqp_read(struct load_amqp_reader *reader, const char *data, size_t len,
                               size_t *used, struct load_amqp_frame *frame);

#endif
