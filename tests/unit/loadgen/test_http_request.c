/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_request.h"

static struct load_route route_of(const char *method, const char *path)
{
    return (struct load_route){
        .name = strdup("r"), .method = strdup(method), .path = strdup(path), .weight = 1};
}

static void add(struct load_route *route, const char *header)
{
    route->headers = realloc(route->headers, (route->header_count + 1) * sizeof(char *));
    assert_non_null(route->headers);
    route->headers[route->header_count++] = strdup(header);
}

static void drop(struct load_route *route)
{
    for (size_t i = 0; i < route->header_count; i++)
        free(route->headers[i]);
    free(route->headers);
    free(route->name);
    free(route->method);
    free(route->path);
    free(route->body);
    free(route->body_file);
}

static void expect(struct load_route *route, const char *bytes)
{
    struct load_request request;
    struct base_error err;
    if (!load_request_build(&request, "example.org:81", route, &err))
        fail_msg("%s", err.message);
    assert_int_equal(request.len, strlen(bytes));
    assert_memory_equal(request.bytes, bytes, request.len);
    load_request_fini(&request);
    drop(route);
}

static void test_bytes(void **state)
{
    (void)state;
    struct load_route get = route_of("GET", "/a?b=c");
    expect(&get, "GET /a?b=c HTTP/1.1\r\nHost: example.org:81\r\nUser-Agent: squall-load\r\n"
                 "X-Traffic: load\r\n\r\n");
    struct load_route post = route_of("POST", "/");
    post.body = strdup("{\"a\":1}");
    add(&post, "Content-Type: application/json");
    expect(&post, "POST / HTTP/1.1\r\nHost: example.org:81\r\nUser-Agent: squall-load\r\n"
                  "X-Traffic: load\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n"
                  "{\"a\":1}");
    struct load_route empty = route_of("PUT", "/");
    expect(&empty, "PUT / HTTP/1.1\r\nHost: example.org:81\r\nUser-Agent: squall-load\r\n"
                   "X-Traffic: load\r\nContent-Length: 0\r\n\r\n");
}

/* Fixed widths, so that the length holds whatever is written into the fields. */
static void test_fields(void **state)
{
    (void)state;
    struct load_route route = route_of("POST", "/u/{{seq}}?r={{rand}}");
    route.body = strdup("{\"a\":{{seq}},\"b\":{\"c\":\"{{rand}}\"}} {{ {{}} {{SEQ}}");
    add(&route, "X-Id: {{seq}}{{seq}}");
    struct load_request request;
    struct base_error err;
    if (!load_request_build(&request, "h", &route, &err))
        fail_msg("%s", err.message);
    assert_int_equal(request.patch_count, 6);
    char *bytes = malloc(request.len + 1);
    assert_non_null(bytes);
    memcpy(bytes, request.bytes, request.len);
    bytes[request.len] = '\0';
    struct base_rng rng, same;
    base_rng_seed(&rng, 1);
    same = rng;
    load_request_patch(&request, bytes, 1234567, &rng);
    char expected[600];
    unsigned long long first = base_rng_u64(&same), second = base_rng_u64(&same);
    char body[200];
    int len = snprintf(body, sizeof body,
                       "{\"a\":000001234567,\"b\":{\"c\":\"%016llx\"}} {{ {{}} {{SEQ}}", second);
    (void)snprintf(expected, sizeof expected,
                   "POST /u/000001234567?r=%016llx HTTP/1.1\r\nHost: h\r\nUser-Agent: "
                   "squall-load\r\nX-Traffic: load\r\nX-Id: "
                   "000001234567000001234567\r\nContent-Length: %d\r\n\r\n%s",
                   first, len, body);
    assert_string_equal(bytes, expected);
    load_request_patch(&request, bytes, UINT64_MAX, &rng); /* stays in its place */
    assert_int_equal(strlen(bytes), strlen(expected));
    free(bytes);
    load_request_fini(&request);
    drop(&route);
}

