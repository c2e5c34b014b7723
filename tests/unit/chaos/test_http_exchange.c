/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http_exchange.h"

enum { conversation_max = 65536 };

static char name[] = "odd";
static char prefix[] = "/api/hit";
static const struct mono_ns start = {BASE_NS_PER_S};

struct talk {
    struct fault_spec spec;
    struct http_rules *rules;
    struct base_rng rng;
    struct http_exchange exchange;
    struct base_buf heard[2]; /* by the end that heard it */
};

static void talk_begin(struct talk *talk, enum fault_http_action action)
{
    struct base_error err = {0};
    *talk = (struct talk){.spec = {.name = name, .kind = FAULT_HTTP}};
    talk->spec.http.action = action;
    talk->spec.http.path_prefix = prefix;
    talk->spec.http.share = 1.0;
    talk->spec.http.status = 503;
    talk->rules = http_rules_new(&talk->spec, NULL, &err);
    assert_non_null(talk->rules);
    http_exchange_init(&talk->exchange, talk->rules, &talk->rng);
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++)
        base_buf_init(&talk->heard[end], conversation_max);
}

static void talk_end(struct talk *talk)
{
    http_exchange_fini(&talk->exchange);
    http_rules_free(talk->rules);
    for (enum proxy_end end = PROXY_CLIENT; end <= PROXY_SERVER; end++)
        base_buf_fini(&talk->heard[end]);
}

static void deliver(struct talk *talk, enum proxy_end from)
{
    struct base_buf *out = &talk->exchange.half[from].out;
    assert_true(base_buf_append(&talk->heard[proxy_other(from)], out->data, out->len));
    base_buf_consume(out, out->len);
}

static void go_on(struct talk *talk, struct mono_ns now)
{
    while (http_exchange_step(&talk->exchange, now)) {
        deliver(talk, PROXY_CLIENT);
        deliver(talk, PROXY_SERVER);
    }
}

static void say(struct talk *talk, enum proxy_end from, const char *text, size_t len)
{
    if (talk->exchange.flow[from].wanted) /* it passes unread */
        assert_true(base_buf_append(&talk->heard[proxy_other(from)], text, len));
    else
        assert_true(base_buf_append(&talk->exchange.half[from].in, text, len));
    go_on(talk, start);
}

static void expect(const struct talk *talk, enum proxy_end end, const char *text)
{
    if (strcmp(talk->heard[end].data, text) != 0)
        fail_msg("heard \"%s\", expected \"%s\"", talk->heard[end].data, text);
}

#define ABORTED                                                                                    \
    "HTTP/1.1 503 Fault\r\nX-Squall-Fault: odd\r\nContent-Type: text/plain; charset=utf-8\r\n"     \
    "Content-Length: 0\r\n\r\n"

static const struct exchanged {
    const char *request;
    const char *answer; /* the server's; NULL: it does not get the request */
} all[] = {
    {"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"},
    {"POST /b HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3;a=b\r\nabc\r\n0\r\nTrailer: x\r\n\r\n",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "2\r\nhi\r\n0\r\nTrailer: y\r\nAnother: z\r\n\r\n"},
    {"POST /api/hit HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", NULL},
    {"HEAD /c HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"},
    {"PUT /d HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 204 No Content\r\n\r\n"},
    {"GET /e HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nuntil it closes"},
};
enum { all_count = sizeof all / sizeof *all };

/* The client's bytes, or the server's, come in two pieces. */
static void converse(size_t client_split, size_t server_split)
{
    struct talk talk;
    struct base_buf requests;
    struct base_buf forwarded;
    struct base_buf answers;
    size_t said = 0;
    base_buf_init(&requests, conversation_max);
    base_buf_init(&forwarded, conversation_max);
    base_buf_init(&answers, conversation_max);
    for (size_t i = 0; i < all_count; i++) {
        base_buf_str(&requests, all[i].request);
        base_buf_str(&forwarded, all[i].answer != NULL ? all[i].request : "");
        base_buf_str(&answers, all[i].answer != NULL ? all[i].answer : ABORTED);
    }
    talk_begin(&talk, FAULT_HTTP_ABORT);
    size_t first = client_split < requests.len ? client_split : requests.len;
    say(&talk, PROXY_CLIENT, requests.data, first);
    say(&talk, PROXY_CLIENT, requests.data + first, requests.len - first);
    for (size_t i = 0; i < all_count; i++) {
        size_t len = all[i].answer != NULL ? strlen(all[i].answer) : 0;
        size_t part = server_split > said && server_split < said + len ? server_split - said : len;
        if (part > 0)
            say(&talk, PROXY_SERVER, all[i].answer, part);
        if (part < len)
            say(&talk, PROXY_SERVER, all[i].answer + part, len - part);
        said += len;
    }
    expect(&talk, PROXY_SERVER, forwarded.data);
    expect(&talk, PROXY_CLIENT, answers.data);
    assert_false(talk.exchange.tunnel);
    talk_end(&talk);
    base_buf_fini(&requests);
    base_buf_fini(&forwarded);
    base_buf_fini(&answers);
}

