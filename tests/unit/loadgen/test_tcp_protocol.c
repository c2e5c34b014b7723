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

static const struct load_protocol *const tcp = &load_tcp_protocol;

struct parser {
    _Alignas(max_align_t) unsigned char bytes[LOAD_PARSER_MAX];
};

/* How many of the bytes belonged to the response; SIZE_MAX: it was not whole after them. */
static size_t fed(const struct load_request *request, const char *data, size_t piece)
{
    struct parser parser;
    size_t len = strlen(data);
    tcp->start(&parser, request);
    for (size_t at = 0; at < len; at += piece) {
        size_t used = 0;
        size_t now = len - at < piece ? len - at : piece;
        enum load_parse parse = tcp->feed(&parser, NULL, data + at, now, &used);
        assert_true(used <= now);
        if (parse == LOAD_PARSE_DONE)
            return at + used;
        assert_int_equal(parse, LOAD_PARSE_MORE);
        assert_int_equal(used, now);
    }
    assert_int_equal(tcp->eof(&parser), LOAD_PARSE_BAD);
    return SIZE_MAX;
}

static void test_where_a_response_ends(void **state)
{
    (void)state;
    static const struct {
        const char *until;
        uint64_t bytes;
        const char *data;
        size_t end; /* SIZE_MAX: not in it */
    } table[] = {
        {"\n", 0, "PONG\n", 5},      {"\n", 0, "\nmore\n", 1},
        {"\n", 0, "PONG", SIZE_MAX}, {"\r\n", 0, "a\rb\nc\r\r\n", 8},
        {"aab", 0, "aaab", 4},       {"aabaaa", 0, "aabaabaaa", 9},
        {"abab", 0, "abaabab", 7},   {"abcabd", 0, "abcabcabd!", 9},
        {"end", 0, "eeenenend.", 9}, {"end", 0, "enden", 3},
        {"end", 0, "en", SIZE_MAX},  {"\n", 4, "a\nbcd", 4},
        {"\n", 4, "abc", SIZE_MAX},  {"\n", 1, "abc", 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct load_request request = {.until = table[i].until,
                                             .until_len = strlen(table[i].until),
                                             .answer_bytes = table[i].bytes};
        for (size_t piece = 1; piece <= strlen(table[i].data); piece++)
            if (fed(&request, table[i].data, piece) != table[i].end)
                fail_msg("case %zu in pieces of %zu", i, piece);
    }
}

static bool build(struct load_request *out, char *until, const char *text, struct base_error *err)
{
    char name[] = "r";
    char *body = base_str_dup(text);
    const struct load_spec spec = {.route_count = 0};
    const struct load_route route = {.name = name, .body = body, .until = until};
    bool built = tcp->build(out, &spec, &route, err);
    free(body);
    return built;
}

static void test_requests(void **state)
{
    (void)state;
    struct load_request request;
    struct base_rng rng;
    static const char expected[] = "get 000000000042\r\n";
    assert_true(build(&request, NULL, "get {{seq}}\r\n", NULL));
    base_rng_seed(&rng, 1);
    load_request_patch(&request, request.bytes, 42, &rng);
    assert_int_equal(request.len, sizeof expected - 1);
    assert_int_equal(request.total, request.len);
    assert_memory_equal(request.bytes, expected, request.len);
    assert_string_equal(request.until, "\n");
    load_request_fini(&request);
    char until[] = "END";
    assert_true(build(&request, until, "x", NULL));
    assert_string_equal(request.until, "END");
    assert_int_equal(request.until_len, 3);
    load_request_fini(&request);
}

static void test_what_cannot_be_sent(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *told;
    } table[] = {{NULL, "must have what is to be sent"},
                 {"", "must have what is to be sent"},
                 {"{{user}}", "\"{{user}}\" is unknown"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct load_request request;
        struct base_error err = {.code = BASE_OK};
        assert_false(build(&request, NULL, table[i].text, &err));
        assert_int_equal(err.code, BASE_INVALID);
        assert_non_null(strstr(err.message, table[i].told));
    }
}

static void test_every_whole_response_is_good(void **state)
{
    (void)state;
    struct parser parser;
    const struct load_request request = {.until = "\n", .until_len = 1};
    struct load_outcome outcome = {.ok = false};
    tcp->start(&parser, &request);
    assert_true(tcp->judge(&parser, &outcome));
    assert_true(outcome.ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_a_response_ends),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_what_cannot_be_sent),
        cmocka_unit_test(test_every_whole_response_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
