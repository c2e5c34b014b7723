/* SPDX-License-Identifier: Apache-2.0 */
/* Every response is fed whole, byte by byte, and cut in two at every place: the outcome is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_memo.h"

enum end { OPEN, EOF_FOLLOWS };

struct sample {
    const char *label;
    const char *bytes;
    bool head; /* answers HEAD */
    enum end end;
    enum load_parse expected;
    unsigned status;
    uint64_t body;
    bool close;
    size_t left_over;
    const char *fault; /* part of it */
};

#define OK "HTTP/1.1 200 OK\r\n"

static const struct sample samples[] = {
    /* --- framing --- */
    {"length", OK "Content-Length: 5\r\n\r\nhello", .expected = LOAD_PARSE_DONE, .status = 200,
     .body = 5},
    {"length zero", OK "Content-Length: 0\r\n\r\n", .expected = LOAD_PARSE_DONE, .status = 200},
    {"length in odd dress", OK "cOnTeNt-LeNgTh:\t 5 \t\r\n\r\nhello", .expected = LOAD_PARSE_DONE,
     .status = 200, .body = 5},
    {"length twice the same", OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
     .expected = LOAD_PARSE_DONE, .status = 200, .body = 2},
    {"length not reached", OK "Content-Length: 6\r\n\r\nhello", .expected = LOAD_PARSE_MORE,
     .status = 200, .body = 5},
    {"length cut by the end", OK "Content-Length: 6\r\n\r\nhello", .end = EOF_FOLLOWS,
     .expected = LOAD_PARSE_BAD, .status = 200, .body = 5, .fault = "ended before"},
    {"nothing at all", "", .end = EOF_FOLLOWS, .expected = LOAD_PARSE_BAD, .fault = "ended"},
    {"chunked", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
     .expected = LOAD_PARSE_DONE, .status = 200, .body = 5},
    {"chunked, extensions and trailers",
     OK "Transfer-Encoding: Chunked\r\n\r\n3;a=\"b\"\r\nabc\r\nA ; x\r\n0123456789\r\n000\r\n"
        "Content-Length: 7\r\nX-Sum: 1\r\n\r\n",
     .expected = LOAD_PARSE_DONE, .status = 200, .body = 13},
    {"chunked is the last of several codings",
     OK "Transfer-Encoding: gzip\r\nTransfer-Encoding: deflate, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
     .expected = LOAD_PARSE_DONE, .status = 200, .body = 1},
    {"chunked, end missing", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
     .end = EOF_FOLLOWS, .expected = LOAD_PARSE_BAD, .status = 200, .body = 5, .fault = "ended"},
    {"coding that is not chunked runs until the end", OK "Transfer-Encoding: gzip\r\n\r\nabc",
     .end = EOF_FOLLOWS, .expected = LOAD_PARSE_DONE, .status = 200, .body = 3, .close = true},
    {"until close", OK "\r\nsome bytes", .end = EOF_FOLLOWS, .expected = LOAD_PARSE_DONE,
     .status = 200, .body = 10, .close = true},
    {"until close, still open", OK "\r\nsome bytes", .expected = LOAD_PARSE_MORE, .status = 200,
     .body = 10, .close = true},
    {"until close without a byte", OK "\r\n", .end = EOF_FOLLOWS, .expected = LOAD_PARSE_DONE,
     .status = 200, .close = true},
    {"HEAD", OK "Content-Length: 500\r\n\r\n", .head = true, .expected = LOAD_PARSE_DONE,
     .status = 200},
    {"HEAD, chunked", OK "Transfer-Encoding: chunked\r\n\r\n", .head = true,
     .expected = LOAD_PARSE_DONE, .status = 200},
    {"204", "HTTP/1.1 204 No Content\r\n\r\n", .expected = LOAD_PARSE_DONE, .status = 204},
    {"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
     .expected = LOAD_PARSE_DONE, .status = 304},
    {"bare LF ends lines", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", .expected = LOAD_PARSE_DONE,
     .status = 200, .body = 2},
    {"bytes behind the response", OK "Content-Length: 2\r\n\r\nhiHTTP/1.1", .left_over = 8,
     .expected = LOAD_PARSE_DONE, .status = 200, .body = 2},
    {"bytes behind the last chunk", OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nx",
     .left_over = 1, .expected = LOAD_PARSE_DONE, .status = 200},
    /* --- status line --- */
    {"no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", .expected = LOAD_PARSE_DONE,
     .status = 200},
    {"odd status", "HTTP/1.1 799 Odd\r\nContent-Length: 0\r\n\r\n", .expected = LOAD_PARSE_DONE,
     .status = 799},
    {"later minor version", "HTTP/1.7 200 OK\r\nContent-Length: 0\r\n\r\n",
     .expected = LOAD_PARSE_DONE, .status = 200},
    {"no HTTP", "SSH-2.0-OpenSSH\r\n", .expected = LOAD_PARSE_BAD, .fault = "HTTP/1.x"},
    {"HTTP/2", "HTTP/2.0 200 OK\r\n", .expected = LOAD_PARSE_BAD, .fault = "HTTP/1.x"},
    {"empty line first", "\r\n" OK, .expected = LOAD_PARSE_BAD, .fault = "HTTP/1.x"},
    {"status of letters", "HTTP/1.1 abc OK\r\n", .expected = LOAD_PARSE_BAD, .fault = "three"},
    {"status of two digits", "HTTP/1.1 20 OK\r\n", .expected = LOAD_PARSE_BAD, .status = 20,
     .fault = "three"},
    {"status of four digits", "HTTP/1.1 2000 OK\r\n", .expected = LOAD_PARSE_BAD, .status = 200,
     .fault = "three"},
    {"status below 100", "HTTP/1.1 099 OK\r\n", .expected = LOAD_PARSE_BAD, .fault = "three"},
    /* --- interim responses --- */
    {"100 then 200", "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
     .expected = LOAD_PARSE_DONE, .status = 200, .body = 1},
    {"103 with headers, twice, then 204",
     "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close\r\n\r\n"
     "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
     .expected = LOAD_PARSE_DONE, .status = 204},
    {"101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", .expected = LOAD_PARSE_BAD,
     .status = 101, .fault = "101"},
    {"only 100", "HTTP/1.1 100 Continue\r\n\r\n", .end = EOF_FOLLOWS, .expected = LOAD_PARSE_BAD,
     .fault = "ended"},
    /* --- persistence --- */
    {"close", OK "Connection: close\r\nContent-Length: 0\r\n\r\n", .expected = LOAD_PARSE_DONE,
     .status = 200, .close = true},
    {"close in a list", OK "Connection: upgrade , CLOSE\r\nContent-Length: 0\r\n\r\n",
     .expected = LOAD_PARSE_DONE, .status = 200, .close = true},
    {"closet is not close", OK "Connection: closet\r\nContent-Length: 0\r\n\r\n",
     .expected = LOAD_PARSE_DONE, .status = 200},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", .expected = LOAD_PARSE_DONE,
     .status = 200, .close = true},
    {"HTTP/1.0 keep-alive",
     "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
     .expected = LOAD_PARSE_DONE, .status = 200},
    {"a HEAD answered by HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n", .head = true,
     .expected = LOAD_PARSE_DONE, .status = 200, .close = true},
    /* --- refused --- */
    {"obs-fold", OK "X-A: b\r\n  c\r\n\r\n", .expected = LOAD_PARSE_BAD, .status = 200,
     .fault = "obs-fold"},
    {"blank before the first header", OK " X-A: b\r\n\r\n", .expected = LOAD_PARSE_BAD,
     .status = 200, .fault = "obs-fold"},
    {"blank before the colon", OK "Content-Length : 5\r\n\r\n", .expected = LOAD_PARSE_BAD,
     .status = 200, .fault = "header name"},
    {"no name", OK ": 5\r\n\r\n", .expected = LOAD_PARSE_BAD, .status = 200,
     .fault = "header name"},
    {"no colon", OK "Content-Length\r\n\r\n", .expected = LOAD_PARSE_BAD, .status = 200,
     .fault = "header name"},
    {"bare CR in a value", OK "X-A: b\rc\r\n\r\n", .expected = LOAD_PARSE_BAD, .status = 200,
     .fault = "bare CR"},
    {"two CRs", OK "X-A: b\r\r\n\r\n", .expected = LOAD_PARSE_BAD, .status = 200,
     .fault = "bare CR"},
    {"CR without LF ends the head", OK "X-A: b\r\n\rx", .expected = LOAD_PARSE_BAD, .status = 200,
     .fault = "bare CR"},
    {"length and coding", OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     .expected = LOAD_PARSE_BAD, .status = 200, .fault = "both"},
    {"coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     .expected = LOAD_PARSE_BAD, .status = 200, .fault = "HTTP/1.0"},
    {"two lengths", OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", .expected = LOAD_PARSE_BAD,
     .status = 200, .fault = "two different"},
    {"list of lengths", OK "Content-Length: 5, 5\r\n\r\n", .expected = LOAD_PARSE_BAD,
     .status = 200, .fault = "not a length"},
    {"length with a sign", OK "Content-Length: +5\r\n\r\n", .expected = LOAD_PARSE_BAD,
     .status = 200, .fault = "not a length"},
    {"negative length", OK "Content-Length: -1\r\n\r\n", .expected = LOAD_PARSE_BAD, .status = 200,
     .fault = "not a length"},
    {"empty length", OK "Content-Length:\r\n\r\n", .expected = LOAD_PARSE_BAD, .status = 200,
     .fault = "not a length"},
    {"length beyond 64 bits", OK "Content-Length: 18446744073709551617\r\n\r\n",
     .expected = LOAD_PARSE_BAD, .status = 200, .fault = "not a length"},
    {"chunked not last", OK "Transfer-Encoding: chunked, gzip\r\n\r\n", .expected = LOAD_PARSE_BAD,
     .status = 200, .fault = "not the last"},
    {"chunked twice", OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     .expected = LOAD_PARSE_BAD, .status = 200, .fault = "not the last"},
    {"chunk size missing", OK "Transfer-Encoding: chunked\r\n\r\n\r\n", .expected = LOAD_PARSE_BAD,
     .status = 200, .fault = "chunk size"},
    {"chunk size not hex", OK "Transfer-Encoding: chunked\r\n\r\n5g\r\n",
     .expected = LOAD_PARSE_BAD, .status = 200, .fault = "chunk size"},
    {"chunk size beyond 64 bits", OK "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
     .expected = LOAD_PARSE_BAD, .status = 200, .fault = "too large"},
    {"chunk longer than it says", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
     .expected = LOAD_PARSE_BAD, .status = 200, .body = 2, .fault = "longer"},
    {"bad trailer", OK "Transfer-Encoding: chunked\r\n\r\n0\r\nX A: 1\r\n\r\n",
     .expected = LOAD_PARSE_BAD, .status = 200, .fault = "header name"},
};

