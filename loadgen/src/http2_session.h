/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of one HTTP/2 connection (adapter: http2_session.c, the only file that sees
 * nghttp2): bytes go in and come out, requests become streams, streams end. Pure: no socket, no
 * clock, so that tests feed it by hand.
 *
 * Design notes. nghttp2 frames, packs headers, keeps both flow controls and checks what the peer
 * sends; what it calls wrong fails the stream or the connection here. Nothing is reported from
 * inside it: streams that ended wait in `ended`, for its functions must not be called from its
 * callbacks.
 *
 * A stream is its owner's, who must not reuse it before it has ended or was cancelled. A response
 * is whole when its last frame came and nghttp2 found nothing wrong with it (Content-Length among
 * others); whatever else ends a stream is a failure, RST_STREAM with NO_ERROR included.
 */
#ifndef LOAD_HTTP2_SESSION_H
#define LOAD_HTTP2_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "message.h"

enum {
    LOAD_H2_WHY = 200,
    LOAD_H2_HEAD_MAX = 65536 /* of a response, as RFC 9113 section 6.5.2 counts */
};

struct load_h2_session;

/* The fields of a request's head: pointers to bytes of its owner's. */
struct load_h2_head;

enum load_h2_end {
    LOAD_H2_ANSWERED,
    LOAD_H2_REFUSED,   /* RST_STREAM with REFUSED_STREAM */
    LOAD_H2_RESET,     /* RST_STREAM with another code */
    LOAD_H2_UNSERVED,  /* GOAWAY named an earlier stream as the last one */
    LOAD_H2_MALFORMED, /* the response was wrong */
    LOAD_H2_UNREADABLE /* the body's file has become shorter */
};

struct load_h2_body {
    const char *bytes; /* len of them, then the file's from 0 on */
    size_t len;
    int file; /* -1: none */
    uint64_t total;
};

/* A request and its response. */
struct load_h2_stream {
    struct load_capture *capture; /* the owner's, set before submitting; NULL: nobody looks */
    struct load_h2_body body;
    int64_t first_at;  /* bytes of the response came first; 0: none did */
    uint64_t given;    /* bytes of the body */
    uint64_t bytes_in; /* whole frames */
    uint64_t bytes_out;
    int32_t id;
    uint32_t code; /* that ended it */
    unsigned status;
    unsigned interim; /* 1xx responses */
    bool headed;      /* the final response's head is whole */
    bool whole;
    bool wrong;      /* in what nghttp2 does not look at */
    bool reset;      /* by the peer */
    bool unreadable; /* see LOAD_H2_UNREADABLE */
    bool ended;
    bool unsent; /* in that list */
    bool late;   /* it has been there when a write ended */
    enum load_h2_end end;
    TAILQ_ENTRY(load_h2_stream) unsent_link;
    STAILQ_ENTRY(load_h2_stream) ended_link;
};

TAILQ_HEAD(load_h2_unsent, load_h2_stream);

/* NULL: out of memory. */
struct load_h2_session *load_h2_session_new(void);
void load_h2_session_free(struct load_h2_session *session); /* accepts NULL; ends no streams */

/* Takes all of it; now: when it came. */
void load_h2_session_feed(struct load_h2_session *session, const char *data, size_t len,
                          int64_t now);
/* Takes bytes to be sent; fewer than room: there are no more. */
size_t load_h2_session_take(struct load_h2_session *session, char *out, size_t room);
/* The next stream that ended; NULL: none. */
struct load_h2_stream *load_h2_session_ended(struct load_h2_session *session);

/* The peer has said what it allows, as it must first. */
bool load_h2_session_greeted(const struct load_h2_session *session);
/* Streams at once that the peer allows; changes while feeding. */
uint32_t load_h2_session_room(const struct load_h2_session *session);
/* The peer lets no more streams begin. */
bool load_h2_session_is_leaving(const struct load_h2_session *session);
/* Nothing will be read or written any more: after a GOAWAY and its streams' ends, or because the
 * peer did what it must not. */
bool load_h2_session_is_over(const struct load_h2_session *session);
/* What the peer did that it must not, or its reason for GOAWAY; "" when nothing. */
const char *load_h2_session_why(const struct load_h2_session *session);
const char *load_h2_code_name(uint32_t code); /* "REFUSED_STREAM" */

/* Begins a stream; head and the body's bytes are read until it has ended. False: it cannot begin
 * (out of memory, or of stream numbers). */
bool load_h2_session_submit(struct load_h2_session *session, struct load_h2_stream *stream,
                            const struct load_h2_head *head, const struct load_h2_body *body);
/* Forgets the stream, which does not end any more. */
void load_h2_session_cancel(struct load_h2_session *session, struct load_h2_stream *stream);
/* Streams whose requests are not in bytes that were taken; the owner's to take off the list. */
struct load_h2_unsent *load_h2_session_unsent(struct load_h2_session *session);
void load_h2_session_sent(struct load_h2_session *session, struct load_h2_stream *stream);

struct load_h2_head *load_h2_head_new(size_t count); /* free() it */
/* moving: differs from request to request, and is not worth a place in the table (RFC 7541). */
void load_h2_head_set(struct load_h2_head *head, size_t at, const char *name, size_t name_len,
                      const char *value, size_t value_len, bool moving);
/* The same head with what pointed to `from` pointing to `to`, a copy of these bytes. */
struct load_h2_head *load_h2_head_moved(const struct load_h2_head *head, const char *from,
                                        size_t len, const char *to);

#endif
