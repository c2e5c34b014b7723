/* SPDX-License-Identifier: Apache-2.0 */
/* Client and server against each other over 127.0.0.1, in one loop. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "io/http_client.h"
#include "io/http_server.h"
#include "io_test.h"

enum { MAX_BODY = 1000, HELD_MAX = 128 };

struct fixture {
    struct io_loop *loop;
    struct io_server *server;
    struct io_http *client;
    struct io_exchange *held[HELD_MAX]; /* not replied yet */
    size_t held_count;
    size_t handled;
    size_t abandoned;
    bool any_held;
    bool any_abandoned;
    size_t hold_until; /* reply to all held ones when there are so many */
    struct base_buf large;
};

struct result {
    bool done;
    int calls;
    struct io_http_response response; /* body and content_type are copies */
    struct base_buf body;
    char content_type[64];
    char reply_header[16];
    bool injected;
    size_t *left;
    struct io_http *free_client; /* in the callback */
    struct io_http_call *cancel; /* in the callback */
};

static void echo(struct io_exchange *exchange)
{
    size_t len;
    const char *body = io_exchange_body(exchange, &len);
    const char *query = io_exchange_query(exchange, "q");
    const char *header = io_exchange_header(exchange, "x-test");
    BASE_AUTO_FREE char *text = base_str_printf(
        "%s|%s|%s|%s|%s|%s|%.*s", io_exchange_method(exchange), io_exchange_path(exchange),
        io_exchange_target(exchange), query != NULL ? query : "-", header != NULL ? header : "-",
        io_exchange_header(exchange, "Content-Type") != NULL ? "typed" : "-", (int)len, body);
    io_exchange_add_header(exchange, "X-Reply", "yes");
    io_exchange_add_header(exchange, "X-Split", "a\r\nX-Injected: b");
    io_exchange_reply(exchange, 201, "text/plain", text, strlen(text));
    io_exchange_reply(exchange, 500, NULL, "second", 6); /* not allowed: has no effect */
}

static void reply_to_held(struct fixture *f)
{
    while (f->held_count > 0) {
        struct io_exchange *exchange = f->held[--f->held_count];
        io_exchange_reply(exchange, 200, "text/plain", "late", 4);
    }
    f->any_held = false;
}

static void on_request(void *ctx, struct io_exchange *exchange)
{
    struct fixture *f = ctx;
    const char *path = io_exchange_path(exchange);
    f->handled++;
    assert_true(base_mono_sub(base_mono_now(), io_exchange_received(exchange)).ns >= 0);
    if (base_str_eq(path, "/hold")) {
        io_exchange_set_ctx(exchange, f);
        f->held[f->held_count++] = exchange;
        f->any_held = true;
        if (f->held_count == f->hold_until)
            reply_to_held(f);
    } else if (base_str_eq(path, "/large")) {
        io_exchange_reply(exchange, 200, "text/plain", f->large.data, f->large.len);
    } else if (base_str_eq(path, "/status")) {
        uint64_t status = 0;
        assert_true(base_parse_u64(io_exchange_query(exchange, "is"), &status));
        io_exchange_reply(exchange, (unsigned)status, "text/plain", "s", 1);
    } else if (base_str_eq(path, "/redirect")) {
        io_exchange_add_header(exchange, "Location", "/status?is=200");
        io_exchange_reply(exchange, 302, NULL, NULL, 0);
    } else {
        echo(exchange);
    }
}

static void on_abandon(void *ctx, struct io_exchange *exchange)
{
    struct fixture *f = ctx;
    assert_ptr_equal(io_exchange_ctx(exchange), f);
    f->abandoned++;
    f->any_abandoned = true;
    for (size_t i = 0; i < f->held_count; i++) {
        if (f->held[i] == exchange)
            f->held[i] = f->held[--f->held_count];
    }
}

static int setup(void **state)
{
    struct fixture *f = base_calloc(1, sizeof *f);
    struct base_error err;
    f->loop = io_test_loop();
    base_buf_init(&f->large, 8 << 20);
    struct io_server_config config = {.address = "127.0.0.1",
                                      .max_body = MAX_BODY,
                                      .on_request = on_request,
                                      .on_abandon = on_abandon,
                                      .ctx = f};
    f->server = io_server_new(f->loop, &config, &err);
    assert_non_null(f->server);
    f->client = io_http_new(f->loop);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    io_http_free(f->client);
    io_server_free(f->server);
    base_buf_fini(&f->large);
    io_loop_free(f->loop);
    free(f);
    return 0;
}