/* Feeds the bytes in pieces: first `first` bytes at once, then `step` at a time. */
static enum load_parse feed(struct load_response *response, const struct sample *sample,
                            size_t first, size_t step, size_t *used)
{
    size_t len = strlen(sample->bytes);
    enum load_parse parse = LOAD_PARSE_MORE;
    load_response_start(response, sample->head);
    *used = 0;
    for (size_t at = 0; at < len && parse == LOAD_PARSE_MORE;) {
        size_t piece = at == 0 && first > 0 ? first : step;
        if (piece > len - at)
            piece = len - at;
        /* A copy of exactly this size, so that a sanitizer sees a read past its end. */
        char *copy = malloc(piece);
        assert_non_null(copy);
        memcpy(copy, sample->bytes + at, piece);
        size_t taken;
        parse = load_response_feed(response, copy, piece, &taken);
        free(copy);
        if (parse == LOAD_PARSE_MORE)
            assert_int_equal(taken, piece);
        *used += taken;
        at += piece;
    }
    if (parse == LOAD_PARSE_MORE && sample->end == EOF_FOLLOWS)
        parse = load_response_eof(response);
    return parse;
}

static void check(const struct sample *sample, size_t first, size_t step)
{
    struct load_response r;
    size_t used;
    enum load_parse parse = feed(&r, sample, first, step, &used);
    if (parse != sample->expected)
        fail_msg("%s (cut at %zu, step %zu): %d instead of %d, %s", sample->label, first, step,
                 (int)parse, (int)sample->expected, r.fault == NULL ? "no fault" : r.fault);
    assert_int_equal(r.status, sample->status);
    assert_int_equal(r.body, sample->body);
    if (parse == LOAD_PARSE_BAD) {
        assert_non_null(r.fault);
        if (strstr(r.fault, sample->fault) == NULL)
            fail_msg("%s: fault \"%s\" without \"%s\"", sample->label, r.fault, sample->fault);
        return;
    }
    assert_null(r.fault);
    if (r.close != sample->close)
        fail_msg("%s: close is %d", sample->label, r.close);
    assert_int_equal(used, strlen(sample->bytes) - sample->left_over);
}

