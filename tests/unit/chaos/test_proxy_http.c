/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http_rules.h"
#include "proxied.h"
#include "proxy_http.h"

static char name[] = "odd";
static char prefix[] = "/api/hit";
enum { heard_max = 256 * 1024 };
static char heard[heard_max + 1];

static struct fault_spec spec_of(enum fault_http_action action)
{
    struct fault_spec spec = {.name = name, .kind = FAULT_HTTP};
    spec.http.action = action;
    spec.http.path_prefix = prefix;
    spec.http.share = 1.0;
    spec.http.status = action == FAULT_HTTP_ABORT ? 503 : 0;
    return spec;
}

static struct http_rules *begin(struct proxied *proxied, const struct fault_spec *spec)
{
    struct base_error err = {0};
    struct http_rules *rules = http_rules_new(spec, NULL, &err);
    assert_non_null(rules);
    proxied_start(proxied, &proxy_http_driver, rules);
    return rules;
}

static void end(struct proxied *proxied, struct http_rules *rules)
{
    proxied_stop(proxied);
    http_rules_free(rules);
}

static void what_speaks_something_else_passes_at_once(void **state)
{
    static const char *const greetings[] = {"\x16\x03\x01\x02", "PING\r\n",
                                            "GET / HTTP/1.1\nA: b\n"};
    (void)state;
    struct fault_spec spec = spec_of(FAULT_HTTP_ABORT);
    for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
        struct proxied proxied;
        struct http_rules *rules = begin(&proxied, &spec);
        assert_int_equal(proxied_text(&proxied, PROXY_CLIENT, greetings[i]), 0);
        proxied_expect(&proxied, PROXY_SERVER, greetings[i]);
        assert_int_equal(proxied_text(&proxied, PROXY_SERVER, "+PONG\r\n"), 0);
        proxied_expect(&proxied, PROXY_CLIENT, "+PONG\r\n");
        end(&proxied, rules);
    }
}

/* RFC 9110, 10.1.1: who got a final answer need not send the body, so that what comes next could be
 * body or request. */
static void an_aborted_request_that_expects_100_ends_its_connection(void **state)
{
    (void)state;
    struct proxied proxied;
    size_t got;
    struct fault_spec spec = spec_of(FAULT_HTTP_ABORT);
    struct http_rules *rules = begin(&proxied, &spec);
    assert_int_equal(proxied_text(&proxied, PROXY_CLIENT,
                                  "POST /api/hit HTTP/1.1\r\nExpect: 100-continue\r\n"
                                  "Content-Length: 5\r\n\r\n"),
                     0);
    assert_int_equal(proxied_hear(&proxied, PROXY_CLIENT, heard, heard_max, &got), PROXIED_CLOSED);
    assert_non_null(strstr(heard, "HTTP/1.1 503 "));
    assert_non_null(strstr(heard, "Connection: close\r\n"));
    end(&proxied, rules);
}

/* ab -k, for one, waits for the end of the connection unless it is told to keep it. */
static void an_aborted_request_of_http_1_0_is_told_to_keep_the_connection(void **state)
{
    static const char request[] = "GET /api/hit HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    static const char answer[] = "HTTP/1.1 503 Fault\r\nX-Squall-Fault: odd\r\n"
                                 "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n"
                                 "Connection: keep-alive\r\n\r\n";
    (void)state;
    struct proxied proxied;
    struct fault_spec spec = spec_of(FAULT_HTTP_ABORT);
    struct http_rules *rules = begin(&proxied, &spec);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(proxied_text(&proxied, PROXY_CLIENT, request), 0);
        proxied_expect(&proxied, PROXY_CLIENT, answer);
    }
    end(&proxied, rules);
}

