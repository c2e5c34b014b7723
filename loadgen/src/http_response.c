/* SPDX-License-Identifier: Apache-2.0 */
#include "http_response.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "http_bytes.h"

enum state {
    VERSION,
    STATUS,
    REASON,
    LINE_START,
    NAME,
    VALUE,
    HEAD_LF,
    BODY_SIZED,
    BODY_UNTIL_CLOSE,
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_DATA,
    CHUNK_END,
    DONE,
    BAD,
    STATE_COUNT
};

enum field { FIELD_OTHER, FIELD_LENGTH, FIELD_CODING, FIELD_CONNECTION };

static void refuse(struct load_response *r, const char *fault)
{
    r->fault = fault;
    r->state = BAD;
}

void load_response_start(struct load_response *response, bool head)
{
    /* The text fields need no clearing: their lengths say what is in them. */
    memset(response, 0, offsetof(struct load_response, name));
    response->head = head;
}

static void begin_head(struct load_response *r)
{
    uint8_t interim = r->interim;
    bool head = r->head;
    load_response_start(r, head);
    r->interim = interim;
    r->rewind = true;
}

static size_t step_version(struct load_response *r, const char *at, size_t len)
{
    static const char expected[] = "HTTP/1.x ";
    size_t used = 0;
    while (used < len && r->matched < sizeof expected - 1) {
        char c = at[used++];
        bool minor = r->matched == 7;
        if (minor ? c < '0' || c > '9' : c != expected[r->matched]) {
            refuse(r, "does not begin with HTTP/1.x");
            return used;
        }
        if (minor)
            r->minor = (uint8_t)(c - '0');
        r->matched++;
    }
    if (r->matched == sizeof expected - 1) {
        r->matched = 0;
        r->state = STATUS;
    }
    return used;
}

static size_t step_status(struct load_response *r, const char *at, size_t len)
{
    (void)len;
    char c = *at;
    if (r->matched < 3) {
        if (c < (r->matched == 0 ? '1' : '0') || c > '9') {
            refuse(r, "status is not three digits");
            return 1;
        }
        r->status = (uint16_t)(r->status * 10 + (c - '0'));
        r->matched++;
        return 1;
    }
    if (c != ' ' && c != '\r' && c != '\n') {
        refuse(r, "status is not three digits");
        return 1;
    }
    r->state = REASON;
    return c == ' ' ? 1 : 0;
}

/* Keeps what a line's value says, where it matters. */
static void collect(struct load_response *r, const char *at, size_t len)
{
    if (len > sizeof r->value - r->value_len) {
        refuse(r, "framing header too long");
        return;
    }
    memcpy(r->value + r->value_len, at, len);
    r->value_len = (uint8_t)(r->value_len + len);
}

/* Takes the rest of a line, or as much as there is; *ended when its LF was in it. */
static size_t scan_line(struct load_response *r, const char *at, size_t len, bool *ended)
{
    const char *lf = memchr(at, '\n', len);
    size_t span = lf == NULL ? len : (size_t)(lf - at);
    *ended = lf != NULL;
    if (r->cr && span > 0) {
        refuse(r, "bare CR");
        return span;
    }
    const char *cr = span == 0 ? NULL : memchr(at, '\r', span);
    size_t text = span;
    if (cr != NULL) {
        text = (size_t)(cr - at);
        if (text != span - 1) {
            refuse(r, "bare CR");
            return span;
        }
    }
    r->cr = cr != NULL && lf == NULL;
    if (text > 0 && memchr(at, '\0', text) != NULL) {
        refuse(r, "NUL byte in a header");
        return span;
    }
    if (r->field != FIELD_OTHER)
        collect(r, at, text);
    return *ended ? span + 1 : span;
}

static size_t step_reason(struct load_response *r, const char *at, size_t len)
{
    bool ended;
    size_t used = scan_line(r, at, len, &ended);
    if (ended && r->state == REASON)
        r->state = LINE_START;
    return used;
}

/* RFC 9112 section 6.3: how long the body is. */
static void begin_body(struct load_response *r)
{
    if (r->coded && (r->sized || r->minor == 0)) {
        refuse(r, r->sized ? "both Content-Length and Transfer-Encoding"
                           : "Transfer-Encoding in HTTP/1.0");
        return;
    }
    if (r->minor == 0 && !r->keep)
        r->close = true;
    if (r->head || r->status == 204 || r->status == 304) {
        r->state = DONE;
    } else if (r->chunked) {
        r->rewind = true;
        r->matched = 0;
        r->left = 0;
        r->state = CHUNK_SIZE;
    } else if (r->sized) {
        r->left = r->length;
        r->state = r->left > 0 ? BODY_SIZED : DONE;
    } else {
        r->close = true;
        r->state = BODY_UNTIL_CLOSE;
    }
}

static void end_head(struct load_response *r)
{
    if (r->trailer) {
        r->state = DONE;
    } else if (r->status == 101) {
        refuse(r, "101 Switching Protocols, which nobody asked for");
    } else if (r->status < 200) {
        if (++r->interim > LOAD_RESPONSE_INTERIM_MAX)
            refuse(r, "too many 1xx responses");
        else
            begin_head(r);
    } else {
        begin_body(r);
    }
}

