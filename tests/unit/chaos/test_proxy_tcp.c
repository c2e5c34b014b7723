/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxied.h"
#include "proxy_tcp.h"

enum { said = 60000 }; /* fits into what a socket takes unread */
static char heard[said + 2];

/* Spliced and paced. */
static const struct proxy_tcp_rules kinds[] = {
    {.toxic = FAULT_TOXIC_RESET_TIME, .time = {60 * BASE_NS_PER_S}, .share = 1.0},
    {.toxic = FAULT_TOXIC_LATENCY, .time = {BASE_NS_PER_MS}, .share = 1.0},
};

static void what_a_server_said_before_its_reset_arrives(void **state)
{
    static char bytes[said];
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct proxied proxied;
        size_t got;
        proxied_start(&proxied, &proxy_tcp_driver, &kinds[i]);
        assert_int_equal(proxied_text(&proxied, PROXY_CLIENT, "hello"), 0);
        proxied_expect(&proxied, PROXY_SERVER, "hel"); /* the rest is never read */
        assert_int_equal(send(proxied.outer[PROXY_SERVER], bytes, said, 0), said);
        proxied_abandon(&proxied, PROXY_SERVER);
        (void)send(proxied.outer[PROXY_CLIENT], "more", 4, MSG_NOSIGNAL);
        assert_int_equal(proxied_hear(&proxied, PROXY_CLIENT, heard, said + 1, &got),
                         PROXIED_RESET);
        assert_int_equal(got, said);
        proxied_stop(&proxied);
    }
}

static void each_end_closes_by_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct proxied proxied;
        size_t got;
        proxied_start(&proxied, &proxy_tcp_driver, &kinds[i]);
        assert_int_equal(proxied_text(&proxied, PROXY_CLIENT, "question"), 0);
        (void)shutdown(proxied.outer[PROXY_CLIENT], SHUT_WR);
        assert_int_equal(proxied_hear(&proxied, PROXY_SERVER, heard, said, &got), PROXIED_CLOSED);
        assert_string_equal(heard, "question");
        assert_int_equal(proxied_text(&proxied, PROXY_SERVER, "answer"), 0);
        (void)shutdown(proxied.outer[PROXY_SERVER], SHUT_WR);
        assert_int_equal(proxied_hear(&proxied, PROXY_CLIENT, heard, said, &got), PROXIED_CLOSED);
        assert_string_equal(heard, "answer");
        assert_true(proxy_conn_closed(&proxied.conn));
        proxied_stop(&proxied);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_server_said_before_its_reset_arrives),
        cmocka_unit_test(each_end_closes_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
