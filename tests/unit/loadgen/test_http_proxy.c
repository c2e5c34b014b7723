/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "http_proxy.h"

/* What a proxy is asked; free() it. */
static char *asked(const char *proxy, const char *address, const char *method, const char *path)
{
    char *target = base_str_dup(address);
    struct load_target targets[1] = {{.address = target, .port = 81}};
    struct load_spec spec = {
        .host = base_str_dup("h"), .proxy = base_str_dup(proxy), .targets = targets};
    struct load_route route = {
        .name = base_str_dup("r"), .method = base_str_dup(method), .path = base_str_dup(path)};
    struct load_request request;
    struct base_error err;
    spec.target_count = address == NULL ? 0 : 1;
    if (!load_proxy_build(&request, &spec, &route, &err))
        fail_msg("%s", err.message);
    char *bytes = base_str_ndup(request.bytes, request.len);
    load_request_fini(&request);
    free(route.name);
    free(route.method);
    free(route.path);
    free(spec.host);
    free(spec.proxy);
    free(target);
    return bytes;
}

static void expect(const char *proxy, const char *address, const char *method, const char *path,
                   const char *line, const char *lines)
{
    char *bytes = asked(proxy, address, method, path);
    char *wanted = base_str_printf("%s HTTP/1.1\r\nHost: h\r\nUser-Agent: squall-load\r\n"
                                   "X-Traffic: load\r\nProxy-Connection: Keep-Alive\r\n%s\r\n",
                                   line, lines);
    assert_string_equal(bytes, wanted);
    free(bytes);
    free(wanted);
}

static void test_what_is_asked(void **state)
{
    (void)state;
    expect("http://p:1", "a.test", "GET", "/x?y", "GET http://a.test:81/x?y", "");
    expect("p:1", "::1", "GET", "/", "GET http://[::1]:81/", "");
    expect("http://p:1", NULL, "GET", "/", "GET http://h/", "");
    expect("http://p:1", "a.test", "OPTIONS", "*", "OPTIONS http://a.test:81", "");
}

static void test_logins(void **state)
{
    (void)state;
    /* "jo@x:p:s", "jo:" and ":p" */
    expect("http://jo%40x:p%3As@p:1", "a", "GET", "/", "GET http://a:81/",
           "Proxy-Authorization: Basic am9AeDpwOnM=\r\n");
    expect("jo@p:1", "a", "GET", "/", "GET http://a:81/", "Proxy-Authorization: Basic am86\r\n");
    expect("http://:p@p:1", "a", "GET", "/", "GET http://a:81/",
           "Proxy-Authorization: Basic OnA=\r\n");
}

static void test_fields_are_found_behind_the_origin(void **state)
{
    (void)state;
    char *bytes = asked("http://p:1", "a", "GET", "/?n={{seq}}");
    assert_int_equal(strncmp(bytes, "GET http://a:81/?n=000000000000 HTTP", 36), 0);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_asked),
        cmocka_unit_test(test_logins),
        cmocka_unit_test(test_fields_are_found_behind_the_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