static void on_done(void *ctx, const struct io_http_response *response)
{
    struct result *result = ctx;
    assert_int_equal(response->body[response->body_len], '\0');
    result->response = *response;
    base_buf_init(&result->body, 32 << 20);
    assert_true(base_buf_append(&result->body, response->body, response->body_len));
    (void)snprintf(result->content_type, sizeof result->content_type, "%s", response->content_type);
    const char *header = io_http_response_header(response, "x-reply");
    (void)snprintf(result->reply_header, sizeof result->reply_header, "%s",
                   header != NULL ? header : "-");
    result->injected = io_http_response_header(response, "X-Injected") != NULL;
    result->done = true;
    result->calls++;
    if (result->left != NULL)
        (*result->left)--;
    io_http_cancel(result->cancel);
    io_http_free(result->free_client);
}

static char *url_of(const struct fixture *f, const char *target)
{
    return base_str_printf("http://127.0.0.1:%u%s", io_server_port(f->server), target);
}

static struct io_http_call *begin(struct fixture *f, const char *target,
                                  struct io_http_request request, struct result *result)
{
    BASE_AUTO_FREE char *url = url_of(f, target);
    struct base_error err = {0};
    request.url = url;
    struct io_http_call *call = io_http_start(f->client, &request, on_done, result, &err);
    if (call == NULL)
        print_error("%s\n", err.message);
    assert_non_null(call);
    assert_false(result->done); /* never from inside io_http_start */
    return call;
}

static struct result fetch(struct fixture *f, const char *target, struct io_http_request request)
{
    struct result result = {0};
    (void)begin(f, target, request, &result);
    io_test_until(f->loop, &result.done);
    return result;
}

static void expect_echo(struct fixture *f, const char *target, struct io_http_request request,
                        const char *expected)
{
    struct result result = fetch(f, target, request);
    assert_true(result.response.ok);
    assert_int_equal(result.response.status, 201);
    assert_string_equal(result.body.data, expected);
    assert_string_equal(result.content_type, "text/plain");
    assert_string_equal(result.reply_header, "yes");
    assert_false(result.injected); /* a header with a line break in it is left out */
    assert_true(result.response.elapsed.ns > 0);
    base_buf_fini(&result.body);
}

/* --- requests and replies --- */

static void test_what_the_server_is_sent(void **state)
{
    struct fixture *f = *state;
    expect_echo(f, "/a%20b?q=1+2%26&x", (struct io_http_request){0},
                "GET|/a b|/a%20b?q=1+2%26&x|1 2&|-|-|");
    expect_echo(f, "/?q", (struct io_http_request){0}, "GET|/|/?q||-|-|");
    expect_echo(f, "/x", (struct io_http_request){.body = "hello", .body_len = 5, .method = "POST"},
                "POST|/x|/x|-|-|-|hello");
    expect_echo(f, "/x", (struct io_http_request){.method = "POST"}, "POST|/x|/x|-|-|-|");
    expect_echo(f, "/x", (struct io_http_request){.method = "DELETE"}, "DELETE|/x|/x|-|-|-|");
    const char *const headers[] = {"X-Test: some value", "Content-Type: application/json", NULL};
    expect_echo(
        f, "/x",
        (struct io_http_request){.headers = headers, .body = "{}", .body_len = 2, .method = "PUT"},
        "PUT|/x|/x|-|some value|typed|{}");
    expect_echo(f, "/x", (struct io_http_request){.method = "PATCH", .body = "p", .body_len = 1},
                "PATCH|/x|/x|-|-|-|p");
}

static void test_statuses_are_answers(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *target;
        int status;
        const char *body;
    } cases[] = {
        {"/status?is=200", 200, "s"}, {"/status?is=404", 404, "s"}, {"/status?is=500", 500, "s"},
        {"/status?is=503", 503, "s"}, {"/status?is=204", 204, ""},  {"/status?is=599", 599, "s"},
        {"/status?is=0", 500, "s"},   {"/status?is=100", 500, "s"}, {"/redirect", 302, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result result = fetch(f, cases[i].target, (struct io_http_request){0});
        assert_true(result.response.ok);
        assert_int_equal(result.response.status, cases[i].status);
        assert_string_equal(result.body.data, cases[i].body);
        base_buf_fini(&result.body);
    }
    assert_int_equal(f->handled, sizeof cases / sizeof cases[0]); /* no redirect was followed */
}

