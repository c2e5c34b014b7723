/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of the RabbitMQ engine: rabbit.c (what is prepared for all threads, and the
 * row), amqp_greeting.c (a connection until it takes requests) and amqp_session.c (from then on).
 */
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
    bool consumes;  /* a route does: each connection has a queue of its own */
    size_t largest; /* frame that a message has */
};

enum load_amqp_stage { LOAD_AMQP_EXPECTS_START, LOAD_AMQP_EXPECTS_TUNE, LOAD_AMQP_ASKS };

struct load_amqp {
    struct load_pipe pipe;
    struct load_amqp_reader reader;
    enum load_amqp_stage stage;              /* of the greeting */
    unsigned unanswered;                     /* of its questions */
    uint64_t published;                      /* on this channel: the last tag */
    uint64_t life;                           /* of this connection: no other has it in its ids */
    char queue[LOAD_AMQP_OWN_QUEUE_LEN + 1]; /* its own; named by its life */
    /* What follows a method with content, until its body is whole. */
    enum { LOAD_AMQP_NO_CONTENT, LOAD_AMQP_RETURNED, LOAD_AMQP_GOT, LOAD_AMQP_DELIVERED } content;
    struct load_place *whose; /* returned or delivered: known by its header; NULL: nobody's */
    bool has_header;
    uint64_t body; /* bytes of it still to come */
    uint64_t tag;  /* of what is got or delivered */
    bool redelivered;
    char text[LOAD_AMQP_TEXT]; /* of what is returned */
};

extern const struct load_pipe_speech
    load_amqp_speech; /* extra of its load_pipes: load_amqp_memory */

static inline struct load_amqp *load_amqp_of(struct load_pipe *pipe)
{
    return (struct load_amqp *)(void *)pipe; /* its first member */
}

static inline const struct load_amqp_plan *load_amqp_plan_of(const struct load_amqp *amqp)
{
    return amqp->pipe.own->prepared;
}

/* --- amqp_greeting.c --- */

void load_amqp_begin(struct load_pipe *pipe, int64_t now);
/* One of the broker's answers before the pipe is ready. False: the pipe was refused. */
bool load_amqp_greet(struct load_amqp *amqp, const struct load_amqp_said *said, int64_t now);
bool load_amqp_refuse(struct load_amqp *amqp, const char *why); /* false */

/* --- amqp_session.c --- */

/* The request's time is over: notes what it has been waiting for; load_pipe_abort follows. */
void load_amqp_overdue(const struct load_place *place);

#endif
