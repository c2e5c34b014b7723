/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wire (wire.h) over a line of our own (line.h): bytes go out in the order of the requests, and
 * what comes back is for the speech to understand, which also says hello before the first request.
 *
 * Design notes. What requests write while responses are being read goes out behind them in one
 * send; a request that becomes due at another time is sent at once.
 */
#ifndef LOAD_PIPE_H
#define LOAD_PIPE_H

#include "base/buf.h"
#include "line.h"
#include "wire.h"

struct load_pipe;

/* What is said on a pipe. */
struct load_pipe_speech {
    size_t size; /* of a pipe of it, which begins with a struct load_pipe */
    /* The line is up. load_pipe_ready follows, now or after a greeting. */
    void (*begin)(struct load_pipe *pipe, int64_t now);
    /* The bytes of a request, after load_wire_sent. */
    void (*send)(struct load_pipe *pipe, struct load_place *place);
    /* False: the pipe was lost, or refused, by what came. */
    bool (*received)(struct load_pipe *pipe, const char *data, size_t len, int64_t now);
    /* The other side has ended its half; the pipe is lost behind it. NULL: that is all. */
    void (*ended)(struct load_pipe *pipe, int64_t now);
    void (*fini)(struct load_pipe *pipe); /* NULL: there is nothing to free; once */
};

/* What the pipes of one thread share. */
struct load_pipes {
    const struct load_pipe_speech *speech;
    const void *prepared; /* the engine's; all threads' */
    char *list;           /* of pipes, count of them */
    size_t count;
    size_t places;   /* of each */
    size_t attached; /* places so far */
    char *buffer;    /* for what is received */
    void *extra;     /* the engine's, of this thread */
    struct load_tls *tls;
};

enum load_pipe_state {
    LOAD_PIPE_OFF, /* the line is not up */
    LOAD_PIPE_GREETING,
    LOAD_PIPE_UP,
    LOAD_PIPE_FAILING, /* what went wrong while sending is told at the loop's next turn */
    LOAD_PIPE_CLOSED,
    LOAD_PIPE_STATES
};

struct load_pipe {
    struct load_wire wire;
    struct load_line line;
    struct load_pipes *own;
    struct io_timer timer; /* the greeting's limit, or FAILING's next turn */
    struct base_buf out;   /* what the kernel has not taken */
    size_t sent;           /* of it */
    enum load_pipe_state state;
    bool corked;           /* responses are being read */
    unsigned lives;        /* changes whenever it is lost */
    int64_t blocked_since; /* the kernel did not take all; 0: it has */
    uint64_t answers;      /* since the line was up */
};

/* For the rows of engines: as in struct load_driver. pool_init makes the pipes of one thread. */
bool load_pipes_init(struct load_pool *pool, const struct load_pipe_speech *speech,
                     const void *prepared, struct base_error *err);
void load_pipes_fini(struct load_pool *pool);
void load_pipes_count_tls(const struct load_pool *pool, struct load_tls_result *out);
void load_pipe_init(struct load_conn *conn);
void load_pipe_open(struct load_conn *conn);
void load_pipe_send(struct load_conn *conn);
void load_pipe_abort(struct load_conn *conn, int64_t now);
void load_pipe_fini(struct load_conn *conn);

/* For speeches. */

/* Room for what is to be sent; NULL: there is none, and the pipe is about to be lost. */
char *load_pipe_room(struct load_pipe *pipe, size_t len);
/* Sends what was put into such room, unless that is about to happen. */
void load_pipe_push(struct load_pipe *pipe);
void load_pipe_ready(struct load_pipe *pipe, int64_t now);
/* last: as load_wire_answer; load_pipe_lose follows. */
void load_pipe_answer(struct load_pipe *pipe, struct load_place *place,
                      struct load_outcome *outcome, bool last);
/* While greeting: the target does not want us. */
void load_pipe_refuse(struct load_pipe *pipe, enum load_cause cause, const char *why);
/* It is given up: `first` (NULL: the oldest) ends as said, those behind it as such. */
void load_pipe_lose(struct load_pipe *pipe, struct load_place *first, enum load_failure failure,
                    enum load_cause cause, const char *why);

static inline struct load_pipe *load_pipe_of(const struct load_place *place)
{
    return (struct load_pipe *)(void *)place->wire; /* its first member */
}

#endif