static void test_samples_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        check(&samples[i], 0, SIZE_MAX);
}

static void test_samples_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        check(&samples[i], 0, 1);
}

static void test_samples_cut_everywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        for (size_t cut = 1; cut < strlen(samples[i].bytes); cut++)
            check(&samples[i], cut, SIZE_MAX);
}

static void test_nul_in_a_header(void **state)
{
    (void)state;
    static const char bytes[] = OK "X-A: b\0c\r\n\r\n";
    struct load_response r;
    size_t used;
    load_response_start(&r, false);
    assert_int_equal(load_response_feed(&r, bytes, sizeof bytes - 1, &used), LOAD_PARSE_BAD);
    assert_non_null(strstr(r.fault, "NUL"));
}

/* A response of 1xx heads or of one endless header must not go on for ever. */
static void test_limits(void **state)
{
    (void)state;
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct load_response r;
    size_t used;
    int fed = 0;
    load_response_start(&r, false);
    while (load_response_feed(&r, interim, sizeof interim - 1, &used) == LOAD_PARSE_MORE)
        assert_true(++fed <= LOAD_RESPONSE_INTERIM_MAX);
    assert_int_equal(fed, LOAD_RESPONSE_INTERIM_MAX);
    assert_non_null(strstr(r.fault, "1xx"));

    static const char header[] = "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    size_t total = sizeof OK - 1;
    load_response_start(&r, false);
    assert_int_equal(load_response_feed(&r, OK, sizeof OK - 1, &used), LOAD_PARSE_MORE);
    while (load_response_feed(&r, header, sizeof header - 1, &used) == LOAD_PARSE_MORE)
        total += used;
    total += used;
    assert_int_equal(total, LOAD_RESPONSE_HEAD_MAX);
    assert_non_null(strstr(r.fault, "too long"));
}

