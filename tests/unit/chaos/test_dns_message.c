/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "dns_message.h"

static struct dns_question ask(const char *name, uint16_t type, unsigned char *query)
{
    struct dns_question question;
    size_t len = dns_question_make(0x1234, name, type, query);
    assert_true(len > 0 && dns_question_parse(query, len, &question));
    assert_int_equal(question.end, len);
    return question;
}

static void a_question_is_read_and_answered(void **state)
{
    static const struct dns_address wrong = {.family = AF_INET, .bytes = {203, 0, 113, 9}};
    unsigned char query[DNS_QUERY_MAX];
    unsigned char made[DNS_ANSWER_MAX];
    struct dns_answer answer;
    (void)state;
    struct dns_question question = ask("DB.Test", DNS_TYPE_A, query);
    assert_string_equal(question.name, "db.test");
    assert_true(question.recursion && question.id == 0x1234 && question.type == DNS_TYPE_A);
    size_t len = dns_answer_make(query, &question, DNS_NXDOMAIN, NULL, made);
    assert_true(dns_answer_parse(made, len, &answer));
    assert_true(answer.rcode == DNS_NXDOMAIN && answer.first.family == 0 && answer.id == 0x1234);
    /* The name comes back as it was asked, in capitals and all (0x20 encoding). */
    assert_memory_equal(made + 12, query + 12, question.end - 12);
    len = dns_answer_make(query, &question, DNS_NOERROR, &wrong, made);
    assert_true(dns_answer_parse(made, len, &answer));
    assert_int_equal(answer.first.family, AF_INET);
    assert_memory_equal(answer.first.bytes, wrong.bytes, 4);
    question = ask("db.test", DNS_TYPE_AAAA, query);
    len = dns_answer_make(query, &question, DNS_NOERROR, &wrong, made);
    assert_true(dns_answer_parse(made, len, &answer) && answer.first.family == 0);
}

static void what_is_no_plain_question_is_left_alone(void **state)
{
    unsigned char query[DNS_QUERY_MAX];
    struct dns_question question;
    (void)state;
    size_t len = dns_question_make(1, "db.test", DNS_TYPE_A, query);
    for (size_t cut = 0; cut < len; cut++)
        assert_false(dns_question_parse(query, cut, &question));
    static const struct {
        size_t at;
        unsigned char value;
    } changes[] = {{2, 0x80}, {2, 0x28}, {5, 0}, {5, 2}, {12, 0xc0}, {12, 64}, {13, '.'}, {13, 7}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        unsigned char changed[DNS_QUERY_MAX];
        memcpy(changed, query, sizeof changed);
        changed[changes[i].at] = changes[i].value;
        if (dns_question_parse(changed, len, &question))
            fail_msg("taken: byte %zu is %u", changes[i].at, changes[i].value);
    }
}

/* A query for a name of `text` letters and dots (labels of 63 letters, and one of the rest). */
static size_t ask_for_length(size_t text, unsigned char *query)
{
    size_t at = 12;
    memset(query, 0, at);
    query[5] = 1;
    for (size_t left = text + 1; left > 0;) {
        size_t label = left > 64 ? 63 : left - 1;
        query[at] = (unsigned char)label;
        memset(query + at + 1, 'a', label);
        at += label + 1;
        left -= label + 1;
    }
    static const unsigned char rest[] = {0, 0, 1, 0, 1};
    memcpy(query + at, rest, sizeof rest);
    return at + sizeof rest;
}

static void a_name_has_at_most_255_bytes_in_a_message(void **state)
{
    static const struct dns_address address = {.family = AF_INET6, .bytes = {0x20, 1}};
    unsigned char query[512];
    unsigned char made[DNS_ANSWER_MAX];
    struct dns_question question;
    (void)state;
    size_t len = ask_for_length(253, query);
    assert_int_equal(len, DNS_QUERY_MAX);
    assert_true(dns_question_parse(query, len, &question));
    assert_int_equal(question.end, DNS_QUERY_MAX);
    assert_int_equal(strlen(question.name), 253);
    query[len - 3] = DNS_TYPE_AAAA;
    assert_true(dns_question_parse(query, len, &question));
    assert_int_equal(dns_answer_make(query, &question, DNS_NOERROR, &address, made), sizeof made);
    for (size_t text = 254; text < 258; text++)
        assert_false(dns_question_parse(query, ask_for_length(text, query), &question));
}

static void names_match_patterns(void **state)
{
    (void)state;
    assert_true(dns_name_matches("db.Example.com", "db.example.com"));
    assert_false(dns_name_matches("db.example.com", "a.db.example.com"));
    assert_true(dns_name_matches("*.example.com", "a.b.example.com"));
    assert_false(dns_name_matches("*.example.com", "example.com"));
    assert_false(dns_name_matches("*.example.com", "badexample.com"));
    static const char *const bad[] = {"", "*", "*.", "a..b", ".a", "a.", "a b", "a.*.b", "**.a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (dns_pattern_valid(bad[i]))
            fail_msg("valid: \"%s\"", bad[i]);
    assert_true(dns_pattern_valid("localhost") && dns_pattern_valid("*.svc.cluster.local"));
    char label[80];
    (void)snprintf(label, sizeof label, "%064d.a", 0);
    assert_false(dns_pattern_valid(label));
    assert_true(dns_pattern_valid(label + 1));
}

static void answers_with_records_that_lie_are_refused(void **state)
{
    /* One answer whose length runs past the end. */
    static const unsigned char lying[] = {0, 1, 0x81, 0x80, 0, 0, 0, 1, 0, 0,   0, 0, 0xc0, 12,
                                          0, 1, 0,    1,    0, 0, 0, 9, 0, 200, 1, 2, 3,    4};
    struct dns_answer answer;
    (void)state;
    assert_false(dns_answer_parse(lying, sizeof lying, &answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_read_and_answered),
        cmocka_unit_test(what_is_no_plain_question_is_left_alone),
        cmocka_unit_test(a_name_has_at_most_255_bytes_in_a_message),
        cmocka_unit_test(names_match_patterns),
        cmocka_unit_test(answers_with_records_that_lie_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
