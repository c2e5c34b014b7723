/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer of HTTP/2 sends, arbitrary bytes: no crash, and the same ends of the same streams
 * however the bytes are cut. The first byte says how they are. */
#include <stdlib.h>
#include <string.h>

#include "http2_session.h"

enum { STREAMS = 3, GOING_ON = -1 };

struct outcome {
    int ends[STREAMS];
    unsigned statuses[STREAMS];
    size_t kept;
    bool over;
};

/* nghttp2 (1.52) counts a frame that continues a head again with each piece of its nine bytes, and
 * has enough after a few. */
static bool has_continuation(const uint8_t *data, size_t len)
{
    for (size_t at = 0; at + 9 <= len;) {
        if (data[at + 3] == 9)
            return true;
        at += 9 + ((size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2]);
    }
    return false;
}

static void drain(struct load_h2_session *session)
{
    static char bytes[65536];
    while (load_h2_session_take(session, bytes, sizeof bytes) == sizeof bytes)
        continue;
}

static void begin(struct load_h2_session *session, struct load_h2_stream *stream,
                  const struct load_h2_head *head, const char *text)
{
    const struct load_h2_body body = {
        .bytes = text, .len = strlen(text), .file = -1, .total = strlen(text)};
    if (!load_h2_session_submit(session, stream, head, &body))
        abort();
}

static struct load_h2_head *make_head(void)
{
    struct load_h2_head *head = load_h2_head_new(4);
    load_h2_head_set(head, 0, ":method", 7, "GET", 3, false);
    load_h2_head_set(head, 1, ":scheme", 7, "http", 4, false);
    load_h2_head_set(head, 2, ":authority", 10, "h", 1, false);
    load_h2_head_set(head, 3, ":path", 5, "/", 1, true);
    return head;
}

static void collect(struct load_h2_session *session, const struct load_h2_stream *streams,
                    struct outcome *out)
{
    struct load_h2_stream *stream;
    while ((stream = load_h2_session_ended(session)) != NULL) {
        size_t i = (size_t)(stream - streams);
        if (out->ends[i] != GOING_ON || (stream->end == LOAD_H2_ANSWERED && stream->status < 200))
            abort();
        out->ends[i] = (int)stream->end;
        out->statuses[i] = stream->status;
    }
}

static struct outcome talk(const char *data, size_t len, size_t piece)
{
    struct outcome out = {.ends = {GOING_ON, GOING_ON, GOING_ON}};
    struct load_h2_session *session = load_h2_session_new();
    struct load_h2_stream streams[STREAMS] = {{0}};
    struct load_h2_head *head = make_head();
    struct load_capture capture;
    if (session == NULL)
        abort();
    load_capture_init(&capture);
    load_capture_start(&capture, true);
    streams[1].capture = &capture;
    begin(session, &streams[0], head, "");
    begin(session, &streams[1], head, "");
    begin(session, &streams[2], head, "hello");
    drain(session);
    for (size_t at = 0; at < len; at += piece)
        load_h2_session_feed(session, data + at, piece < len - at ? piece : len - at, 1);
    drain(session);
    collect(session, streams, &out);
    out.over = load_h2_session_is_over(session);
    out.kept = capture.bytes.len;
    load_h2_session_free(session);
    load_capture_fini(&capture);
    free(head);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *bytes = (const char *)data + 1;
    struct outcome whole = talk(bytes, size - 1, size);
    struct outcome cut = talk(bytes, size - 1, (size_t)data[0] % 16 + 1);
    if (has_continuation(data + 1, size - 1))
        return 0;
    if (whole.over != cut.over || (whole.ends[1] == LOAD_H2_ANSWERED && whole.kept != cut.kept))
        abort();
    for (size_t i = 0; i < STREAMS; i++)
        if (whole.ends[i] != cut.ends[i] || whole.statuses[i] != cut.statuses[i])
            abort();
    return 0;
}
