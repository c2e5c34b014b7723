/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http_head.h"

static const struct http_text get = {"GET", 3};

static struct http_head request(const char *text)
{
    struct http_head head = {0};
    if (http_request_parse(text, strlen(text), &head) != HTTP_DONE)
        fail_msg("no request: %s", text);
    return head;
}

static void a_request_is_read(void **state)
{
    (void)state;
    struct http_head head =
        request("POST /a?b HTTP/1.1\r\nHost: x\r\ncontent-length: 12\r\n\r\nrest");
    assert_true(http_text_is(head.method, "POST") && http_text_is(head.target, "/a?b"));
    assert_int_equal(head.framing, HTTP_SIZED);
    assert_int_equal(head.size, 12);
    assert_int_equal(head.len,
                     strlen("POST /a?b HTTP/1.1\r\nHost: x\r\ncontent-length: 12\r\n\r\n"));
    assert_false(head.close);
    head = request("GET / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\nConnection: a, close\r\n\r\n");
    assert_int_equal(head.framing, HTTP_CHUNKED);
    assert_true(head.close);
    assert_true(request("GET / HTTP/1.0\r\n\r\n").close);
    assert_false(request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").close);
    assert_int_equal(request("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").framing, HTTP_NO_BODY);
    assert_int_equal(
        request("GET / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n").size, 3);
}

/* Each of them is read in two ways by servers in use: the proxy must not choose. */
static void what_is_not_plain_is_bad(void **state)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: +3\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "G(T / HTTP/1.1\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct http_head head;
        if (http_request_parse(bad[i], strlen(bad[i]), &head) != HTTP_BAD)
            fail_msg("taken: %s", bad[i]);
    }
}

static void a_head_may_come_in_pieces_but_not_without_end(void **state)
{
    static char endless[HTTP_HEAD_MAX + 1];
    static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct http_head head;
    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++)
        assert_int_equal(http_request_parse(text, len, &head), HTTP_MORE);
    memset(endless, 'a', sizeof endless);
    assert_int_equal(http_request_parse(endless, HTTP_HEAD_MAX - 1, &head), HTTP_MORE);
    assert_int_equal(http_request_parse(endless, HTTP_HEAD_MAX, &head), HTTP_BAD);
}

/* Who sends these waits for an answer, and never for the empty line that ends a head. */
static void what_cannot_become_a_head_is_not_waited_for(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\x16\x03\x01\x02", 4}, /* a TLS ClientHello */
        {"\0\0\0\x08", 4},       /* PostgreSQL's SSLRequest */
        {"GET / HTTP/1.1\nHost: x\n\n", 24},
        {"GET / HTTP/1.1\r\nHost: x\n", 24},
        {"GET / HTTP/1.1\r\nA: b\rc", 22},
        {"PING\r\n", 6},              /* Redis, inline */
        {"*1\r\n$4\r\nPING\r\n", 14}, /* and as RESP */
        {"get key\r\n", 9},           /* memcached */
        {"AMQP\0", 5},
        {"GET / HTTP/2.0\r\n", 16},
        {"G(T", 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct http_head head;
        if (http_request_parse(bad[i].bytes, bad[i].len, &head) != HTTP_BAD)
            fail_msg("waited for: %s", bad[i].bytes);
    }
    static const char *const answers[] = {"SSH-2.0-x", "HTTP/2", "HTTP/1.1 abc\r\n", "\x15\x03"};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct http_head head;
        if (http_response_parse(answers[i], strlen(answers[i]), get, &head) != HTTP_BAD)
            fail_msg("waited for: %s", answers[i]);
    }
    static const char answer[] = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
    for (size_t len = 0; len < sizeof answer - 1; len++) {
        struct http_head head;
        assert_int_equal(http_response_parse(answer, len, get, &head), HTTP_MORE);
    }
}

static void the_request_decides_whether_an_answer_has_a_body(void **state)
{
    static const struct {
        const char *text;
        const char *method;
        enum http_framing framing;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", HTTP_SIZED},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", HTTP_NO_BODY},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", HTTP_NO_BODY},
        {"HTTP/1.1 204 \r\n\r\n", "GET", HTTP_NO_BODY},
        {"HTTP/1.1 100 Continue\r\n\r\n", "POST", HTTP_NO_BODY},
        {"HTTP/1.1 200 OK\r\n\r\n", "GET", HTTP_UNTIL_CLOSE},
        {"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", HTTP_CHUNKED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct http_text method = {cases[i].method, strlen(cases[i].method)};
        struct http_head head;
        assert_int_equal(http_response_parse(cases[i].text, strlen(cases[i].text), method, &head),
                         HTTP_DONE);
        if (head.framing != cases[i].framing)
            fail_msg("%s %s: framing %d", cases[i].method, cases[i].text, (int)head.framing);
    }
    struct http_head head;
    static const char bad[] = "HTTP/1.1 99 x\r\n\r\n";
    assert_int_equal(http_response_parse(bad, sizeof bad - 1, get, &head), HTTP_BAD);
}

static void chunks_end_where_they_end(void **state)
{
    static const struct {
        const char *text;
        enum http_parse result;
        size_t used;
    } cases[] = {
        {"0\r\n\r\nGET", HTTP_DONE, 5},
        {"5;x=\"y\"\r\nhello\r\n0\r\nA: b\r\n\r\nrest", HTTP_DONE, 27},
        {"a\r\n0123456789\r\n", HTTP_MORE, 15},
        {"3\r\nabcd", HTTP_BAD, 6},
        {"x\r\n", HTTP_BAD, 0},
        {"5\nhello", HTTP_BAD, 1},
        {"fffffffffffffffff\r\n", HTTP_BAD, 16},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_chunks chunks = {0};
        enum http_parse result;
        size_t used = http_chunks_follow(&chunks, cases[i].text, strlen(cases[i].text), &result);
        if (result != cases[i].result || used != cases[i].used)
            fail_msg("%s: result %d, used %zu", cases[i].text, (int)result, used);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read),
        cmocka_unit_test(what_is_not_plain_is_bad),
        cmocka_unit_test(a_head_may_come_in_pieces_but_not_without_end),
        cmocka_unit_test(what_cannot_become_a_head_is_not_waited_for),
        cmocka_unit_test(the_request_decides_whether_an_answer_has_a_body),
        cmocka_unit_test(chunks_end_where_they_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
