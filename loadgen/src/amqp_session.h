/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of the RabbitMQ engine: rabbit.c (what is prepared for all threads, and the
 * row) and amqp_session.c (one connection). */
#ifndef LOAD_AMQP_SESSION_H
#define LOAD_AMQP_SESSION_H

#include "amqp_message.h"
#include "pipe.h"

/* One for all threads. */
struct load_amqp_plan {
    size_t count;
    struct load_amqp_message *messages; /* one a route */
    char *vhost;
    struct base_buf start_ok;  /* the frame with who we are */
    struct base_buf questions; /* frames behind the opened channel: each is agreed to */
    unsigned question_count;
    size_t largest; /* frame that a message has */
};

enum load_amqp_stage { LOAD_AMQP_EXPECTS_START, LOAD_AMQP_EXPECTS_TUNE, LOAD_AMQP_ASKS };

struct load_amqp {
    struct load_pipe pipe;
    struct load_amqp_reader reader;
    enum load_amqp_stage stage; /* of the greeting */
    unsigned unanswered;        /* of its questions */
    uint64_t published;         /* on this channel: the last tag */
    /* What follows a method with content, until its body is whole. */
    enum { LOAD_AMQP_NO_CONTENT, LOAD_AMQP_RETURNED, LOAD_AMQP_GOT } content;
    bool has_header;
    uint64_t body; /* bytes of it still to come */
    uint64_t tag;  /* of what is got */
    uint16_t code; /* of what is returned */
    char text[LOAD_AMQP_TEXT];
};

extern const struct load_pipe_speech
    load_amqp_speech; /* extra of its load_pipes: load_amqp_memory */

#endif