static void requests_in_a_row_and_their_answers_in_pieces(void **state)
{
    (void)state;
    for (size_t split = 0; split < 600; split++) {
        converse(split, 0);
        converse(0, split);
    }
}

static void after_an_upgrade_nothing_is_read(void **state)
{
    static const char upgrade[] = "GET /chat HTTP/1.1\r\nConnection: Upgrade\r\n"
                                  "Upgrade: websocket\r\n\r\n";
    static const char agreed[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    (void)state;
    struct talk talk;
    talk_begin(&talk, FAULT_HTTP_ABORT);
    say(&talk, PROXY_CLIENT, upgrade, sizeof upgrade - 1);
    say(&talk, PROXY_SERVER, agreed, sizeof agreed - 1);
    say(&talk, PROXY_CLIENT, "GET /api/hit HTTP/1.1\r\n\r\n", 25);
    assert_non_null(strstr(talk.heard[PROXY_SERVER].data, "GET /api/hit"));
    expect(&talk, PROXY_CLIENT, agreed);
    talk_end(&talk);
}

/* The client reads slowly: the end of what it may have is not written yet when it says something
 * that is not HTTP. */
static void nothing_passes_behind_a_cut(void **state)
{
    static const char request[] = "POST /api/hit HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";
    (void)state;
    struct talk talk;
    talk_begin(&talk, FAULT_HTTP_TRUNCATE);
    talk.spec.http.bytes = 4;
    say(&talk, PROXY_CLIENT, request, sizeof request - 1);
    assert_true(base_buf_append(&talk.exchange.half[PROXY_SERVER].in, answer, sizeof answer - 1));
    while (http_exchange_step(&talk.exchange, start))
        ;
    assert_true(talk.exchange.last);
    assert_true(base_buf_append(&talk.exchange.half[PROXY_CLIENT].in, "zz\r\n", 4));
    assert_true(base_buf_append(&talk.exchange.half[PROXY_SERVER].in, "more", 4));
    while (http_exchange_step(&talk.exchange, start))
        ;
    deliver(&talk, PROXY_SERVER);
    expect(&talk, PROXY_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123");
    talk_end(&talk);
}

static void a_held_request_goes_on_when_it_is_due(void **state)
{
    static const char request[] = "GET /api/hit HTTP/1.1\r\n\r\n";
    (void)state;
    struct talk talk;
    struct mono_ns next;
    talk_begin(&talk, FAULT_HTTP_DELAY);
    talk.spec.http.time = base_dur_ms(100);
    say(&talk, PROXY_CLIENT, request, sizeof request - 1);
    assert_true(http_exchange_next(&talk.exchange, start, &next));
    assert_int_equal(next.ns - start.ns, base_dur_ms(100).ns);
    expect(&talk, PROXY_SERVER, "");
    go_on(&talk, base_mono_add(start, base_dur_ms(99)));
    expect(&talk, PROXY_SERVER, "");
    go_on(&talk, next);
    expect(&talk, PROXY_SERVER, request);
    talk_end(&talk);
}

static void a_request_that_is_hit_is_patched(void **state)
{
    static char set_line[] = "X-New: 1";
    static char *set[] = {set_line};
    static char removed_name[] = "x-old";
    static char *removed[] = {removed_name};
    (void)state;
    struct talk talk;
    talk_begin(&talk, FAULT_HTTP_PATCH_REQUEST);
    talk.spec.http.set = (struct fault_texts){set, 1};
    talk.spec.http.remove = (struct fault_texts){removed, 1};
    static const char requests[] = "POST /api/hit HTTP/1.1\r\nX-Old: 2\r\nx-new: 3\r\n"
                                   "Content-Length: 2\r\n\r\nhi";
    static const char other[] = "GET /other HTTP/1.1\r\nX-Old: 2\r\n\r\n";
    static const char answer[] = "HTTP/1.1 204 No\r\nX-Old: 4\r\n\r\n";
    say(&talk, PROXY_CLIENT, requests, sizeof requests - 1);
    say(&talk, PROXY_SERVER, answer, sizeof answer - 1);
    say(&talk, PROXY_CLIENT, other, sizeof other - 1);
    expect(&talk, PROXY_SERVER,
           "POST /api/hit HTTP/1.1\r\nContent-Length: 2\r\nX-New: 1\r\n\r\nhi"
           "GET /other HTTP/1.1\r\nX-Old: 2\r\n\r\n");
    expect(&talk, PROXY_CLIENT, answer);
    talk_end(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_in_a_row_and_their_answers_in_pieces),
        cmocka_unit_test(after_an_upgrade_nothing_is_read),
        cmocka_unit_test(nothing_passes_behind_a_cut),
        cmocka_unit_test(a_request_that_is_hit_is_patched),
        cmocka_unit_test(a_held_request_goes_on_when_it_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
