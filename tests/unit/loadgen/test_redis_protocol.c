/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "protocol.h"

static const struct load_protocol *const redis = &load_redis_protocol;

static bool build(struct load_request *out, const char *command, struct base_error *err)
{
    char name[] = "r";
    char *body = base_str_dup(command);
    const struct load_spec spec = {0};
    const struct load_route route = {.name = name, .body = body};
    bool built = redis->build(out, &spec, &route, err);
    free(body);
    return built;
}

static void test_commands(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *bytes;
    } table[] = {
        {"PING", "*1\r\n$4\r\nPING\r\n"},
        {"  GET \t k \n", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"},
        {"SET k \"a b\"", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na b\r\n"},
        {"SET k \"\"", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n"},
        {"SET k \"\\\"\\\\\\n\\t\"", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\"\\\n\t\r\n"},
        {"SET k:{{seq}} a", "*3\r\n$3\r\nSET\r\n$14\r\nk:000000000000\r\n$1\r\na\r\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct load_request request;
        assert_true(build(&request, table[i].command, NULL));
        assert_int_equal(request.len, strlen(table[i].bytes));
        assert_memory_equal(request.bytes, table[i].bytes, request.len);
        assert_int_equal(request.total, request.len);
        load_request_fini(&request);
    }
}

static void test_fields_are_filled_in_their_places(void **state)
{
    (void)state;
    struct load_request request;
    struct base_rng rng;
    base_rng_seed(&rng, 1);
    assert_true(build(&request, "SET \"k {{seq}}\" {{seq}}", NULL));
    load_request_patch(&request, request.bytes, 42, &rng);
    static const char expected[] =
        "*3\r\n$3\r\nSET\r\n$14\r\nk 000000000042\r\n$12\r\n000000000042\r\n";
    assert_memory_equal(request.bytes, expected, sizeof expected - 1);
    load_request_fini(&request);
}

static void test_what_cannot_be_sent(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *told;
    } table[] = {
        {NULL, "must be a Redis command"},           {"", "must be a Redis command"},
        {" \r\n", "must be a Redis command"},        {"SET k \"a", "does not end"},
        {"GET {{user}}", "\"{{user}}\" is unknown"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct load_request request;
        struct base_error err = {.code = BASE_OK};
        assert_false(build(&request, table[i].command, &err));
        assert_int_equal(err.code, BASE_INVALID);
        if (strstr(err.message, table[i].told) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.message, table[i].told);
    }
}

struct connection {
    _Alignas(max_align_t) unsigned char parser[LOAD_PARSER_MAX];
};

/* Feeds the text in pieces of so many bytes. */
static enum load_parse feed(struct connection *conn, const char *text, size_t piece)
{
    enum load_parse parse = LOAD_PARSE_MORE;
    size_t len = strlen(text);
    for (size_t at = 0; at < len && parse == LOAD_PARSE_MORE; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        size_t used = 0;
        parse = redis->feed(conn->parser, NULL, text + at, n, &used);
        if (parse != LOAD_PARSE_BAD && used < n)
            parse = LOAD_PARSE_BAD; /* more than one reply: as stream.c has it */
        if (parse == LOAD_PARSE_DONE && at + n < len)
            return LOAD_PARSE_BAD;
    }
    return parse;
}

static const struct {
    const char *text;
    enum load_parse parse;
    bool ok;
} replies[] = {
    {"+OK\r\n", LOAD_PARSE_DONE, true},
    {":42\r\n", LOAD_PARSE_DONE, true},
    {"$-1\r\n", LOAD_PARSE_DONE, true},
    {"$5\r\nhe\r\nl\r\n", LOAD_PARSE_DONE, true},
    {"*0\r\n", LOAD_PARSE_DONE, true},
    {"*3\r\n:1\r\n*2\r\n$1\r\na\r\n+b\r\n$-1\r\n", LOAD_PARSE_DONE, true},
    {"-ERR no such thing\r\n", LOAD_PARSE_DONE, false},
    {"*2\r\n:1\r\n-ERR inside of EXEC\r\n", LOAD_PARSE_DONE, true},
    {"+OK\r\n+OK\r\n", LOAD_PARSE_BAD, false},
    {"HTTP/1.1 400 Bad Request\r\n", LOAD_PARSE_BAD, false},
    {"$x\r\n", LOAD_PARSE_BAD, false},
    {"$5\r\nhel", LOAD_PARSE_MORE, false},
    {"*2\r\n:1\r\n", LOAD_PARSE_MORE, false},
};

static void test_replies_however_they_are_cut(void **state)
{
    (void)state;
    struct connection conn = {0};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        for (size_t piece = 1; piece <= strlen(replies[i].text); piece++) {
            redis->start(conn.parser, NULL); /* also after a reply that was cut short or wrong */
            enum load_parse parse = feed(&conn, replies[i].text, piece);
            if (parse != replies[i].parse)
                fail_msg("%s by %zu: %d", replies[i].text, piece, (int)parse);
            struct load_outcome outcome = {.cause = LOAD_CAUSE_COUNT};
            if (parse != LOAD_PARSE_DONE)
                continue;
            assert_true(redis->judge(conn.parser, &outcome));
            assert_int_equal(outcome.ok, replies[i].ok);
        }
    }
    redis->fini(conn.parser);
    redis->fini(conn.parser);
}

static void test_an_error_reply_in_its_own_words(void **state)
{
    (void)state;
    struct connection conn = {0};
    struct load_outcome outcome = {.cause = LOAD_CAUSE_COUNT};
    redis->start(conn.parser, NULL);
    assert_int_equal(feed(&conn, "-WRONGTYPE of value\r\n", 3), LOAD_PARSE_DONE);
    assert_true(redis->judge(conn.parser, &outcome));
    assert_int_equal(outcome.failure, LOAD_FAIL_REPLY);
    assert_int_equal(load_cause_failure(outcome.cause), LOAD_FAIL_REPLY);
    assert_string_equal(outcome.why, "WRONGTYPE of value");
    redis->start(conn.parser, NULL); /* the next one is judged by itself */
    assert_int_equal(feed(&conn, "+OK\r\n", 9), LOAD_PARSE_DONE);
    assert_true(redis->judge(conn.parser, &outcome));
    assert_true(outcome.ok);
    assert_int_equal(redis->eof(conn.parser), LOAD_PARSE_BAD);
    redis->fini(conn.parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_fields_are_filled_in_their_places),
        cmocka_unit_test(test_what_cannot_be_sent),
        cmocka_unit_test(test_replies_however_they_are_cut),
        cmocka_unit_test(test_an_error_reply_in_its_own_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
