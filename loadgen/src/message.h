/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A response to look into: the bytes of one, kept as they came (capture), and where in them the
 * head and the body are (message). The parser (http_response.h) has judged them already; nothing
 * here decides what is a response. No content coding is undone: none was asked for.
 */
#ifndef LOAD_MESSAGE_H
#define LOAD_MESSAGE_H

#include "base/buf.h"

struct load_capture {
    struct base_buf bytes;
    bool body;      /* wanted, too */
    bool too_large; /* there were more than LOAD_CAPTURE_MAX */
};

void load_capture_init(struct load_capture *capture);
void load_capture_fini(struct load_capture *capture); /* accepts a zeroed value */
void load_capture_start(struct load_capture *capture, bool body);
/* in_body: the head was whole before these bytes came. */
void load_capture_add(struct load_capture *capture, const char *data, size_t len, bool in_body);

struct load_text_span {
    const char *at;
    size_t len;
};

struct load_message {
    unsigned status;
    struct load_text_span headers; /* their lines, of the final response */
    struct load_text_span body;    /* without chunk framing */
};

/* Chunks are joined in place, so bytes is written to, and read once. false: there is no whole head
 * in it. */
bool load_message_read(char *bytes, size_t len, struct load_message *out);
/* Goes through the header lines of this name; *at starts as 0. */
bool load_message_find(const struct load_message *message, size_t *at, const char *name,
                       struct load_text_span *value);

#endif
