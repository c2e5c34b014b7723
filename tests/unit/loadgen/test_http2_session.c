/* SPDX-License-Identifier: Apache-2.0 */
/* What peers send, byte by byte: frames are written out in hexadecimal as RFC 9113 has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http2_session.h"

/* A frame is: length, type, flags, stream, payload. */
#define SETTINGS  "000000 04 00 00000000 "
#define ONE       "00000001 "
#define THREE     "00000003 "
#define OK_END    "000001 01 05 00000001 88 " /* :status 200 */
#define OK_HEAD   "000001 01 04 00000001 88 "
#define LENGTH_5  "000005 01 04 00000001 88 0f0d 01 35 " /* and content-length: 5 */
#define ABC_END   "000003 00 01 00000001 616263 "
#define HELLO_END "000005 00 01 00000001 68656c6c6f "
#define HINT      "000005 01 04 00000001 08 03 313033 " /* :status 103 */
#define ACK       "000000 04 01 00000000 "
#define PROMISE   "00000a 05 04 00000001 00000002 82 86 84 41 01 68 "
#define NO_STREAM "00000000 "

enum { STREAMS = 2, UNENDED = -1 };

struct peer {
    struct load_h2_session *session;
    struct load_h2_stream streams[STREAMS];
    struct load_h2_head *head;
    struct base_buf sent;
};

/* Takes what there is, in small pieces. */
static void take(struct peer *peer, size_t room)
{
    char bytes[1024];
    for (size_t n = room; n == room;) {
        n = load_h2_session_take(peer->session, bytes, room);
        assert_true(n <= room);
        base_buf_append(&peer->sent, bytes, n);
    }
}

static void begin(struct peer *peer, size_t stream, const char *body)
{
    const struct load_h2_body about = {
        .bytes = body, .len = strlen(body), .file = -1, .total = strlen(body)};
    assert_true(load_h2_session_submit(peer->session, &peer->streams[stream], peer->head, &about));
    assert_int_equal(peer->streams[stream].id, stream * 2 + 1);
}

static struct peer meet(void)
{
    struct peer peer = {.session = load_h2_session_new(), .head = load_h2_head_new(4)};
    assert_non_null(peer.session);
    base_buf_init(&peer.sent, 1 << 20);
    load_h2_head_set(peer.head, 0, ":method", 7, "GET", 3, false);
    load_h2_head_set(peer.head, 1, ":scheme", 7, "http", 4, false);
    load_h2_head_set(peer.head, 2, ":authority", 10, "h", 1, false);
    load_h2_head_set(peer.head, 3, ":path", 5, "/", 1, false);
    return peer;
}

static void part(struct peer *peer)
{
    load_h2_session_free(peer->session);
    base_buf_fini(&peer->sent);
    free(peer->head);
}

