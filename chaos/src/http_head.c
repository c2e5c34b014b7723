/* SPDX-License-Identifier: Apache-2.0 */
#include "http_head.h"

#include <string.h>
#include <strings.h>

enum { chunk_line_max = 4096, status_digits = 3 };

bool http_text_is(struct http_text text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

bool http_text_names(struct http_text text, const char *name)
{
    return text.len == strlen(name) && strncasecmp(text.at, name, text.len) == 0;
}

/* RFC 9110, 5.6.2 */
static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct http_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_token_char(text.at[i]))
            return false;
    return text.len > 0;
}

/* The text up to `end` at the front of *rest, which then begins behind it. */
static bool cut(struct http_text *rest, const char *end, struct http_text *out)
{
    size_t end_len = strlen(end);
    const char *at = rest->len == 0 ? NULL : memmem(rest->at, rest->len, end, end_len);
    if (at == NULL)
        return false;
    *out = (struct http_text){rest->at, (size_t)(at - rest->at)};
    size_t taken = out->len + end_len;
    *rest = (struct http_text){rest->at + taken, rest->len - taken};
    return true;
}

/* --- header lines --- */

static struct http_text trimmed(struct http_text text)
{
    while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = (struct http_text){text.at + 1, text.len - 1};
    while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

bool http_field_next(struct http_text *fields, struct http_field *out)
{
    struct http_text line;
    const char *start = fields->at;
    if (!cut(fields, "\r\n", &line))
        return false;
    struct http_text rest = line;
    struct http_field field = {.line = {start, line.len + 2}};
    if (!cut(&rest, ":", &field.name))
        return false;
    field.value = trimmed(rest);
    *out = field;
    return true;
}

/* No control character but tab: so no CR, LF or NUL either, whatever a server makes of them. */
static bool is_clean(struct http_text line)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool read_size(struct http_text text, uint64_t *out)
{
    uint64_t size = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)text.at[i] - '0';
        if (text.at[i] < '0' || text.at[i] > '9' || size > (UINT64_MAX - digit) / 10)
            return false;
        size = size * 10 + digit;
    }
    *out = size;
    return text.len > 0;
}

/* The value is a list with commas; is the word in it? */
static bool lists(struct http_text value, const char *word)
{
    struct http_text one;
    while (cut(&value, ",", &one))
        if (http_text_names(trimmed(one), word))
            return true;
    return http_text_names(trimmed(value), word);
}

struct framing {
    bool sized;
    bool chunked;
    uint64_t size;
    bool close;
    bool keep;
    bool expects;
};

static bool note_field(struct framing *framing, const struct http_field *field)
{
    uint64_t size = 0;
    if (http_text_names(field->name, "Content-Length")) {
        if (!read_size(field->value, &size) || (framing->sized && framing->size != size))
            return false;
        framing->sized = true;
        framing->size = size;
    } else if (http_text_names(field->name, "Transfer-Encoding")) {
        if (framing->chunked || !http_text_names(field->value, "chunked"))
            return false;
        framing->chunked = true;
    } else if (http_text_names(field->name, "Connection")) {
        framing->close = framing->close || lists(field->value, "close");
        framing->keep = framing->keep || lists(field->value, "keep-alive");
    } else if (http_text_names(field->name, "Expect")) {
        framing->expects = http_text_names(field->value, "100-continue");
    }
    return true;
}

static bool read_fields(struct http_text fields, int minor, struct framing *out)
{
    struct http_field field;
    while (fields.len > 0) {
        if (!http_field_next(&fields, &field) || !is_token(field.name) || !is_clean(field.value) ||
            !note_field(out, &field))
            return false;
    }
    /* RFC 9112, 6.1: neither from an HTTP/1.0 sender nor beside a length. */
    return !out->chunked || (!out->sized && minor > 0);
}

/* --- the whole --- */

/* Whether more bytes can make it a head. Who speaks something else (TLS, bare LF, a protocol whose
 * client waits for the first answer) never sends the empty line, and is to pass at once. */