static void feed_text(struct load_response *r, const char *text, enum load_parse expected)
{
    size_t used;
    assert_int_equal(load_response_feed(r, text, strlen(text), &used), expected);
}

/* Each chunk line has its own allowance: a million small chunks are legal. */
static void test_many_chunks(void **state)
{
    (void)state;
    struct load_response r;
    load_response_start(&r, false);
    feed_text(&r, OK "Transfer-Encoding: chunked\r\n\r\n", LOAD_PARSE_MORE);
    for (int i = 0; i < 100000; i++)
        feed_text(&r, "1\r\nx\r\n", LOAD_PARSE_MORE);
    feed_text(&r, "0\r\n\r\n", LOAD_PARSE_DONE);
    assert_int_equal(r.body, 100000);

    char extension[LOAD_RESPONSE_LINE_MAX + 8];
    memset(extension, 'e', sizeof extension);
    memcpy(extension, "1;", 2);
    size_t used;
    load_response_start(&r, false);
    feed_text(&r, OK "Transfer-Encoding: chunked\r\n\r\n", LOAD_PARSE_MORE);
    assert_int_equal(load_response_feed(&r, extension, sizeof extension, &used), LOAD_PARSE_BAD);
    assert_non_null(strstr(r.fault, "too long"));
}

static void test_nothing_after_the_end(void **state)
{
    (void)state;
    struct load_response r;
    size_t used = 7;
    load_response_start(&r, false);
    feed_text(&r, OK "Content-Length: 0\r\n\r\n", LOAD_PARSE_DONE);
    assert_int_equal(load_response_feed(&r, "x", 1, &used), LOAD_PARSE_DONE);
    assert_int_equal(used, 0);
    assert_int_equal(load_response_eof(&r), LOAD_PARSE_DONE);
    load_response_start(&r, false);
    feed_text(&r, "nonsense", LOAD_PARSE_BAD);
    assert_int_equal(load_response_feed(&r, "x", 1, &used), LOAD_PARSE_BAD);
    assert_int_equal(used, 0);
}

