/* SPDX-License-Identifier: Apache-2.0 */
#include "http2_session.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* So large that what the peer sends is never held up by us: it is thrown away as it comes. The
 * connection's is told with a WINDOW_UPDATE, each stream's by a setting. */
static const int32_t window = (1 << 30) - 1;
static const unsigned interim_max = 16;
static const size_t frame_head = 9; /* RFC 9113 section 4.1 */

struct load_h2_head {
    size_t count;
    nghttp2_nv fields[];
};

struct load_h2_session {
    nghttp2_session *inner;
    int64_t now;                    /* when the bytes that are being fed came */
    struct load_h2_stream *heading; /* whose head is coming; NULL: one that nobody waits for */
    size_t head_bytes;              /* of that head so far */
    const uint8_t *held;            /* nghttp2's, until it is asked for more */
    size_t held_len;
    bool greeted;
    bool leaving;
    bool dead;
    uint32_t room;
    struct load_h2_unsent unsent;
    STAILQ_HEAD(load_h2_ended, load_h2_stream) ended;
    char why[LOAD_H2_WHY];
};

/* --- ends --- */

static enum load_h2_end end_of(const struct load_h2_session *session,
                               const struct load_h2_stream *stream)
{
    if (stream->whole && !stream->wrong)
        return LOAD_H2_ANSWERED;
    if (stream->unreadable)
        return LOAD_H2_UNREADABLE;
    if (stream->reset)
        return stream->code == NGHTTP2_REFUSED_STREAM ? LOAD_H2_REFUSED : LOAD_H2_RESET;
    if (session->leaving && stream->code == NGHTTP2_REFUSED_STREAM)
        return LOAD_H2_UNSERVED;
    return LOAD_H2_MALFORMED;
}

static void end(struct load_h2_session *session, struct load_h2_stream *stream, uint32_t code)
{
    if (stream == NULL || stream->ended)
        return;
    load_h2_session_sent(session, stream);
    stream->code = code;
    stream->end = end_of(session, stream);
    stream->ended = true;
    STAILQ_INSERT_TAIL(&session->ended, stream, ended_link);
}

static struct load_h2_stream *stream_of(nghttp2_session *inner, int32_t id)
{
    return nghttp2_session_get_stream_user_data(inner, id);
}

static int on_stream_close(nghttp2_session *inner, int32_t id, uint32_t code, void *ctx)
{
    end(ctx, stream_of(inner, id), code);
    return 0;
}

/* --- what comes --- */

static void keep_why(struct load_h2_session *session, const char *text, size_t len)
{
    if (session->why[0] == '\0')
        (void)snprintf(session->why, sizeof session->why, "%.*s", (int)len, text);
}

static int on_begin_headers(nghttp2_session *inner, const nghttp2_frame *frame, void *ctx)
{
    struct load_h2_session *session = ctx;
    bool response = frame->hd.type == NGHTTP2_HEADERS; /* else a promise, of whatever it is */
    session->heading = response ? stream_of(inner, frame->hd.stream_id) : NULL;
    session->head_bytes = 0;
    if (session->heading != NULL && session->heading->first_at == 0)
        session->heading->first_at = session->now;
    return 0;
}

/* As the head of an HTTP/1 response, so that one reader (message.h) serves both. */
__attribute__((noinline)) static void keep_field(struct load_h2_stream *stream, const char *name,
                                                 size_t name_len, const char *value, size_t len)
{
    struct load_capture *capture = stream->capture;
    if (stream->headed)
        return; /* a trailer */
    if (name[0] == ':') {
        load_capture_start(capture, capture->body);
        load_capture_add(capture, "HTTP/2.0 ", 9, false);
    } else {
        load_capture_add(capture, name, name_len, false);
        load_capture_add(capture, ": ", 2, false);
    }
    load_capture_add(capture, value, len, false);
    load_capture_add(capture, "\r\n", 2, false);
}

static void take_status(struct load_h2_stream *stream, const uint8_t *value, size_t len)
{
    stream->status = 0;                       /* of the final response, after those of 1xx */
    for (size_t i = 0; i < len && i < 3; i++) /* nghttp2 has seen to it that these are digits */
        stream->status = stream->status * 10 + (unsigned)(value[i] - '0');
}

