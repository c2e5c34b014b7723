/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxied.h"
#include "proxy_dns.h"

enum { questions = 4000, small = 4096 };

static char db[] = "db.test";
static char *names[] = {db};

static size_t question(uint16_t id, const char *of, unsigned char *out)
{
    size_t len = dns_question_make(id, of, DNS_TYPE_A, out + 2);
    out[0] = (unsigned char)(len >> 8);
    out[1] = (unsigned char)len;
    return len + 2;
}

static struct fault_spec spec_of(enum fault_dns_answer answer)
{
    struct fault_spec spec = {.kind = FAULT_DNS};
    spec.dns.names = (struct fault_texts){names, 1};
    spec.dns.share = 1.0;
    spec.dns.answer = answer;
    return spec;
}

/* A client that asks all it has, says so, and reads only then: more answers than there is room for
 * at once. The last question is the server's to answer. */
static void all_questions_before_an_end_are_answered(void **state)
{
    static unsigned char all[questions * 64];
    static char heard[questions * 64];
    static const int buffer = small;
    (void)state;
    struct fault_spec spec = spec_of(FAULT_DNS_NXDOMAIN);
    const struct proxy_dns_rules rules = {.spec = &spec};
    struct proxied proxied;
    size_t len = 0;
    size_t got;
    proxied_start(&proxied, &proxy_dns_driver, &rules);
    (void)setsockopt(proxied.outer[PROXY_CLIENT], SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    (void)setsockopt(proxied.conn.fd[PROXY_CLIENT], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    for (uint16_t i = 0; i < questions; i++)
        len += question(i, db, all + len);
    size_t last = question(questions, "other.test", all + len);
    assert_int_equal(proxied_say(&proxied, PROXY_CLIENT, all, len + last), 0);
    (void)shutdown(proxied.outer[PROXY_CLIENT], SHUT_WR);
    for (int i = 0; i < 20; i++)
        proxied_turn(&proxied);
    assert_int_equal(proxied_hear(&proxied, PROXY_CLIENT, heard, len, &got), PROXIED_ENOUGH);
    assert_int_equal(proxied_hear(&proxied, PROXY_SERVER, heard, sizeof heard - 1, &got),
                     PROXIED_CLOSED);
    assert_int_equal(got, last);
    assert_memory_equal(heard, all + len, last);
    proxied_stop(&proxied);
}

/* RFC 7766, 6.2.1.1: questions in a row, each whole or in pieces; those of others pass. */
static void questions_in_pieces_and_in_a_row(void **state)
{
    unsigned char two[2 * (2 + DNS_QUERY_MAX)];
    (void)state;
    struct fault_spec spec = spec_of(FAULT_DNS_NXDOMAIN);
    const struct proxy_dns_rules rules = {.spec = &spec};
    size_t first = question(1, db, two);
    size_t both = first + question(2, "other.test", two + first);
    for (size_t split = 1; split < both; split++) {
        struct proxied proxied;
        char heard[2 + DNS_QUERY_MAX + 1];
        size_t got;
        proxied_start(&proxied, &proxy_dns_driver, &rules);
        assert_int_equal(proxied_say(&proxied, PROXY_CLIENT, two, split), 0);
        assert_int_equal(proxied_say(&proxied, PROXY_CLIENT, two + split, both - split), 0);
        assert_int_equal(proxied_hear(&proxied, PROXY_SERVER, heard, both - first, &got),
                         PROXIED_ENOUGH);
        assert_memory_equal(heard, two + first, both - first);
        assert_int_equal(proxied_hear(&proxied, PROXY_CLIENT, heard, first, &got), PROXIED_ENOUGH);
        assert_int_equal(heard[5] & 15, DNS_NXDOMAIN);
        proxied_stop(&proxied);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_questions_before_an_end_are_answered),
        cmocka_unit_test(questions_in_pieces_and_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
