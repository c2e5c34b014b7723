/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads of HTTP/1.1 messages, and where their bodies end: what a proxy must know to stay in step
 * with both ends (RFC 9112). Pure. Strict, because a proxy that reads a message otherwise than the
 * server does breaks what it was to leave alone: whatever is not plainly said is HTTP_BAD, and its
 * caller then passes the bytes on unread. Refused: bare CR or LF, obs-fold, white space before a
 * colon, Content-Length beside Transfer-Encoding or two that differ, codings other than chunked.
 */
#ifndef CHAOS_HTTP_HEAD_H
#define CHAOS_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_HEAD_MAX = 65536 };

enum http_parse { HTTP_MORE, HTTP_DONE, HTTP_BAD };

struct http_text { /* points into the parsed bytes */
    const char *at;
    size_t len;
};

enum http_framing { HTTP_NO_BODY, HTTP_SIZED, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

struct http_head {
    size_t len; /* with the empty line that ends it */
    struct http_text method;
    struct http_text target;
    int status;
    int minor; /* HTTP/1.x */
    enum http_framing framing;
    uint64_t size;           /* HTTP_SIZED */
    bool close;              /* the sender says that the connection ends after this message */
    bool expects;            /* 100 Continue, before it sends the body */
    struct http_text fields; /* the header lines, each with its CRLF */
};

enum http_parse http_request_parse(const char *data, size_t len, struct http_head *out);
/* to: the request's method decides whether there is a body. */
enum http_parse http_response_parse(const char *data, size_t len, struct http_text to,
                                    struct http_head *out);

bool http_text_is(struct http_text text, const char *word);    /* letter by letter */
bool http_text_names(struct http_text text, const char *name); /* whatever the case */

struct http_field {
    struct http_text line; /* with its CRLF */
    struct http_text name;
    struct http_text value; /* without the white space around it */
};
/* Takes the next line off `fields`; false when there is none. */
bool http_field_next(struct http_text *fields, struct http_field *out);

/* --- the chunked coding, followed but not decoded --- */

struct http_chunks {
    int state;
    uint64_t left; /* of the chunk */
    size_t spent;  /* bytes of the current line */
};

/* How many of the bytes belong to the body; *result HTTP_DONE when it ends with the last of them.
 */
size_t http_chunks_follow(struct http_chunks *chunks, const char *data, size_t len,
                          enum http_parse *result);

#endif
