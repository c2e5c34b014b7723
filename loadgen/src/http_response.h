/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An incremental HTTP/1.1 response parser: pure (no clock, socket or allocation), one pass, and the
 * same outcome however the bytes are cut. Framing follows RFC 9112 section 6.3; where the RFC lets
 * a client choose, this one refuses, because a load generator that repairs responses hides faults:
 * obs-fold, Content-Length together with Transfer-Encoding, differing Content-Lengths, bare CR,
 * whitespace before a colon. A bare LF ends a line (RFC 9112 section 2.2).
 */
#ifndef LOAD_HTTP_RESPONSE_H
#define LOAD_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parse.h"

enum {
    LOAD_RESPONSE_HEAD_MAX = 65536, /* status line and headers, or trailers, in bytes */
    LOAD_RESPONSE_LINE_MAX = 4096,  /* a chunk size with its extensions */
    LOAD_RESPONSE_INTERIM_MAX = 16  /* 1xx responses before the final one */
};

struct load_response {
    uint8_t state;
    uint8_t matched; /* bytes of the status line's fixed part, or digits, so far */
    uint8_t minor;   /* HTTP/1.x */
    uint8_t interim;
    uint8_t name_len;
    uint8_t value_len;
    uint8_t field;     /* which header the current line is */
    bool head;         /* answers a HEAD: no body, whatever the headers say */
    bool cr;           /* the last byte was CR: LF must follow */
    bool trailer;      /* in the fields after the last chunk */
    bool coded;        /* Transfer-Encoding was there */
    bool chunked;      /* and chunked is its last coding */
    bool sized;        /* Content-Length was there */
    bool close;        /* the connection must not be used again */
    bool keep;         /* Connection: keep-alive */
    bool rewind;       /* `spent` starts again with the next byte */
    uint16_t status;   /* of the final response once its headers began */
    uint32_t spent;    /* bytes of the current head, trailer or chunk line */
    uint64_t length;   /* Content-Length */
    uint64_t left;     /* bytes of the body or chunk still to come */
    uint64_t body;     /* bytes of body seen, without chunk framing */
    const char *fault; /* what was wrong, static text; NULL unless bad */
    char name[20];
    char value[128];
};

void load_response_start(struct load_response *response, bool head);
/* Takes bytes until the response is whole or wrong; *used of them belonged to it. After DONE, bytes
 * left over are the caller's to judge; after DONE or BAD, feeding again takes nothing. */
enum load_parse load_response_feed(struct load_response *response, const char *data, size_t len,
                                   size_t *used);
/* Of a response not yet begun: takes the bytes of its head only and returns how many that were. */
size_t load_response_feed_head(struct load_response *response, const char *data, size_t len);
/* Nothing of it has come. */
bool load_response_is_new(const struct load_response *response);
/* Its head was whole and good. */
bool load_response_has_head(const struct load_response *response);
/* The connection ended: DONE when that is how this response ends, otherwise BAD (cut short). */
enum load_parse load_response_eof(struct load_response *response);

#endif