static void test_head_has_no_body(void **state)
{
    struct fixture *f = *state;
    struct result result = fetch(f, "/x", (struct io_http_request){.method = "HEAD"});
    assert_true(result.response.ok);
    assert_int_equal(result.response.status, 201);
    assert_int_equal(result.body.len, 0);
    base_buf_fini(&result.body);
}

static void test_deferred_reply(void **state)
{
    struct fixture *f = *state;
    struct result result = {0};
    (void)begin(f, "/hold", (struct io_http_request){0}, &result);
    io_test_until(f->loop, &f->any_held);
    assert_int_equal(io_server_in_flight(f->server), 1);
    assert_false(result.done);
    reply_to_held(f);
    io_test_until(f->loop, &result.done);
    assert_true(result.response.ok);
    assert_string_equal(result.body.data, "late");
    assert_int_equal(io_server_in_flight(f->server), 0);
    assert_int_equal(f->abandoned, 0);
    base_buf_fini(&result.body);
}

static void test_connections_are_reused(void **state)
{
    struct fixture *f = *state;
    f->hold_until = 1;
    for (int i = 0; i < 20; i++) {
        struct result result = fetch(f, i % 2 == 0 ? "/x" : "/hold", (struct io_http_request){0});
        assert_true(result.response.ok);
        base_buf_fini(&result.body);
        assert_int_equal(io_server_connections(f->server), 1);
    }
    assert_int_equal(f->handled, 20);
}

static void test_a_hundred_at_once(void **state)
{
    struct fixture *f = *state;
    enum { CALLS = 100 };
    struct result *results = base_calloc(CALLS, sizeof *results);
    size_t left = CALLS;
    f->hold_until = CALLS; /* no reply before all have arrived */
    for (int i = 0; i < CALLS; i++) {
        results[i].left = &left;
        (void)begin(f, "/hold", (struct io_http_request){0}, &results[i]);
    }
    for (int i = 0; i < CALLS; i++) {
        io_test_until(f->loop, &results[i].done);
        assert_true(results[i].response.ok);
        assert_int_equal(results[i].calls, 1);
        assert_string_equal(results[i].body.data, "late");
        base_buf_fini(&results[i].body);
    }
    assert_int_equal(left, 0);
    assert_int_equal(f->handled, CALLS);
    free(results);
}

/* --- limits --- */

static struct result post_zeros(struct fixture *f, const char *method, size_t len)
{
    char *body = base_calloc(1, len + 1);
    struct result result =
        fetch(f, "/x", (struct io_http_request){.method = method, .body = body, .body_len = len});
    free(body);
    return result;
}

static void test_bodies_over_the_maximum_are_413(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *method;
        size_t len;
        int status;
    } cases[] = {
        {"POST", MAX_BODY, 201},       {"POST", MAX_BODY + 1, 413}, {"PUT", MAX_BODY + 1, 413},
        {"PATCH", MAX_BODY + 1, 413},  {"POST", 4 << 20, 413},      {"PATCH", 4 << 20, 413},
        {"DELETE", MAX_BODY + 1, 413},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result result = post_zeros(f, cases[i].method, cases[i].len);
        assert_true(result.response.ok);
        assert_int_equal(result.response.status, cases[i].status);
        base_buf_fini(&result.body);
    }
    assert_int_equal(f->handled, 1); /* the handler saw only what fits */
    assert_int_equal(io_server_connections(f->server), 1);
}

static void test_responses_over_the_maximum_are_an_error(void **state)
{
    struct fixture *f = *state;
    while (f->large.len < 1 << 20)
        assert_true(base_buf_str(&f->large, "0123456789abcdef"));
    struct result result = fetch(f, "/large", (struct io_http_request){.max_response = 1 << 20});
    assert_true(result.response.ok);
    assert_int_equal(result.body.len, 1 << 20);
    assert_memory_equal(result.body.data, f->large.data, 1 << 20);
    base_buf_fini(&result.body);
    result = fetch(f, "/large", (struct io_http_request){.max_response = (1 << 20) - 1});
    assert_false(result.response.ok);
    assert_int_equal(result.response.error.code, BASE_LIMIT);
    assert_true(result.response.connected);
    assert_non_null(strstr(result.response.error.message, "1048575 bytes"));
    base_buf_fini(&result.body);
}