static bool may_become_head(const char *data, size_t len, bool (*is_start)(struct http_text start))
{
    const char *end = memmem(data, len, "\r\n", 2);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == '\n' ? i == 0 || data[i - 1] != '\r' : c < 0x20 && c != '\t' && c != '\r')
            return false;
        if (c == 0x7f || (c == '\r' && i + 1 < len && data[i + 1] != '\n'))
            return false;
    }
    return is_start((struct http_text){data, end != NULL ? (size_t)(end - data) + 2 : len});
}

/* The first line and the header lines of what is whole. is_start: whether a message may begin so;
 * with its CRLF the first line is whole. */
static enum http_parse split(const char *data, size_t len, bool (*is_start)(struct http_text start),
                             struct http_text *first, struct http_head *head)
{
    size_t seen = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
    const char *end = seen == 0 ? NULL : memmem(data, seen, "\r\n\r\n", 4);
    if (end == NULL && seen < HTTP_HEAD_MAX)
        return seen == 0 || may_become_head(data, seen, is_start) ? HTTP_MORE : HTTP_BAD;
    if (end == NULL)
        return HTTP_BAD;
    size_t lines = (size_t)(end - data) + 2;
    struct http_text rest = {data, lines};
    *head = (struct http_head){.len = lines + 2};
    if (!cut(&rest, "\r\n", first) || !is_clean(*first))
        return HTTP_BAD;
    head->fields = rest;
    return HTTP_DONE;
}

static bool read_version(struct http_text text, int *minor)
{
    if (text.len != 8 || memcmp(text.at, "HTTP/1.", 7) != 0 ||
        (text.at[7] != '0' && text.at[7] != '1'))
        return false;
    *minor = text.at[7] - '0';
    return true;
}

static void set_framing(struct http_head *head, const struct framing *framing,
                        enum http_framing otherwise)
{
    head->close = framing->close || (head->minor == 0 && !framing->keep);
    head->expects = framing->expects;
    head->size = framing->size;
    head->framing = framing->chunked ? HTTP_CHUNKED : framing->sized ? HTTP_SIZED : otherwise;
    if (head->framing == HTTP_SIZED && head->size == 0)
        head->framing = HTTP_NO_BODY;
}

static bool read_request_line(struct http_text line, struct http_head *head)
{
    return cut(&line, " ", &head->method) && cut(&line, " ", &head->target) &&
           is_token(head->method) && head->target.len > 0 && read_version(line, &head->minor);
}

static bool is_request_start(struct http_text start)
{
    struct http_text rest = start;
    struct http_text line;
    struct http_head ignored;
    if (cut(&rest, "\r\n", &line))
        return read_request_line(line, &ignored);
    const char *space = memchr(start.at, ' ', start.len);
    size_t end = start.len - (start.at[start.len - 1] == '\r' ? 1 : 0);
    return is_token((struct http_text){start.at, space != NULL ? (size_t)(space - start.at) : end});
}

enum http_parse http_request_parse(const char *data, size_t len, struct http_head *out)
{
    struct http_text line;
    struct http_head head;
    struct framing framing = {0};
    enum http_parse result = split(data, len, is_request_start, &line, &head);
    if (result != HTTP_DONE)
        return result;
    if (!read_request_line(line, &head) || !read_fields(head.fields, head.minor, &framing))
        return HTTP_BAD;
    set_framing(&head, &framing, HTTP_NO_BODY);
    *out = head;
    return HTTP_DONE;
}

static bool read_status(struct http_text line, int *status)
{
    if (line.len < status_digits || (line.len > status_digits && line.at[status_digits] != ' '))
        return false;
    *status = 0;
    for (int i = 0; i < status_digits; i++) {
        if (line.at[i] < '0' || line.at[i] > '9')
            return false;
        *status = *status * 10 + (line.at[i] - '0');
    }
    return *status >= 100;
}

static bool read_status_line(struct http_text line, struct http_head *head)
{
    struct http_text version;
    return cut(&line, " ", &version) && read_version(version, &head->minor) &&
           read_status(line, &head->status);
}

