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

enum load_parse { LOAD_PARSE_MORE, LOAD_PARSE_DONE, LOAD_PARSE_BAD };

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

enum { LOAD_MEMO_MAX = 1024 };

/*
 * The head fed last and what the parser made of it. A target's heads are the same bytes most of the
 * time (a Date changes once a second), and comparing them costs a tenth of parsing them. The parser
 * being pure, the outcome cannot differ. Zeroed: nothing remembered.
 */
struct load_memo {
    size_t len; /* 0: nothing */
    bool head;  /* it answered a HEAD */
    struct load_response after;
    char bytes[LOAD_MEMO_MAX];
};

void load_response_start(struct load_response *response, bool head);
/* Takes bytes until the response is whole or wrong; *used of them belonged to it. After DONE, bytes
 * left over are the caller's to judge; after DONE or BAD, feeding again takes nothing. */
enum load_parse load_response_feed(struct load_response *response, const char *data, size_t len,
                                   size_t *used);
/* The same, remembering heads that come in one piece. */
enum load_parse load_response_feed_memo(struct load_response *response, struct load_memo *memo,
                                        const char *data, size_t len, size_t *used);
/* The connection ended: DONE when that is how this response ends, otherwise BAD (cut short). */
enum load_parse load_response_eof(struct load_response *response);

#endif