static void test_a_file_as_body(void **state)
{
    (void)state;
    char path[] = "/tmp/load-body-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "12345", 5), 5);
    close(fd);
    struct load_route route = route_of("PUT", "/{{seq}}");
    route.body_file = strdup(path);
    struct load_request request;
    struct base_error err;
    if (!load_request_build(&request, "h", &route, &err))
        fail_msg("%s", err.message);
    assert_int_equal(request.total, request.len + 5);
    assert_non_null(strstr(request.bytes, "Content-Length: 5\r\n\r\n"));
    load_request_fini(&request);
    route.body = strdup("and one");
    assert_false(load_request_build(&request, "h", &route, &err));
    assert_non_null(strstr(err.message, "give one"));
    free(route.body);
    route.body = NULL;
    assert_int_equal(unlink(path), 0);
    assert_false(load_request_build(&request, "h", &route, &err));
    assert_int_equal(err.code, BASE_INVALID);
    assert_non_null(strstr(err.message, path));
    drop(&route);
}

static void test_own_headers_win(void **state)
{
    (void)state;
    struct load_route route = route_of("GET", "/");
    add(&route, "hOST: other");
    add(&route, "user-agent: mine");
    add(&route, "x-traffic: probe");
    expect(&route, "GET / HTTP/1.1\r\nhOST: other\r\nuser-agent: mine\r\nx-traffic: probe\r\n\r\n");
}

static void test_head(void **state)
{
    (void)state;
    struct load_route route = route_of("HEAD", "/");
    struct load_request request;
    assert_true(load_request_build(&request, "h", &route, NULL));
    assert_true(request.head);
    load_request_fini(&request);
    drop(&route);
}

/* Nothing of a plan may end a line early or begin another request. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *host, *header, *part;
    } bad[] = {
        {"GE T", "/", "h", NULL, "method"},
        {"", "/", "h", NULL, "method"},
        {"GET", "no-slash", "h", NULL, "path"},
        {"GET", "/a b", "h", NULL, "path"},
        {"GET", "/\r\nX: y", "h", NULL, "path"},
        {"GET", "/", "h\r\nX: y", NULL, "host"},
        {"GET", "/", "", NULL, "host"},
        {"GET", "/", "h", "no colon", "Name: value"},
        {"GET", "/", "h", "A: b\r\nC: d", "Name: value"},
        {"GET", "/", "h", ": b", "Name: value"},
        {"GET", "/", "h", "A B: c", "Name: value"},
        {"GET", "/", "h", "transfer-encoding: chunked", "left out"},
        {"GET", "/", "h", "Content-Length: 5", "left out"},
        {"GET", "/{{sequence}}", "h", NULL, "\"{{sequence}}\" is unknown"},
        {"GET", "/", "h", "A: {{x}}", "\"{{x}}\" is unknown"},
        {"GET", "/{{seq", "h", NULL, "\"{{seq\" has no end: write {{seq}}"},
        {"GET", "/{{seq}", "h", NULL, "\"{{seq}\" has no end: write {{seq}}"},
        {"GET", "/", "h", "A: {{rand/b", "\"{{rand/b\" has no end: write {{rand}}"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct load_route route = route_of(bad[i].method, bad[i].path);
        struct load_request request = {.len = 77};
        struct base_error err;
        if (bad[i].header != NULL)
            add(&route, bad[i].header);
        assert_false(load_request_build(&request, bad[i].host, &route, &err));
        assert_int_equal(err.code, BASE_INVALID);
        if (strstr(err.message, bad[i].part) == NULL)
            fail_msg("%zu: %s", i, err.message);
        assert_int_equal(request.len, 77);
        drop(&route);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),          cmocka_unit_test(test_fields),
        cmocka_unit_test(test_a_file_as_body), cmocka_unit_test(test_own_headers_win),
        cmocka_unit_test(test_head),           cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