static bool is_response_start(struct http_text start)
{
    static const char version[] = "HTTP/1.";
    size_t len = start.len < sizeof version - 1 ? start.len : sizeof version - 1;
    struct http_text rest = start;
    struct http_text line;
    struct http_head ignored;
    if (cut(&rest, "\r\n", &line))
        return read_status_line(line, &ignored);
    return memcmp(start.at, version, len) == 0;
}

enum http_parse http_response_parse(const char *data, size_t len, struct http_text to,
                                    struct http_head *out)
{
    struct http_text line;
    struct http_head head;
    struct framing framing = {0};
    enum http_parse result = split(data, len, is_response_start, &line, &head);
    if (result != HTTP_DONE)
        return result;
    if (!read_status_line(line, &head) || !read_fields(head.fields, head.minor, &framing))
        return HTTP_BAD;
    set_framing(&head, &framing, HTTP_UNTIL_CLOSE);
    /* RFC 9112, 6.3: the first rules, before what the fields say. */
    if (http_text_is(to, "HEAD") || head.status < 200 || head.status == 204 || head.status == 304)
        head.framing = HTTP_NO_BODY;
    *out = head;
    return HTTP_DONE;
}

/* --- chunks: RFC 9112, 7.1 --- */

enum {
    chunk_size, /* the first digit */
    chunk_more, /* further digits */
    chunk_extension,
    chunk_size_lf,
    chunk_data,
    chunk_data_cr,
    chunk_data_lf,
    chunk_trailer, /* at the start of a line */
    chunk_trailer_line,
    chunk_trailer_lf,
    chunk_end_lf
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_digit(struct http_chunks *chunks, char c)
{
    int digit = hex_digit(c);
    if (digit < 0 || chunks->left > UINT64_MAX >> 4)
        return false;
    chunks->left = chunks->left << 4 | (uint64_t)digit;
    chunks->state = chunk_more;
    return true;
}

static bool expect(struct http_chunks *chunks, char c, char wanted, int next)
{
    chunks->state = next;
    return c == wanted;
}

/* One byte that is no data; false: not the chunked coding. */
static bool take(struct http_chunks *chunks, char c, bool *done)
{
    switch (chunks->state) {
    case chunk_size:
        chunks->left = 0;
        return take_digit(chunks, c);
    case chunk_more:
        if (c == ';' || c == ' ' || c == '\t')
            return expect(chunks, c, c, chunk_extension);
        return c == '\r' ? expect(chunks, c, c, chunk_size_lf) : take_digit(chunks, c);
    case chunk_extension:
        return c == '\r' ? expect(chunks, c, c, chunk_size_lf) : c != '\n';
    case chunk_size_lf:
        chunks->spent = 0;
        return expect(chunks, c, '\n', chunks->left > 0 ? chunk_data : chunk_trailer);
    case chunk_data_cr:
        return expect(chunks, c, '\r', chunk_data_lf);
    case chunk_data_lf:
        chunks->spent = 0;
        return expect(chunks, c, '\n', chunk_size);
    case chunk_trailer:
        return expect(chunks, c, c, c == '\r' ? chunk_end_lf : chunk_trailer_line) && c != '\n';
    case chunk_trailer_line:
        return c == '\r' ? expect(chunks, c, c, chunk_trailer_lf) : c != '\n';
    case chunk_trailer_lf:
        return expect(chunks, c, '\n', chunk_trailer);
    default:
        *done = true;
        return c == '\n';
    }
}

size_t http_chunks_follow(struct http_chunks *chunks, const char *data, size_t len,
                          enum http_parse *result)
{
    size_t used = 0;
    bool done = false;
    *result = HTTP_MORE;
    while (used < len && !done) {
        if (chunks->state == chunk_data) {
            size_t rest = len - used;
            size_t part = chunks->left < rest ? (size_t)chunks->left : rest;
            chunks->left -= part;
            used += part;
            if (chunks->left == 0)
                chunks->state = chunk_data_cr;
            continue;
        }
        size_t most = chunks->state >= chunk_trailer ? HTTP_HEAD_MAX : chunk_line_max;
        if (chunks->spent++ >= most || !take(chunks, data[used], &done)) {
            *result = HTTP_BAD;
            return used;
        }
        used++;
    }
    if (done)
        *result = HTTP_DONE;
    return used;
}
