/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "http2_request.h"
#include "http_parts.h"

static void assert_span(const struct load_request *whole, struct load_span span,
                        const char *expected)
{
    char *text = base_str_ndup(whole->bytes + span.at, span.len);
    assert_string_equal(text, expected);
    free(text);
}

static void test_parts(void **state)
{
    (void)state;
    char host[] = "h", name[] = "r", post[] = "POST", path[] = "/a", body[] = "b\r\n\r\nb";
    struct load_route route = {.name = name, .method = post, .path = path, .body = body};
    struct load_request whole;
    struct load_parts parts;
    assert_true(load_request_build(&whole, host, &route, NULL));
    load_parts_cut(&parts, &whole);
    assert_span(&whole, parts.method, "POST");
    assert_span(&whole, parts.path, "/a");
    assert_int_equal(parts.line_count, 4);
    assert_span(&whole, parts.lines[0], "Host: h");
    assert_span(&whole, parts.lines[3], "Content-Length: 6");
    assert_span(&whole, parts.body, body); /* an empty line in it ends nothing */
    load_parts_fini(&parts);
    load_parts_fini(&parts); /* zeroed */
    load_request_fini(&whole);
}

/* What is about the connection has no meaning here, in whatever case it is written. */
static void test_headers_that_http2_has_not(void **state)
{
    (void)state;
    char name[] = "r", good[] = "X-Connection: close",
         bad[][32] = {"Connection: close", "keep-alive: x", "TE: trailers", "Upgrade: h2c"};
    struct base_error err = {.code = BASE_OK};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *lines[] = {good, bad[i]};
        struct load_route route = {.name = name, .headers = lines, .header_count = 1};
        struct load_step step = {.name = name, .headers = lines, .header_count = 1};
        struct load_flow flow = {.setup = &step, .setup_count = 1};
        struct load_spec spec = {
            .routes = &route, .route_count = 1, .flows = &flow, .flow_count = 1};
        assert_true(load_h2_request_check(&spec, &err));
        step.header_count = 2;
        assert_false(load_h2_request_check(&spec, &err));
        step.header_count = 1;
        route.header_count = 2;
        assert_false(load_h2_request_check(&spec, &err));
        assert_int_equal(err.code, BASE_INVALID);
        assert_non_null(strstr(err.message, bad[i]));
    }
}

static void test_built(void **state)
{
    (void)state;
    char host[] = "h:81", name[] = "r", post[] = "POST", path[] = "/a?n={{seq}}", body[] = "{}",
         line[] = "X-A: 1", other[] = "hOsT: second";
    char *lines[] = {line, other};
    struct load_spec spec = {.host = host};
    struct load_route route = {.name = name,
                               .method = post,
                               .path = path,
                               .body = body,
                               .headers = lines,
                               .header_count = 2};
    struct load_h2_request request;
    assert_true(load_h2_request_build(&request, &spec, &route, NULL));
    assert_string_equal(request.whole.bytes + request.body_at, "{}");
    assert_non_null(strstr(request.whole.bytes, "\r\nx-a: 1\r\n")); /* in lower case */
    assert_non_null(strstr(request.whole.bytes, "\r\nhost: second\r\n"));
    const struct load_h2_body about =
        load_h2_request_body(&request.whole, request.whole.bytes, request.body_at);
    assert_int_equal(about.len, 2);
    assert_int_equal(about.total, 2);
    assert_int_equal(about.file, -1);
    load_h2_request_fini(&request);
    load_h2_request_fini(&request); /* zeroed */
    char wrong[] = "/a b";
    route.path = wrong;
    assert_false(load_h2_request_build(&request, &spec, &route, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_headers_that_http2_has_not),
        cmocka_unit_test(test_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
