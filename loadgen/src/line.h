/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of our own, with or without TLS, until it can be used: connecting, by connect(2) or
 * where the pool has dials by libcurl (dial.h), shaking hands, and waiting before the next attempt
 * (backoff.h). What is said on it is its owner's business.
 *
 * The epoll registration is made when the socket is, and is the owner's from then on: he gets all
 * of its events, and gives those of a line that is not up to load_line_go_on.
 */
#ifndef LOAD_LINE_H
#define LOAD_LINE_H

#include <errno.h>

#include "backoff.h"
#include "driver.h"

enum load_line_state {
    LOAD_LINE_COLD, /* never tried */
    LOAD_LINE_CONNECTING,
    LOAD_LINE_SHAKING, /* hands: TLS */
    LOAD_LINE_UP,
    LOAD_LINE_BACKOFF,
    LOAD_LINE_CLOSED,
    LOAD_LINE_STATES
};

struct load_line_owner {
    void (*on_socket)(void *ctx, unsigned events);
    void (*on_up)(void *ctx, int64_t now);
    /* Another attempt follows by itself. why: of TLS, in the target's words, or NULL. */
    void (*on_refused)(void *ctx, enum load_cause cause, const char *why);
    bool drains; /* keeps what io_watch_edge asks of who reads */
};

/* What every request needs comes first, and then, in other cache lines, what only making the
 * connection needs: with a thousand connections none of it stays in the cache. */
struct load_line {
    const struct load_line_owner *owner;
    void *ctx;
    struct load_tls_conn *tls; /* NULL: plain, or no socket */
    int fd;
    enum load_line_state state;
    struct load_backoff backoff;
    struct io_watch watch;

    struct load_dial *dial;       /* the attempt, where libcurl makes it; else NULL */
    struct io_timer timer;        /* the connect limit, or the back-off */
    const struct load_conn *conn; /* whose addresses they are */
    struct load_tls *all_tls;     /* of the thread; NULL: plain */
    int64_t opened_at;            /* TCP began to connect */
    int64_t connected_at;
};

void load_line_init(struct load_line *line, const struct load_conn *conn, struct load_tls *all_tls,
                    const struct load_line_owner *owner, void *ctx);
void load_line_open(struct load_line *line); /* cold, or up and lost */
/* It was up: is closed, and opened again, at once or after a while. */
void load_line_reopen(struct load_line *line, bool at_once);
/* The same for an attempt that was none after all: on_refused is called. */
void load_line_refuse(struct load_line *line, enum load_cause cause, const char *why);
void load_line_go_on(struct load_line *line);
void load_line_fini(struct load_line *line); /* without callbacks; twice does no harm */

/* How long connecting and the handshake took; the latter negative without TLS. */
static inline struct dur_ns load_line_connect_time(const struct load_line *line)
{
    return (struct dur_ns){line->connected_at - line->opened_at};
}

static inline struct dur_ns load_line_tls_time(const struct load_line *line, int64_t now)
{
    return (struct dur_ns){line->tls == NULL ? -1 : now - line->connected_at};
}

/* As recv(2) and send(2). */
static inline ssize_t load_line_take(struct load_line *line, void *buffer, size_t len)
{
    return line->tls == NULL ? recv(line->fd, buffer, len, 0)
                             : load_tls_recv(line->tls, buffer, len);
}

static inline ssize_t load_line_give(struct load_line *line, const void *bytes, size_t len)
{
    return line->tls == NULL ? send(line->fd, bytes, len, MSG_NOSIGNAL)
                             : load_tls_send(line->tls, bytes, len);
}

/* After len bytes were taken into a buffer of that size: nothing is left that no readiness would be
 * reported for. TCP: level-triggered, so what a short read left behind is reported again. */
static inline bool load_line_drained(const struct load_line *line, size_t len, size_t size)
{
    return line->tls == NULL ? len < size : !load_tls_pending(line->tls);
}

/* After taking or giving failed with errno on a line without an answer so far: with TLS 1.3 a
 * server refuses a client's certificate after the client's handshake ended. */
static inline bool load_line_refused_late(const struct load_line *line)
{
    return errno == EPROTO && line->tls != NULL;
}

#endif