/* One memo over all samples, so that every head meets its own and others' remembrance. */
static void compare(const struct sample *sample, struct load_memo *memo, size_t cut)
{
    struct load_response a, b;
    size_t len = strlen(sample->bytes), used_a = 0, used_b = 0, at = 0;
    enum load_parse parse_a = LOAD_PARSE_MORE, parse_b = LOAD_PARSE_MORE;
    load_response_start(&a, sample->head);
    load_response_start(&b, sample->head);
    while (at < len && parse_a == LOAD_PARSE_MORE) {
        size_t n = at < cut ? cut - at : len - at;
        parse_a = load_response_feed(&a, sample->bytes + at, n, &used_a);
        parse_b = load_response_feed_memo(&b, memo, sample->bytes + at, n, &used_b);
        assert_int_equal(parse_a, parse_b);
        assert_int_equal(used_a, used_b);
        assert_memory_equal(&a, &b, offsetof(struct load_response, name));
        at += n;
    }
    assert_int_equal(load_response_eof(&a), load_response_eof(&b));
}

static void test_remembered_heads_change_nothing(void **state)
{
    (void)state;
    static struct load_memo memo;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
            for (size_t cut = 0; cut < strlen(samples[i].bytes); cut++) {
                compare(&samples[i], &memo, cut);
                compare(&samples[i], &memo, 0);
            }
}

static void test_what_is_remembered(void **state)
{
    (void)state;
    static const char head[] = OK "Content-Length: 2\r\n\r\n";
    static struct load_memo memo;
    struct load_response r;
    size_t used;
    load_response_start(&r, false);
    assert_int_equal(load_response_feed_memo(&r, &memo, OK OK, sizeof OK - 1, &used),
                     LOAD_PARSE_MORE);
    assert_int_equal(memo.len, 0); /* half a head */
    load_response_start(&r, true);
    assert_int_equal(load_response_feed_memo(&r, &memo, head, sizeof head - 1, &used),
                     LOAD_PARSE_DONE);
    assert_int_equal(memo.len, sizeof head - 1);
    load_response_start(&r, false); /* the same bytes, but now a body follows */
    assert_int_equal(load_response_feed_memo(&r, &memo, head, sizeof head - 1, &used),
                     LOAD_PARSE_MORE);
    memo.after.status = 299; /* to see that it is used */
    load_response_start(&r, false);
    assert_int_equal(load_response_feed_memo(&r, &memo, head, sizeof head - 1, &used),
                     LOAD_PARSE_MORE);
    assert_int_equal(r.status, 299);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_whole),
        cmocka_unit_test(test_samples_byte_by_byte),
        cmocka_unit_test(test_samples_cut_everywhere),
        cmocka_unit_test(test_nul_in_a_header),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many_chunks),
        cmocka_unit_test(test_nothing_after_the_end),
        cmocka_unit_test(test_remembered_heads_change_nothing),
        cmocka_unit_test(test_what_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