static size_t step_line_start(struct load_response *r, const char *at, size_t len)
{
    (void)len;
    if (*at == '\r') {
        r->state = HEAD_LF;
        return 1;
    }
    if (*at == '\n') {
        end_head(r);
        return 1;
    }
    if (*at == ' ' || *at == '\t') {
        refuse(r, "folded header line (obs-fold)");
        return 1;
    }
    r->name_len = 0;
    r->value_len = 0;
    r->state = NAME;
    return 0;
}

static size_t step_head_lf(struct load_response *r, const char *at, size_t len)
{
    (void)len;
    if (*at != '\n')
        refuse(r, "bare CR");
    else
        end_head(r);
    return 1;
}

static enum field which_field(const struct load_response *r)
{
    static const struct {
        const char *name;
        uint8_t len;
        enum field field;
    } fields[] = {
        {"content-length", 14, FIELD_LENGTH},
        {"transfer-encoding", 17, FIELD_CODING},
        {"connection", 10, FIELD_CONNECTION},
    };
    if (r->trailer)
        return FIELD_OTHER; /* RFC 9110 section 6.5.1: framing must not come from a trailer */
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (r->name_len == fields[i].len && memcmp(r->name, fields[i].name, r->name_len) == 0)
            return fields[i].field;
    return FIELD_OTHER;
}

static size_t step_name(struct load_response *r, const char *at, size_t len)
{
    size_t kept = r->name_len;
    for (size_t i = 0; i < len; i++) {
        char c = load_token_byte(at[i]);
        if (c != 0) {
            if (kept < sizeof r->name)
                r->name[kept++] = c;
            continue;
        }
        r->name_len = (uint8_t)kept;
        if (at[i] != ':' || kept == 0) {
            refuse(r, "malformed header name");
        } else {
            r->field = (uint8_t)which_field(r);
            r->state = VALUE;
        }
        return i + 1;
    }
    r->name_len = (uint8_t)kept;
    return len;
}

static void take_length(struct load_response *r, const char *text, size_t len)
{
    uint64_t value = 0;
    if (len == 0 || len > 18) {
        refuse(r, "Content-Length is not a length");
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            refuse(r, "Content-Length is not a length");
            return;
        }
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    if (r->sized && value != r->length) {
        refuse(r, "two different Content-Lengths");
        return;
    }
    r->sized = true;
    r->length = value;
}

static void take_coding(struct load_response *r, const char *text, size_t len)
{
    if (r->chunked)
        refuse(r, "chunked is not the last transfer coding");
    r->coded = true;
    r->chunked = len == 7 && strncasecmp(text, "chunked", 7) == 0;
}

static void take_connection(struct load_response *r, const char *text, size_t len)
{
    if (len == 5 && strncasecmp(text, "close", 5) == 0)
        r->close = true;
    else if (len == 10 && strncasecmp(text, "keep-alive", 10) == 0)
        r->keep = true;
}

/* Calls take for each element of a comma-separated list; empty elements are skipped. */
static void each_element(struct load_response *r, const char *text, size_t len,
                         void (*take)(struct load_response *, const char *, size_t))
{
    while (len > 0 && r->state != BAD) {
        const char *comma = memchr(text, ',', len);
        size_t span = comma == NULL ? len : (size_t)(comma - text);
        size_t begin = 0, end = span;
        while (begin < end && load_is_blank(text[begin]))
            begin++;
        while (end > begin && load_is_blank(text[end - 1]))
            end--;
        if (end > begin)
            take(r, text + begin, end - begin);
        if (comma == NULL)
            return;
        text += span + 1;
        len -= span + 1;
    }
}

static void end_field(struct load_response *r)
{
    const char *text = r->value;
    size_t len = r->value_len;
    enum field field = r->field;
    r->field = FIELD_OTHER;
    r->state = LINE_START;
    switch (field) {
    case FIELD_LENGTH:
        while (len > 0 && load_is_blank(*text)) {
            text++;
            len--;
        }
        while (len > 0 && load_is_blank(text[len - 1]))
            len--;
        take_length(r, text, len);
        break;
    case FIELD_CODING:
        each_element(r, text, len, take_coding);
        break;
    case FIELD_CONNECTION:
        each_element(r, text, len, take_connection);
        break;
    case FIELD_OTHER:
        break;
    }
}

static size_t step_value(struct load_response *r, const char *at, size_t len)
{
    bool ended;
    size_t used = scan_line(r, at, len, &ended);
    if (ended && r->state == VALUE)
        end_field(r);
    return used;
}

static size_t take_body(struct load_response *r, size_t len)
{
    size_t used = r->left < len ? (size_t)r->left : len;
    r->left -= used;
    r->body += used;
    return used;
}

static size_t step_body_sized(struct load_response *r, const char *at, size_t len)
{
    (void)at;
    size_t used = take_body(r, len);
    if (r->left == 0)
        r->state = DONE;
    return used;
}

