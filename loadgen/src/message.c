/* SPDX-License-Identifier: Apache-2.0 */
#include "message.h"

#include <string.h>
#include <strings.h>

#include "http_bytes.h"
#include "model/flow.h"

void load_capture_init(struct load_capture *capture)
{
    *capture = (struct load_capture){.body = false};
    base_buf_init(&capture->bytes, LOAD_CAPTURE_MAX);
}

void load_capture_fini(struct load_capture *capture)
{
    base_buf_fini(&capture->bytes);
}

void load_capture_start(struct load_capture *capture, bool body)
{
    base_buf_clear(&capture->bytes);
    capture->body = body;
    capture->too_large = false;
}

void load_capture_add(struct load_capture *capture, const char *data, size_t len, bool in_body)
{
    if (capture->too_large || (in_body && !capture->body))
        return;
    capture->too_large = !base_buf_append(&capture->bytes, data, len);
}

/* Behind the LF of the line that begins at `at`; len when there is none. */
static size_t line_end(const char *bytes, size_t at, size_t len)
{
    const char *lf = memchr(bytes + at, '\n', len - at);
    return lf == NULL ? len : (size_t)(lf - bytes) + 1;
}

static bool is_empty_line(const char *bytes, size_t at, size_t end)
{
    return end - at == 1 || (end - at == 2 && bytes[at] == '\r');
}

/* Of the head that begins at `at`: where its header lines are. Returns where it ends, 0 when it
 * does not. */
static size_t read_head(const char *bytes, size_t at, size_t len, struct load_message *out)
{
    static const size_t code = sizeof "HTTP/1.x " - 1;
    if (len - at < code + 3)
        return 0;
    out->status = 0;
    for (size_t i = 0; i < 3; i++)
        out->status = out->status * 10 + (unsigned)(bytes[at + code + i] - '0');
    size_t line = line_end(bytes, at, len);
    size_t headers = line;
    while (line < len) {
        size_t end = line_end(bytes, line, len);
        if (bytes[end - 1] == '\n' && is_empty_line(bytes, line, end)) {
            out->headers = (struct load_text_span){bytes + headers, line - headers};
            return end;
        }
        line = end;
    }
    return 0;
}

/* The last element of the list, empty ones left out. */
static bool ends_chunked(struct load_text_span value, bool before)
{
    static const char word[] = "chunked";
    size_t end = value.len;
    while (end > 0 && (value.at[end - 1] == ',' || load_is_blank(value.at[end - 1])))
        end--;
    size_t start = end;
    while (start > 0 && value.at[start - 1] != ',')
        start--;
    while (start < end && load_is_blank(value.at[start]))
        start++;
    if (start == end)
        return before;
    return end - start == sizeof word - 1 && strncasecmp(value.at + start, word, end - start) == 0;
}

static bool is_chunked(const struct load_message *message)
{
    struct load_text_span value;
    bool chunked = false;
    for (size_t at = 0; load_message_find(message, &at, "Transfer-Encoding", &value);)
        chunked = ends_chunked(value, chunked);
    return chunked;
}

/* Moves the chunks' bytes to the front; returns how many they are. What the capture left out is not
 * there, and ends it. */
static size_t join_chunks(char *bytes, size_t len)
{
    size_t out = 0;
    for (size_t at = 0; at < len;) {
        size_t size = 0, digits = at;
        for (int digit; digits < len && (digit = load_hex_digit(bytes[digits])) >= 0; digits++)
            size = size << 4 | (size_t)digit;
        size_t data = line_end(bytes, at, len);
        if (size == 0 || size > len - data)
            break;
        memmove(bytes + out, bytes + data, size);
        out += size;
        at = line_end(bytes, data + size, len);
    }
    return out;
}

bool load_message_read(char *bytes, size_t len, struct load_message *out)
{
    struct load_message made = {.status = 0};
    size_t at = 0;
    do { /* 1xx responses come before the final one */
        at = read_head(bytes, at, len, &made);
        if (at == 0)
            return false;
    } while (made.status < 200);
    made.body = (struct load_text_span){bytes + at, len - at};
    if (is_chunked(&made))
        made.body.len = join_chunks(bytes + at, len - at);
    *out = made;
    return true;
}

static struct load_text_span trim(const char *at, size_t len)
{
    while (len > 0 && load_is_blank(*at)) {
        at++;
        len--;
    }
    while (len > 0 && (load_is_blank(at[len - 1]) || at[len - 1] == '\r'))
        len--;
    return (struct load_text_span){at, len};
}

static bool next_line(const struct load_message *message, size_t *at, struct load_text_span *name,
                      struct load_text_span *value)
{
    const char *lines = message->headers.at;
    if (*at >= message->headers.len)
        return false;
    size_t end = line_end(lines, *at, message->headers.len);
    const char *line = lines + *at;
    const char *colon = memchr(line, ':', end - *at);
    size_t len = colon == NULL ? 0 : (size_t)(colon - line);
    *name = (struct load_text_span){line, len};
    *value = colon == NULL ? *name : trim(colon + 1, end - *at - len - 2);
    *at = end;
    return true;
}

bool load_message_find(const struct load_message *message, size_t *at, const char *name,
                       struct load_text_span *value)
{
    struct load_text_span found;
    size_t len = strlen(name);
    while (next_line(message, at, &found, value))
        if (found.len == len && strncasecmp(found.at, name, len) == 0)
            return true;
    return false;
}