static int on_header(nghttp2_session *inner, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *ctx)
{
    static const size_t overhead = 32; /* RFC 9113 section 6.5.2 */
    struct load_h2_session *session = ctx;
    struct load_h2_stream *stream = session->heading;
    (void)inner;
    (void)frame;
    (void)flags;
    session->head_bytes += name_len + len + overhead;
    if (session->head_bytes > LOAD_H2_HEAD_MAX)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
    if (stream == NULL)
        return 0;
    if (name[0] == ':')
        take_status(stream, value, len);
    if (__builtin_expect(stream->capture != NULL, 0))
        keep_field(stream, (const char *)name, name_len, (const char *)value, len);
    return 0;
}

static int on_data(nghttp2_session *inner, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *ctx)
{
    struct load_h2_stream *stream = stream_of(inner, id);
    (void)flags;
    (void)ctx;
    if (stream != NULL && stream->capture != NULL)
        load_capture_add(stream->capture, (const char *)data, len, true);
    return 0;
}

static void head_came(nghttp2_session *inner, struct load_h2_stream *stream)
{
    if (stream->status < 200) {
        stream->wrong = stream->status < 100 || ++stream->interim > interim_max;
        if (stream->wrong)
            (void)nghttp2_submit_rst_stream(inner, NGHTTP2_FLAG_NONE, stream->id,
                                            NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    if (stream->capture != NULL && !stream->headed)
        load_capture_add(stream->capture, "\r\n", 2, false);
    stream->headed = true;
}

/* HEADERS, whole with what continues them, or DATA. The request may not be all sent: the rest is of
 * no use to anybody. */
static void part_came(nghttp2_session *inner, const nghttp2_frame *frame)
{
    struct load_h2_stream *stream = stream_of(inner, frame->hd.stream_id);
    if (stream == NULL)
        return;
    stream->bytes_in += frame_head + frame->hd.length;
    if (frame->hd.type == NGHTTP2_HEADERS)
        head_came(inner, stream);
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return;
    stream->whole = true;
    if (stream->body.total > stream->given)
        (void)nghttp2_submit_rst_stream(inner, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
}

static void settings_came(struct load_h2_session *session, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
        return;
    session->greeted = true;
    session->room = nghttp2_session_get_remote_settings(session->inner,
                                                        NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

static void goaway_came(struct load_h2_session *session, const nghttp2_goaway *goaway)
{
    char text[LOAD_H2_WHY];
    size_t len = goaway->opaque_data_len < 80 ? goaway->opaque_data_len : 80;
    session->leaving = true;
    int n =
        snprintf(text, sizeof text, "GOAWAY with %s%s%.*s", load_h2_code_name(goaway->error_code),
                 len > 0 ? ": " : "", (int)len, len > 0 ? (const char *)goaway->opaque_data : "");
    keep_why(session, text, n > 0 ? (size_t)n : 0);
}

static int on_frame(nghttp2_session *inner, const nghttp2_frame *frame, void *ctx)
{
    struct load_h2_stream *stream;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        part_came(inner, frame);
        break;
    case NGHTTP2_RST_STREAM:
        stream = stream_of(inner, frame->hd.stream_id);
        if (stream != NULL)
            stream->reset = true;
        break;
    case NGHTTP2_SETTINGS:
        settings_came(ctx, frame);
        break;
    case NGHTTP2_GOAWAY:
        goaway_came(ctx, &frame->goaway);
        break;
    default:
        break;
    }
    return 0;
}

static int on_error(nghttp2_session *inner, int code, const char *text, size_t len, void *ctx)
{
    (void)inner;
    (void)code;
    keep_why(ctx, text, len);
    return 0;
}

static int on_invalid_frame(nghttp2_session *inner, const nghttp2_frame *frame, int code, void *ctx)
{
    (void)inner;
    (void)frame;
    const char *text = nghttp2_strerror(code);
    keep_why(ctx, text, strlen(text));
    return 0;
}

/* --- what goes --- */

static int on_frame_sent(nghttp2_session *inner, const nghttp2_frame *frame, void *ctx)
{
    if (frame->hd.type == NGHTTP2_GOAWAY) { /* nghttp2's, for what the peer did */
        const char *name = load_h2_code_name(frame->goaway.error_code);
        keep_why(ctx, name, strlen(name));
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct load_h2_stream *stream = stream_of(inner, frame->hd.stream_id);
    if (stream != NULL)
        stream->bytes_out += frame_head + frame->hd.length;
    return 0;
}

static ssize_t on_body(nghttp2_session *inner, int32_t id, uint8_t *out, size_t room,
                       uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct load_h2_stream *stream = stream_of(inner, id);
    (void)source;
    (void)ctx;
    if (stream == NULL) /* cancelled */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const struct load_h2_body *body = &stream->body;
    ssize_t n;
    if (stream->given < body->len) {
        size_t left = body->len - (size_t)stream->given;
        n = (ssize_t)(left < room ? left : room);
        memcpy(out, body->bytes + stream->given, (size_t)n);
    } else {
        n = pread(body->file, out, room, (off_t)(stream->given - body->len));
    }
    if (n <= 0) {
        stream->unreadable = true;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    stream->given += (uint64_t)n;
    if (stream->given == body->total)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return n;
}

/* --- a session --- */

static bool set_callbacks(nghttp2_session_callbacks **out)
{
    nghttp2_session_callbacks *list;
    if (nghttp2_session_callbacks_new(&list) != 0)
        return false;
    nghttp2_session_callbacks_set_on_stream_close_callback(list, on_stream_close);
    nghttp2_session_callbacks_set_on_begin_headers_callback(list, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(list, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(list, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(list, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(list, on_invalid_frame);
    nghttp2_session_callbacks_set_error_callback2(list, on_error);
    nghttp2_session_callbacks_set_on_frame_send_callback(list, on_frame_sent);
    *out = list;
    return true;
}

static bool greet(nghttp2_session *inner)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)((1U << 30) - 1)},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LOAD_H2_HEAD_MAX}};
    return nghttp2_submit_settings(inner, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof *settings) == 0 &&
           nghttp2_session_set_local_window_size(inner, NGHTTP2_FLAG_NONE, 0, window) == 0;
}

struct load_h2_session *load_h2_session_new(void)
{
    nghttp2_session_callbacks *callbacks;
    if (!set_callbacks(&callbacks))
        return NULL;
    struct load_h2_session *session = base_calloc(1, sizeof *session);
    TAILQ_INIT(&session->unsent);
    STAILQ_INIT(&session->ended);
    bool good = nghttp2_session_client_new(&session->inner, callbacks, session) == 0 &&
                greet(session->inner);
    nghttp2_session_callbacks_del(callbacks);
    if (good)
        return session;
    load_h2_session_free(session);
    return NULL;
}

void load_h2_session_free(struct load_h2_session *session)
{
    if (session == NULL)
        return;
    nghttp2_session_del(session->inner);
    free(session);
}

static void die(struct load_h2_session *session, ssize_t code)
{
    const char *text = nghttp2_strerror((int)code);
    keep_why(session, text, strlen(text));
    session->dead = true;
}

void load_h2_session_feed(struct load_h2_session *session, const char *data, size_t len,
                          int64_t now)
{
    session->now = now;
    ssize_t n = nghttp2_session_mem_recv(session->inner, (const uint8_t *)data, len);
    if (n < 0)
        die(session, n);
}

size_t load_h2_session_take(struct load_h2_session *session, char *out, size_t room)
{
    size_t taken = 0;
    while (!session->dead) {
        if (session->held_len == 0) {
            ssize_t n = nghttp2_session_mem_send(session->inner, &session->held);
            if (n < 0)
                die(session, n);
            if (n <= 0)
                break;
            session->held_len = (size_t)n;
        }
        size_t len = session->held_len < room - taken ? session->held_len : room - taken;
        memcpy(out + taken, session->held, len);
        taken += len;
        session->held += len;
        session->held_len -= len;
        if (taken == room)
            break;
    }
    return taken;
}

struct load_h2_stream *load_h2_session_ended(struct load_h2_session *session)
{
    struct load_h2_stream *stream = STAILQ_FIRST(&session->ended);
    if (stream != NULL)
        STAILQ_REMOVE_HEAD(&session->ended, ended_link);
    return stream;
}

bool load_h2_session_greeted(const struct load_h2_session *session)
{
    return session->greeted;
}

uint32_t load_h2_session_room(const struct load_h2_session *session)
{
    return session->room;
}

bool load_h2_session_is_leaving(const struct load_h2_session *session)
{
    return session->leaving;
}

bool load_h2_session_is_over(const struct load_h2_session *session)
{
    return session->dead ||
           (session->held_len == 0 && nghttp2_session_want_read(session->inner) == 0 &&
            nghttp2_session_want_write(session->inner) == 0);
}

const char *load_h2_session_why(const struct load_h2_session *session)
{
    return session->why;
}

const char *load_h2_code_name(uint32_t code)
{
    return nghttp2_http2_strerror(code);
}

/* --- streams --- */

bool load_h2_session_submit(struct load_h2_session *session, struct load_h2_stream *stream,
                            const struct load_h2_head *head, const struct load_h2_body *body)
{
    const nghttp2_data_provider provider = {.read_callback = on_body};
    struct load_capture *capture = stream->capture;
    *stream = (struct load_h2_stream){.body = *body, .capture = capture};
    stream->id = nghttp2_submit_request(session->inner, NULL, head->fields, head->count,
                                        body->total > 0 ? &provider : NULL, stream);
    if (stream->id < 0)
        return false;
    stream->unsent = true;
    TAILQ_INSERT_TAIL(&session->unsent, stream, unsent_link);
    return true;
}

void load_h2_session_cancel(struct load_h2_session *session, struct load_h2_stream *stream)
{
    load_h2_session_sent(session, stream);
    if (session->heading == stream)
        session->heading = NULL;
    (void)nghttp2_session_set_stream_user_data(session->inner, stream->id, NULL);
    (void)nghttp2_submit_rst_stream(session->inner, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
}

struct load_h2_unsent *load_h2_session_unsent(struct load_h2_session *session)
{
    return &session->unsent;
}

void load_h2_session_sent(struct load_h2_session *session, struct load_h2_stream *stream)
{
    if (!stream->unsent)
        return;
    stream->unsent = false;
    TAILQ_REMOVE(&session->unsent, stream, unsent_link);
}

/* --- heads --- */

static size_t head_size(size_t count)
{
    return sizeof(struct load_h2_head) + count * sizeof(nghttp2_nv);
}

struct load_h2_head *load_h2_head_new(size_t count)
{
    struct load_h2_head *head = base_calloc(1, head_size(count));
    head->count = count;
    return head;
}

void load_h2_head_set(struct load_h2_head *head, size_t at, const char *name, size_t name_len,
                      const char *value, size_t value_len, bool moving)
{
    /* nghttp2 only reads them, though its type says otherwise. */
    head->fields[at] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .value = (uint8_t *)(uintptr_t)value,
        .namelen = name_len,
        .valuelen = value_len,
        .flags = (uint8_t)(NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE |
                           (moving ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE))};
}

/* Text outside of `from` stays where it is. */
static uint8_t *moved(const uint8_t *text, const char *from, size_t len, const char *to)
{
    uintptr_t at = (uintptr_t)text - (uintptr_t)from;
    return (uint8_t *)(at <= len ? (uintptr_t)to + at : (uintptr_t)text);
}

struct load_h2_head *load_h2_head_moved(const struct load_h2_head *head, const char *from,
                                        size_t len, const char *to)
{
    struct load_h2_head *copy = load_h2_head_new(head->count);
    for (size_t i = 0; i < head->count; i++) {
        copy->fields[i] = head->fields[i];
        copy->fields[i].name = moved(head->fields[i].name, from, len, to);
        copy->fields[i].value = moved(head->fields[i].value, from, len, to);
    }
    return copy;
}