static size_t step_body_until_close(struct load_response *r, const char *at, size_t len)
{
    (void)at;
    r->body += len;
    return len;
}

static size_t step_chunk_size(struct load_response *r, const char *at, size_t len)
{
    (void)len;
    int digit = load_hex_digit(*at);
    if (digit >= 0) {
        if (r->left >> 56 != 0) {
            refuse(r, "chunk size too large");
            return 1;
        }
        r->left = r->left * 16 + (uint64_t)digit;
        r->matched = 1;
        return 1;
    }
    if (r->matched == 0 || (*at != ';' && *at != '\r' && *at != '\n' && !load_is_blank(*at))) {
        refuse(r, "malformed chunk size");
        return 1;
    }
    r->state = CHUNK_EXTENSION;
    return 0;
}

static size_t step_chunk_extension(struct load_response *r, const char *at, size_t len)
{
    bool ended;
    size_t used = scan_line(r, at, len, &ended);
    if (!ended || r->state != CHUNK_EXTENSION)
        return used;
    r->rewind = true;
    r->trailer = r->left == 0;
    r->state = r->trailer ? LINE_START : CHUNK_DATA;
    return used;
}

static size_t step_chunk_data(struct load_response *r, const char *at, size_t len)
{
    (void)at;
    size_t used = take_body(r, len);
    if (r->left == 0)
        r->state = CHUNK_END;
    return used;
}

static size_t step_chunk_end(struct load_response *r, const char *at, size_t len)
{
    (void)len;
    if (*at == '\r' && !r->cr) {
        r->cr = true;
    } else if (*at == '\n') {
        r->cr = false;
        r->rewind = true;
        r->matched = 0;
        r->state = CHUNK_SIZE;
    } else {
        refuse(r, "chunk longer than its size");
    }
    return 1;
}

/* Each takes at least a byte or changes the state; called with len > 0 only. `limit` bounds the
 * bytes of the head or line that the state is part of; 0: unbounded. */
static const struct {
    size_t (*step)(struct load_response *r, const char *at, size_t len);
    uint32_t limit;
} steps[STATE_COUNT] = {
    [VERSION] = {step_version, LOAD_RESPONSE_HEAD_MAX},
    [STATUS] = {step_status, LOAD_RESPONSE_HEAD_MAX},
    [REASON] = {step_reason, LOAD_RESPONSE_HEAD_MAX},
    [LINE_START] = {step_line_start, LOAD_RESPONSE_HEAD_MAX},
    [NAME] = {step_name, LOAD_RESPONSE_HEAD_MAX},
    [VALUE] = {step_value, LOAD_RESPONSE_HEAD_MAX},
    [HEAD_LF] = {step_head_lf, LOAD_RESPONSE_HEAD_MAX},
    [BODY_SIZED] = {step_body_sized, 0},
    [BODY_UNTIL_CLOSE] = {step_body_until_close, 0},
    [CHUNK_SIZE] = {step_chunk_size, LOAD_RESPONSE_LINE_MAX},
    [CHUNK_EXTENSION] = {step_chunk_extension, LOAD_RESPONSE_LINE_MAX},
    [CHUNK_DATA] = {step_chunk_data, 0},
    [CHUNK_END] = {step_chunk_end, 0},
};

/* Steps from pos on until the bytes are used up or the state is `until` or beyond; returns the new
 * position. */
static size_t advance(struct load_response *r, const char *data, size_t pos, size_t len,
                      enum state until)
{
    while (pos < len && r->state < until) {
        uint32_t limit = steps[r->state].limit;
        size_t room = len - pos;
        if (limit > 0) {
            if (r->spent >= limit) {
                refuse(r, "header or chunk line too long");
                break;
            }
            if (room > limit - r->spent)
                room = limit - r->spent;
        }
        size_t taken = steps[r->state].step(r, data + pos, room);
        pos += taken;
        r->spent = r->rewind ? 0 : r->spent + (limit > 0 ? (uint32_t)taken : 0);
        r->rewind = false;
    }
    return pos;
}

enum load_parse load_response_feed(struct load_response *r, const char *data, size_t len,
                                   size_t *used)
{
    *used = advance(r, data, 0, len, DONE);
    return r->state == DONE ? LOAD_PARSE_DONE : r->state == BAD ? LOAD_PARSE_BAD : LOAD_PARSE_MORE;
}

size_t load_response_feed_head(struct load_response *r, const char *data, size_t len)
{
    return advance(r, data, 0, len, BODY_SIZED);
}

bool load_response_is_new(const struct load_response *r)
{
    return r->state == VERSION && r->matched == 0 && r->interim == 0;
}

bool load_response_has_head(const struct load_response *r)
{
    return r->state >= BODY_SIZED && r->state != BAD;
}

enum load_parse load_response_eof(struct load_response *r)
{
    if (r->state == BODY_UNTIL_CLOSE)
        r->state = DONE;
    if (r->state == DONE)
        return LOAD_PARSE_DONE;
    if (r->state != BAD)
        refuse(r, "connection ended before the response did");
    return LOAD_PARSE_BAD;
}