/* The rest could be read as a request by a server that has seen nothing of it. */
static void what_follows_a_broken_body_of_an_aborted_request_reaches_nobody(void **state)
{
    (void)state;
    struct proxied proxied;
    size_t got;
    struct fault_spec spec = spec_of(FAULT_HTTP_ABORT);
    struct http_rules *rules = begin(&proxied, &spec);
    assert_int_equal(proxied_text(&proxied, PROXY_CLIENT,
                                  "POST /api/hit HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "zz\r\nGET /admin HTTP/1.1\r\n\r\n"),
                     0);
    assert_int_equal(proxied_hear(&proxied, PROXY_CLIENT, heard, heard_max, &got), PROXIED_CLOSED);
    assert_non_null(strstr(heard, "HTTP/1.1 503 "));
    (void)shutdown(proxied.outer[PROXY_CLIENT], SHUT_WR);
    assert_int_equal(proxied_hear(&proxied, PROXY_SERVER, heard, heard_max, &got), PROXIED_CLOSED);
    assert_int_equal(got, 0);
    end(&proxied, rules);
}

static void an_early_answer_does_not_cut_off_who_still_sends(void **state)
{
    static const char answer[] = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
    (void)state;
    struct proxied proxied;
    size_t got;
    struct fault_spec spec = spec_of(FAULT_HTTP_ABORT);
    struct http_rules *rules = begin(&proxied, &spec);
    assert_int_equal(proxied_text(&proxied, PROXY_CLIENT,
                                  "POST /other HTTP/1.1\r\nContent-Length: 50000\r\n\r\n"),
                     0);
    assert_int_equal(proxied_text(&proxied, PROXY_SERVER, answer), 0);
    (void)shutdown(proxied.outer[PROXY_SERVER], SHUT_WR); /* and it reads on, as nginx does */
    assert_int_equal(proxied_hear(&proxied, PROXY_CLIENT, heard, heard_max, &got), PROXIED_CLOSED);
    assert_string_equal(heard, answer);
    for (int i = 0; i < 20; i++)
        assert_int_equal(proxied_text(&proxied, PROXY_CLIENT, "xxxxxxxxxx"), 0);
    end(&proxied, rules);
}

/* A server that answers and closes with the request unread resets: its answer was sent all the
 * same, and arrives without a proxy. */
static void an_answer_before_a_reset_arrives_whole(void **state)
{
    static char body[90000];
    static char part[60000];
    (void)state;
    struct proxied proxied;
    size_t got;
    struct fault_spec spec = spec_of(FAULT_HTTP_ABORT);
    struct http_rules *rules = begin(&proxied, &spec);
    memset(body, 'b', sizeof body);
    assert_int_equal(proxied_text(&proxied, PROXY_CLIENT,
                                  "POST /other HTTP/1.1\r\nContent-Length: 90000\r\n\r\n"),
                     0);
    proxied_expect(&proxied, PROXY_SERVER, "POST /other");
    /* Nothing of this is seen before the proxy's next turn. */
    int server = proxied.outer[PROXY_SERVER];
    static const char head[] = "HTTP/1.1 413 Too Large\r\nContent-Length: 90000\r\n\r\n";
    assert_int_equal(send(server, head, sizeof head - 1, 0), sizeof head - 1);
    assert_int_equal(send(server, body, sizeof body, 0), sizeof body);
    proxied_abandon(&proxied, PROXY_SERVER);
    (void)send(proxied.outer[PROXY_CLIENT], part, sizeof part, MSG_NOSIGNAL);
    assert_int_equal(proxied_hear(&proxied, PROXY_CLIENT, heard, heard_max, &got), PROXIED_RESET);
    assert_int_equal(got, sizeof head - 1 + sizeof body);
    end(&proxied, rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_speaks_something_else_passes_at_once),
        cmocka_unit_test(an_aborted_request_that_expects_100_ends_its_connection),
        cmocka_unit_test(an_aborted_request_of_http_1_0_is_told_to_keep_the_connection),
        cmocka_unit_test(what_follows_a_broken_body_of_an_aborted_request_reaches_nobody),
        cmocka_unit_test(an_early_answer_does_not_cut_off_who_still_sends),
        cmocka_unit_test(an_answer_before_a_reset_arrives_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