/* --- failures --- */

static void test_timeout(void **state)
{
    struct fixture *f = *state;
    struct result result = fetch(f, "/hold", (struct io_http_request){.timeout = base_dur_ms(80)});
    assert_false(result.response.ok);
    assert_string_equal(result.reply_header, "-");
    assert_int_equal(result.response.error.code, BASE_TIMEOUT);
    assert_true(result.response.connected);
    assert_true(result.response.elapsed.ns >= base_dur_ms(80).ns);
    assert_non_null(strstr(result.response.error.message, "GET http://127.0.0.1:"));
    assert_null(strstr(result.response.error.message, " after "));
    base_buf_fini(&result.body);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound, not listening: nobody else gets it */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    BASE_AUTO_FREE char *url =
        base_str_printf("http://user:secret@127.0.0.1:%u/", ntohs(address.sin_port));
    struct io_http_request request = {.url = url};
    struct result result = {0};
    struct base_error err;
    assert_non_null(io_http_start(f->client, &request, on_done, &result, &err));
    io_test_until(f->loop, &result.done);
    assert_false(result.response.ok);
    assert_int_equal(result.response.error.code, BASE_UNAVAILABLE);
    assert_int_equal(result.response.error.sys, ECONNREFUSED);
    assert_false(result.response.connected);
    assert_null(strstr(result.response.error.message, "secret"));
    assert_null(strstr(result.response.error.message, " after ")); /* the same every time */
    base_buf_fini(&result.body);
    (void)close(fd);
}

/* Accepts one connection, answers with the given bytes and closes. */
struct scripted {
    int fd;
    struct io_watch watch;
    const char *answer;
};

static void on_accept(void *ctx, unsigned events)
{
    (void)events;
    struct scripted *scripted = ctx;
    int fd = accept(scripted->fd, NULL, NULL);
    assert_true(fd >= 0);
    char request[1000];
    assert_true(read(fd, request, sizeof request) > 0);
    assert_int_equal(write(fd, scripted->answer, strlen(scripted->answer)),
                     strlen(scripted->answer));
    (void)close(fd);
}

static struct result fetch_scripted(struct fixture *f, const char *answer)
{
    struct scripted scripted = {.answer = answer, .fd = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_int_equal(bind(scripted.fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(scripted.fd, 1), 0);
    assert_int_equal(getsockname(scripted.fd, (struct sockaddr *)&address, &len), 0);
    io_watch_init(&scripted.watch, f->loop, scripted.fd, on_accept, &scripted);
    io_watch_set(&scripted.watch, IO_READ);
    BASE_AUTO_FREE char *url = base_str_printf("http://127.0.0.1:%u/", ntohs(address.sin_port));
    struct io_http_request request = {.url = url};
    struct result result = {0};
    assert_non_null(io_http_start(f->client, &request, on_done, &result, NULL));
    io_test_until(f->loop, &result.done);
    io_watch_fini(&scripted.watch);
    (void)close(scripted.fd);
    return result;
}

static void test_broken_servers(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *answer;
        bool ok;
        enum base_code code;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true, BASE_OK},
        {"HTTP/1.1 200 OK\r\n\r\nuntil close", true, BASE_OK},
        {"", false, BASE_UNAVAILABLE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", false, BASE_UNAVAILABLE},
        {"not http at all\r\n\r\n", false, BASE_CORRUPT},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false, BASE_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result result = fetch_scripted(f, cases[i].answer);
        assert_int_equal(result.response.ok, cases[i].ok);
        if (!cases[i].ok) {
            assert_int_equal(result.response.error.code, cases[i].code);
            assert_true(result.response.connected);
        }
        base_buf_fini(&result.body);
    }
}

static void test_calls_that_cannot_be_set_up(void **state)
{
    struct fixture *f = *state;
    static const char *const split_header[] = {"X: a\r\nY: b", NULL};
    static const char *const no_colon[] = {"X", NULL};
    const struct io_http_request cases[] = {
        {.url = NULL},
        {.url = ""},
        {.url = "/relative"},
        {.url = "ftp://127.0.0.1/"},
        {.url = "file:///etc/passwd"},
        {.url = "http://127.0.0.1:99999/"},
        {.url = "http://127.0.0.1/a b\r\nX: y"},
        {.url = "http://127.0.0.1/", .method = "GET / HTTP/1.1\r\nX:"},
        {.url = "http://127.0.0.1/", .method = ""},
        {.url = "http://127.0.0.1/", .headers = split_header},
        {.url = "http://127.0.0.1/", .headers = no_colon},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct base_error err = {0};
        struct result result = {0};
        assert_null(io_http_start(f->client, &cases[i], on_done, &result, &err));
        assert_int_equal(err.code, BASE_INVALID);
        assert_true(strlen(err.message) > 10);
        assert_int_equal(result.calls, 0);
    }
}

static void test_proxies_of_the_environment_are_ignored(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    expect_echo(f, "/x", (struct io_http_request){0}, "GET|/x|/x|-|-|-|");
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("ALL_PROXY"), 0);
}