static int digit(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* Feeds what the text says in pieces of that size. */
static void feed(struct peer *peer, const char *hex, size_t piece)
{
    struct base_buf bytes;
    base_buf_init(&bytes, 1 << 20);
    for (; *hex != '\0'; hex++) {
        if (*hex == ' ')
            continue;
        base_buf_char(&bytes, (char)(digit(hex[0]) << 4 | digit(hex[1])));
        hex++;
    }
    for (size_t at = 0; at < bytes.len; at += piece)
        load_h2_session_feed(peer->session, bytes.data + at,
                             piece < bytes.len - at ? piece : bytes.len - at, 7);
    base_buf_fini(&bytes);
}

static bool has_sent(const struct peer *peer, const char *bytes, size_t len)
{
    return memmem(peer->sent.data, peer->sent.len, bytes, len) != NULL;
}

static const struct {
    const char *name;
    const char *frames;
    int ends[STREAMS]; /* of two requests under way */
    bool over;
    const char *why; /* in it; NULL: whatever */
} peers[] = {
    {"a head alone", SETTINGS OK_END, {LOAD_H2_ANSWERED, UNENDED}, false, ""},
    {"a body", SETTINGS OK_HEAD ABC_END, {LOAD_H2_ANSWERED, UNENDED}, false, ""},
    {"the length it said", SETTINGS LENGTH_5 HELLO_END, {LOAD_H2_ANSWERED, UNENDED}, false, ""},
    {"less than it said", SETTINGS LENGTH_5 ABC_END, {LOAD_H2_MALFORMED, UNENDED}, false, NULL},
    {"more than it said",
     SETTINGS LENGTH_5 HELLO_END HELLO_END,
     {LOAD_H2_ANSWERED, UNENDED},
     false,
     NULL},
    {"too much at once",
     SETTINGS LENGTH_5 "000006 00 01 00000001 68656c6c6f6f ",
     {LOAD_H2_MALFORMED, UNENDED},
     false,
     NULL},
    {"none of what it said",
     SETTINGS "000005 01 05 00000001 88 0f0d 01 35 ",
     {LOAD_H2_MALFORMED, UNENDED},
     false,
     NULL},
    {"both, the second first",
     SETTINGS "000001 01 05 00000003 8d " OK_END,
     {LOAD_H2_ANSWERED, LOAD_H2_ANSWERED},
     false,
     ""},
    {"a trailer",
     SETTINGS OK_HEAD "000003 00 00 00000001 616263 "
                      "000005 01 05 00000001 00 01 61 01 62 ",
     {LOAD_H2_ANSWERED, UNENDED},
     false,
     ""},
    {"hints before", SETTINGS HINT HINT OK_END, {LOAD_H2_ANSWERED, UNENDED}, false, ""},
    {"hints only", SETTINGS HINT HINT, {UNENDED, UNENDED}, false, ""},
    {"hints without end",
     SETTINGS HINT HINT HINT HINT HINT HINT HINT HINT HINT HINT HINT HINT HINT HINT HINT HINT HINT,
     {LOAD_H2_MALFORMED, UNENDED},
     false,
     NULL},
    {"a hint that ends it",
     SETTINGS "000005 01 05 00000001 08 03 313033 ",
     {LOAD_H2_MALFORMED, UNENDED},
     false,
     NULL},
    {"a status below all statuses",
     SETTINGS "000005 01 05 00000001 08 03 303532 ",
     {LOAD_H2_MALFORMED, UNENDED},
     false,
     NULL},
    {"a part of a frame", SETTINGS "000005 00 01 000000", {UNENDED, UNENDED}, false, ""},
    {"a part of a body",
     SETTINGS OK_HEAD "000005 00 01 00000001 6865",
     {UNENDED, UNENDED},
     false,
     ""},
    {"no end of it",
     SETTINGS OK_HEAD "000003 00 00 00000001 616263 ",
     {UNENDED, UNENDED},
     false,
     ""},
    {"REFUSED_STREAM",
     SETTINGS "000004 03 00 00000001 00000007 ",
     {LOAD_H2_REFUSED, UNENDED},
     false,
     ""},
    {"CANCEL", SETTINGS "000004 03 00 00000001 00000008 ", {LOAD_H2_RESET, UNENDED}, false, ""},
    {"a code of its own",
     SETTINGS "000004 03 00 00000001 fefefefe ",
     {LOAD_H2_RESET, UNENDED},
     false,
     ""},
    {"NO_ERROR is no answer",
     SETTINGS OK_HEAD "000004 03 00 00000001 00000000 ",
     {LOAD_H2_RESET, UNENDED},
     false,
     ""},
    {"reset in the middle",
     SETTINGS LENGTH_5 "000002 00 00 00000001 6865 "
                       "000004 03 00 00000001 00000002 ",
     {LOAD_H2_RESET, UNENDED},
     false,
     ""},
    {"GOAWAY for the second",
     SETTINGS "000008 07 00 00000000 00000001 00000000 " OK_END,
     {LOAD_H2_ANSWERED, LOAD_H2_UNSERVED},
     true,
     "NO_ERROR"},
    {"GOAWAY for both",
     SETTINGS "00000a 07 00 00000000 00000000 0000000b 6869 ",
     {LOAD_H2_UNSERVED, LOAD_H2_UNSERVED},
     true,
     "ENHANCE_YOUR_CALM: hi"},
    {"GOAWAY later",
     SETTINGS "000008 07 00 00000000 7fffffff 00000000 " OK_END,
     {LOAD_H2_ANSWERED, UNENDED},
     false,
     "NO_ERROR"},
    {"DATA without HEADERS", SETTINGS ABC_END, {UNENDED, UNENDED}, true, NULL},
    {"DATA for nobody", SETTINGS "000003 00 01 00000009 616263 ", {UNENDED, UNENDED}, true, NULL},
    {"HEADERS for nobody", SETTINGS "000001 01 05 00000000 88 ", {UNENDED, UNENDED}, true, NULL},
    {"HEADERS of a stream of its own",
     SETTINGS "000001 01 05 00000002 88 ",
     {UNENDED, UNENDED},
     true,
     NULL},
    {"a promise that was forbidden", SETTINGS ACK PROMISE OK_END, {UNENDED, UNENDED}, true, NULL},
    {"a promise before it knew", SETTINGS PROMISE OK_END, {LOAD_H2_ANSWERED, UNENDED}, false, ""},
    {"no status",
     SETTINGS "000005 01 05 00000001 00 01 61 01 62 ",
     {LOAD_H2_MALFORMED, UNENDED},
     false,
     NULL},
    {"a name in upper case",
     SETTINGS "000006 01 05 00000001 88 00 01 41 01 62 ",
     {LOAD_H2_MALFORMED, UNENDED},
     false,
     "[A]"},
    {"a header of HTTP/1.1's",
     SETTINGS "00000b 01 05 00000001 88 0f2a 07 6368756e6b6564 ",
     {LOAD_H2_MALFORMED, UNENDED},
     false,
     "transfer-encoding"},
    {"two different lengths",
     SETTINGS "000009 01 04 00000001 88 0f0d 01 35 0f0d 01 36 ",
     {LOAD_H2_MALFORMED, UNENDED},
     false,
     NULL},
    {"a field that is not in the table",
     SETTINGS "000001 01 05 00000001 ff ",
     {UNENDED, UNENDED},
     true,
     NULL},
    {"something between a head's parts",
     SETTINGS "000001 01 00 00000001 88 " ABC_END,
     {UNENDED, UNENDED},
     true,
     NULL},
    {"a frame too large",
     SETTINGS OK_HEAD "004001 00 00 00000001 ",
     {UNENDED, UNENDED},
     true,
     NULL},
    {"settings of a wrong length",
     "000005 04 00 00000000 0003000000 ",
     {UNENDED, UNENDED},
     true,
     NULL},
    {"settings that cannot be",
     "000006 04 00 00000000 0004 ffffffff ",
     {UNENDED, UNENDED},
     true,
     NULL},
    {"an answer to settings with settings",
     SETTINGS "000006 04 01 00000000 0003 00000001 ",
     {UNENDED, UNENDED},
     true,
     NULL},
    {"a window too large",
     SETTINGS "000004 08 00 00000000 7fffffff ",
     {UNENDED, UNENDED},
     true,
     NULL},
    {"a stream's window too large",
     SETTINGS "000004 08 00 00000001 7fffffff ",
     {LOAD_H2_MALFORMED, UNENDED},
     false,
     NULL},
    {"no settings first", OK_END, {UNENDED, UNENDED}, true, NULL},
    {"HTTP/1.1",
     "485454502f312e31203430302042616420526571756573740d0a0d0a ",
     {UNENDED, UNENDED},
     true,
     NULL},
    {"a mail server",
     "32323020736d74702e7465737420455353545020506f73746669780d0a ",
     {UNENDED, UNENDED},
     true,
     NULL},
    {"a frame of an unknown kind",
     SETTINGS "000003 fa 00 00000001 616263 " OK_END,
     {LOAD_H2_ANSWERED, UNENDED},
     false,
     ""},
};

static void check_peer(size_t number, size_t piece, size_t room)
{
    struct peer peer = meet();
    bool seen[STREAMS] = {false};
    struct load_h2_stream *stream;
    for (size_t i = 0; i < STREAMS; i++)
        begin(&peer, i, "");
    take(&peer, room);
    feed(&peer, peers[number].frames, piece);
    take(&peer, room);
    while ((stream = load_h2_session_ended(peer.session)) != NULL) {
        size_t i = (size_t)(stream - peer.streams);
        assert_false(seen[i]);
        seen[i] = true;
        if ((int)stream->end != peers[number].ends[i])
            fail_msg("%s, %zu bytes at once: stream %zu ended by %d", peers[number].name, piece, i,
                     (int)stream->end);
    }
    for (size_t i = 0; i < STREAMS; i++)
        if (!seen[i] && peers[number].ends[i] != UNENDED)
            fail_msg("%s, %zu bytes at once: stream %zu has not ended", peers[number].name, piece,
                     i);
    if (load_h2_session_is_over(peer.session) != peers[number].over)
        fail_msg("%s, %zu bytes at once: over is %d", peers[number].name, piece,
                 !peers[number].over);
    const char *why = load_h2_session_why(peer.session), *told = peers[number].why;
    if (told == NULL ? why[0] == '\0' && peers[number].over
                     : (told[0] == '\0') != (why[0] == '\0') || strstr(why, told) == NULL)
        fail_msg("%s, %zu bytes at once: says \"%s\"", peers[number].name, piece, why);
    part(&peer);
}

static void test_peers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
        check_peer(i, 1, 1);
        check_peer(i, 7, 5);
        check_peer(i, 100000, 1024);
    }
}

