/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "curl_request.h"

static struct load_spec spec_of(char *host)
{
    return (struct load_spec){.host = host};
}

static void assert_span(const struct load_curl_request *request, struct load_span span,
                        const char *expected)
{
    char *text = base_str_ndup(request->whole.bytes + span.at, span.len);
    assert_string_equal(text, expected);
    free(text);
}

static void test_parts(void **state)
{
    (void)state;
    char host[] = "h:81", post[] = "POST", path[] = "/a?n={{seq}}", body[] = "b\r\n\r\nb",
         name[] = "r", line[] = "X-A: 1";
    char *lines[] = {line};
    struct load_spec spec = spec_of(host);
    struct load_route route = {.name = name,
                               .method = post,
                               .path = path,
                               .body = body,
                               .headers = lines,
                               .header_count = 1};
    struct load_curl_request request;
    assert_true(load_curl_request_build(&request, &spec, &route, NULL));
    assert_span(&request, request.path, "/a?n=000000000000");
    assert_int_equal(request.line_count, 4);
    assert_span(&request, request.lines[0], "Host: h:81");
    assert_span(&request, request.lines[1], "User-Agent: squall-load");
    assert_span(&request, request.lines[2], "X-Traffic: load");
    assert_span(&request, request.lines[3], "X-A: 1");
    assert_span(&request, request.body, body); /* an empty line in it ends nothing */
    assert_true(request.has_body);
    assert_true(request.moving_head);
    assert_false(request.moving_body);
    load_curl_request_fini(&request);
}

static void test_fields_move_where_they_are(void **state)
{
    (void)state;
    char host[] = "h", method[] = "PUT", path[] = "/", body[] = "{{rand}}", name[] = "r";
    struct load_spec spec = spec_of(host);
    struct load_route route = {.name = name, .method = method, .path = path, .body = body};
    struct load_curl_request request;
    assert_true(load_curl_request_build(&request, &spec, &route, NULL));
    assert_false(request.moving_head);
    assert_true(request.moving_body);
    load_curl_request_fini(&request);
    route.body = NULL; /* PUT says that it has none */
    assert_true(load_curl_request_build(&request, &spec, &route, NULL));
    assert_true(request.has_body);
    assert_int_equal(request.body.len, 0);
    assert_false(request.moving_body);
    load_curl_request_fini(&request);
    char get[] = "GET";
    route.method = get;
    assert_true(load_curl_request_build(&request, &spec, &route, NULL));
    assert_false(request.has_body);
    load_curl_request_fini(&request);
    load_curl_request_fini(&request); /* zeroed */
}

static void test_refuses_what_the_native_engine_refuses(void **state)
{
    (void)state;
    char host[] = "h", method[] = "GET", path[] = "/a b", name[] = "r";
    struct load_spec spec = spec_of(host);
    struct load_route route = {.name = name, .method = method, .path = path};
    struct load_curl_request request;
    struct base_error err = {.code = BASE_OK};
    assert_false(load_curl_request_build(&request, &spec, &route, &err));
    assert_int_equal(err.code, BASE_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_fields_move_where_they_are),
        cmocka_unit_test(test_refuses_what_the_native_engine_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