/* --- cancelling and going away --- */

static void test_cancelled_call_does_not_call_back(void **state)
{
    struct fixture *f = *state;
    struct result result = {0};
    struct io_http_call *unsent = begin(f, "/hold", (struct io_http_request){0}, &result);
    io_http_cancel(unsent);
    io_http_cancel(NULL);
    struct io_http_call *call = begin(f, "/hold", (struct io_http_request){0}, &result);
    io_test_until(f->loop, &f->any_held);
    io_http_cancel(call);
    io_test_until(f->loop, &f->any_abandoned); /* and the server notices */
    assert_int_equal(f->held_count, 0);
    assert_int_equal(f->abandoned, 1);
    expect_echo(f, "/x", (struct io_http_request){0}, "GET|/x|/x|-|-|-|");
    assert_int_equal(result.calls, 0);
    assert_int_equal(io_server_in_flight(f->server), 0);
}

static void test_cancelling_in_a_callback(void **state)
{
    struct fixture *f = *state;
    struct result first = {0};
    struct result second = {0};
    struct io_http_call *other = begin(f, "/hold", (struct io_http_request){0}, &second);
    io_test_until(f->loop, &f->any_held);
    first.cancel = other;
    (void)begin(f, "/x", (struct io_http_request){0}, &first);
    io_test_until(f->loop, &first.done);
    base_buf_fini(&first.body);
    struct result own = {0};
    own.cancel = begin(f, "/x", (struct io_http_request){0}, &own); /* itself: too late, no harm */
    io_test_until(f->loop, &own.done);
    assert_int_equal(own.calls, 1);
    assert_int_equal(second.calls, 0);
    base_buf_fini(&own.body);
}

static void test_client_freed_in_a_callback(void **state)
{
    struct fixture *f = *state;
    struct result held = {0};
    struct result result = {.free_client = f->client};
    (void)begin(f, "/hold", (struct io_http_request){0}, &held);
    io_test_until(f->loop, &f->any_held);
    (void)begin(f, "/x", (struct io_http_request){0}, &result);
    io_test_until(f->loop, &result.done);
    f->client = NULL;
    io_test_until(f->loop, &f->any_abandoned);
    assert_int_equal(held.calls, 0);
    base_buf_fini(&result.body);
}

static void test_client_freed_under_way(void **state)
{
    struct fixture *f = *state;
    struct result results[5] = {0};
    for (int i = 0; i < 5; i++)
        (void)begin(f, "/hold", (struct io_http_request){0}, &results[i]);
    io_test_until(f->loop, &f->any_held);
    io_http_free(f->client);
    io_http_free(NULL);
    f->client = NULL;
    for (int i = 0; i < 5; i++)
        assert_int_equal(results[i].calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_the_server_is_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statuses_are_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_has_no_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deferred_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connections_are_reused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_hundred_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies_over_the_maximum_are_413, setup, teardown),
        cmocka_unit_test_setup_teardown(test_responses_over_the_maximum_are_an_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_servers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_calls_that_cannot_be_set_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_proxies_of_the_environment_are_ignored, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_cancelled_call_does_not_call_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelling_in_a_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_freed_in_a_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_freed_under_way, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