static void test_what_is_known_of_a_response(void **state)
{
    (void)state;
    struct peer peer = meet();
    begin(&peer, 0, "");
    take(&peer, 1024);
    assert_ptr_equal(TAILQ_FIRST(load_h2_session_unsent(peer.session)), &peer.streams[0]);
    load_h2_session_sent(peer.session, &peer.streams[0]);
    assert_true(TAILQ_EMPTY(load_h2_session_unsent(peer.session)));
    feed(&peer, SETTINGS HINT, 100);
    assert_int_equal(peer.streams[0].first_at, 7);
    feed(&peer, "000001 01 04 00000001 8d " PROMISE ABC_END, 100); /* 404 */
    assert_ptr_equal(load_h2_session_ended(peer.session), &peer.streams[0]);
    assert_int_equal(peer.streams[0].status, 404);
    assert_int_equal(peer.streams[0].bytes_in, 9 + 5 + 9 + 1 + 9 + 3);
    assert_in_range(peer.streams[0].bytes_out, 9 + 4, 9 + 20); /* HEADERS, packed */
    part(&peer);
}

static void test_greeting_and_room(void **state)
{
    (void)state;
    struct peer peer = meet();
    take(&peer, 1024);
    assert_memory_equal(peer.sent.data, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    assert_false(load_h2_session_greeted(peer.session));
    feed(&peer, SETTINGS, 100);
    assert_true(load_h2_session_greeted(peer.session));
    assert_int_equal(load_h2_session_room(peer.session), UINT32_MAX);
    feed(&peer, "000006 04 00 00000000 0003 00000002 ", 100);
    assert_int_equal(load_h2_session_room(peer.session), 2);
    base_buf_clear(&peer.sent);
    take(&peer, 1024);
    assert_true(has_sent(&peer, "\0\0\0\4\1\0\0\0\0", 9)); /* acknowledged */
    feed(&peer, "000008 06 00 00000000 0102030405060708 ", 100);
    take(&peer, 1024);
    assert_true(has_sent(&peer, "\0\0\x8\6\1\0\0\0\0\1\2\3\4\5\6\7\x8", 17)); /* a PING is, too */
    part(&peer);
}

/* The windows are opened so far that nothing the peer sends is ever held up by us. */
static void test_windows_are_wide(void **state)
{
    (void)state;
    struct peer peer = meet();
    take(&peer, 1024);
    assert_true(has_sent(&peer, "\0\4\x3f\xff\xff\xff", 6)); /* each stream's, a setting */
    /* The connection's: 2^30 - 1, of which it has 65,535 by itself. */
    assert_true(has_sent(&peer, "\0\0\4\x8\0\0\0\0\0\x3f\xff\0\0", 13));
    part(&peer);
}

/* The peer's window has room for three bytes of eight. */
static void test_a_body_waits_for_the_window(void **state)
{
    (void)state;
    struct peer peer = meet();
    feed(&peer, "000006 04 00 00000000 0004 00000003 ", 100);
    begin(&peer, 0, "12345678");
    take(&peer, 1024);
    assert_int_equal(peer.streams[0].given, 3);
    assert_true(has_sent(&peer,
                         "\0\0\3\0\0\0\0\0\1"
                         "123",
                         12));
    feed(&peer, "000004 08 00 00000001 00000005 ", 100);
    take(&peer, 1024);
    assert_int_equal(peer.streams[0].given, 8);
    assert_true(has_sent(&peer,
                         "\0\0\5\0\1\0\0\0\1"
                         "45678",
                         14));
    assert_int_equal(peer.streams[0].bytes_out >= 9 + 9 + 3 + 9 + 5, 1);
    part(&peer);
}

/* What is left of the body is of no use to anybody: the stream is closed, and has been answered. */
static void test_an_answer_before_the_body_was_sent(void **state)
{
    (void)state;
    struct peer peer = meet();
    feed(&peer, "000006 04 00 00000000 0004 00000003 ", 100);
    begin(&peer, 0, "12345678");
    take(&peer, 1024);
    feed(&peer, OK_END, 100);
    take(&peer, 1024);
    assert_ptr_equal(load_h2_session_ended(peer.session), &peer.streams[0]);
    assert_int_equal(peer.streams[0].end, LOAD_H2_ANSWERED);
    assert_true(has_sent(&peer, "\0\0\4\3\0\0\0\0\1\0\0\0\x8", 13));
    part(&peer);
}

static void test_a_file_that_has_become_shorter(void **state)
{
    (void)state;
    struct peer peer = meet();
    FILE *file = tmpfile();
    assert_non_null(file);
    const struct load_h2_body body = {.bytes = "ab", .len = 2, .file = fileno(file), .total = 1000};
    feed(&peer, SETTINGS, 100);
    assert_true(load_h2_session_submit(peer.session, &peer.streams[0], peer.head, &body));
    take(&peer, 1024);
    assert_ptr_equal(load_h2_session_ended(peer.session), &peer.streams[0]);
    assert_int_equal(peer.streams[0].end, LOAD_H2_UNREADABLE);
    assert_int_equal(peer.streams[0].given, 2);
    assert_false(load_h2_session_is_over(peer.session));
    (void)fclose(file);
    part(&peer);
}

/* Before it was sent, and after: what the peer still says of it is heard by nobody. */
static void test_cancelled(void **state)
{
    (void)state;
    struct peer peer = meet();
    feed(&peer, SETTINGS, 100);
    begin(&peer, 0, "");
    take(&peer, 1024);
    begin(&peer, 1, "");
    load_h2_session_cancel(peer.session, &peer.streams[0]);
    load_h2_session_cancel(peer.session, &peer.streams[1]);
    memset(peer.streams, 0xff, sizeof peer.streams); /* it is the owner's again */
    base_buf_clear(&peer.sent);
    take(&peer, 1024);
    assert_true(has_sent(&peer, "\0\0\4\3\0\0\0\0\1\0\0\0\x8", 13));
    assert_false(has_sent(&peer, "\1\5\0\0\0\3", 6)); /* HEADERS of the second */
    feed(&peer, OK_HEAD ABC_END "000004 03 00 00000001 00000008 ", 100);
    take(&peer, 1024);
    assert_null(load_h2_session_ended(peer.session));
    assert_false(load_h2_session_is_over(peer.session));
    part(&peer);
}

/* It was asked for, but lay here when the peer said that it takes no more. */
static void test_goaway_before_it_was_sent(void **state)
{
    (void)state;
    struct peer peer = meet();
    feed(&peer, SETTINGS, 100);
    begin(&peer, 0, "");
    assert_false(load_h2_session_is_leaving(peer.session));
    feed(&peer, "000008 07 00 00000000 00000000 00000000 ", 100);
    assert_true(load_h2_session_is_leaving(peer.session));
    take(&peer, 1024);
    assert_ptr_equal(load_h2_session_ended(peer.session), &peer.streams[0]);
    assert_int_equal(peer.streams[0].end, LOAD_H2_UNSERVED);
    assert_null(load_h2_session_ended(peer.session));
    part(&peer);
}

/* A head of five times 16,000 bytes, in a HEADERS frame and what continues it. */
static void test_a_head_too_large(void **state)
{
    (void)state;
    enum { VALUE = 16000, PARTS = 5 };
    struct peer peer = meet();
    char *bytes = test_malloc(VALUE + 16);
    feed(&peer, SETTINGS, 100);
    begin(&peer, 0, "");
    take(&peer, 1024);
    for (unsigned i = 0; i < PARTS; i++) {
        bool first = i == 0;
        feed(&peer,
             first            ? "003e87 01 01 00000001 88 "
             : i == PARTS - 1 ? "003e86 09 04 00000001 "
                              : "003e86 09 00 00000001 ",
             100);
        memcpy(bytes, "\x00\x01\x61\x7f\x81\x7c", 6); /* a: 16,000 bytes, not Huffman's */
        memset(bytes + 6, 'x', VALUE);
        load_h2_session_feed(peer.session, bytes, VALUE + 6, 7);
    }
    test_free(bytes);
    take(&peer, 1024);
    assert_ptr_equal(load_h2_session_ended(peer.session), &peer.streams[0]);
    assert_int_equal(peer.streams[0].end, LOAD_H2_MALFORMED);
    assert_false(load_h2_session_is_over(peer.session));
    part(&peer);
}

/* Whoever looks into responses (message.h) sees one of HTTP/1. */
static void test_a_captured_response(void **state)
{
    (void)state;
    struct peer peer = meet();
    struct load_capture capture;
    struct load_message message;
    struct load_text_span value;
    size_t at = 0;
    load_capture_init(&capture);
    load_capture_start(&capture, true);
    feed(&peer, SETTINGS, 100);
    peer.streams[0].capture = &capture;
    begin(&peer, 0, "");
    take(&peer, 1024);
    feed(&peer,
         HINT "000005 01 04 00000001 00 01 61 01 62 "
              "000002 00 00 00000001 6865 "
              "000003 00 00 00000001 6c6c6f "
              "000005 01 05 00000001 00 01 7a 01 7a ",
         3);
    assert_null(load_h2_session_ended(peer.session)); /* without a status it is none */
    take(&peer, 1024);
    assert_int_equal(load_h2_session_ended(peer.session)->end, LOAD_H2_MALFORMED);
    load_capture_start(&capture, true);
    peer.streams[1].capture = &capture;
    begin(&peer, 1, "");
    take(&peer, 1024);
    feed(&peer,
         "000005 01 04 00000003 08 03 313033 "
         "000006 01 04 00000003 8d 00 01 61 01 62 "
         "000002 00 00 00000003 6865 "
         "000003 00 00 00000003 6c6c6f "
         "000005 01 05 00000003 00 01 7a 01 7a ",
         3);
    assert_int_equal(load_h2_session_ended(peer.session)->end, LOAD_H2_ANSWERED);
    assert_true(load_message_read(capture.bytes.data, capture.bytes.len, &message));
    assert_int_equal(message.status, 404);
    assert_true(load_message_find(&message, &at, "A", &value));
    assert_memory_equal(value.at, "b", 1);
    at = 0;
    assert_false(load_message_find(&message, &at, "z", &value)); /* that was a trailer */
    assert_int_equal(message.body.len, 5);
    assert_memory_equal(message.body.at, "hello", 5);
    load_capture_fini(&capture);
    part(&peer);
}

static void test_names_of_codes(void **state)
{
    (void)state;
    assert_string_equal(load_h2_code_name(7), "REFUSED_STREAM");
    assert_non_null(load_h2_code_name(0xfefefefe));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_what_is_known_of_a_response),
        cmocka_unit_test(test_greeting_and_room),
        cmocka_unit_test(test_windows_are_wide),
        cmocka_unit_test(test_a_body_waits_for_the_window),
        cmocka_unit_test(test_an_answer_before_the_body_was_sent),
        cmocka_unit_test(test_a_file_that_has_become_shorter),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_goaway_before_it_was_sent),
        cmocka_unit_test(test_a_head_too_large),
        cmocka_unit_test(test_a_captured_response),
        cmocka_unit_test(test_names_of_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
