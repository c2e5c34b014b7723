/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_rules.h"

static char name[] = "odd";
static char get[] = "GET";
static char delete[] = "DELETE";
static char users[] = "/api/users";
static char api[] = "/api/";
static char health[] = "/health";
static char livez[] = "/livez";
static char who_me[] = "X-Who: me";
static char *who[] = {who_me};
static char type_odd[] = "Content-Type: text/odd";
static char *set[] = {type_odd};
static char trace[] = "x-trace";
static char *removed[] = {trace};

static struct fault_spec spec(void)
{
    return (struct fault_spec){.name = name,
                               .kind = FAULT_HTTP,
                               .http = {.share = 1.0, .action = FAULT_HTTP_ABORT, .status = 503}};
}

static bool matches(const struct fault_spec *fault, const struct topo_service *service,
                    const char *line, const char *fields)
{
    char text[512];
    struct http_head head;
    struct base_error err = {0};
    (void)snprintf(text, sizeof text, "%s HTTP/1.1\r\n%s\r\n", line, fields);
    struct http_rules *rules = http_rules_new(fault, service, &err);
    assert_non_null(rules);
    assert_int_equal(http_request_parse(text, strlen(text), &head), HTTP_DONE);
    bool match = http_rules_match(rules, &head);
    http_rules_free(rules);
    return match;
}

static void each_part_of_the_match_counts(void **state)
{
    (void)state;
    struct fault_spec fault = spec();
    assert_true(matches(&fault, NULL, "GET /", ""));
    fault.http.method = get;
    assert_false(matches(&fault, NULL, "POST /", ""));
    fault.http.path = users;
    assert_true(matches(&fault, NULL, "GET /api/users?limit=1", ""));
    assert_true(matches(&fault, NULL, "GET http://a:80/api/users?q=://", ""));
    assert_false(matches(&fault, NULL, "GET /api/users/1", ""));
    assert_false(matches(&fault, NULL, "GET /x?/api/users", ""));
    fault.http.path = NULL;
    fault.http.path_prefix = api;
    assert_true(matches(&fault, NULL, "GET /api/users/1", ""));
    assert_false(matches(&fault, NULL, "GET /ap", ""));
    fault.http.headers = (struct fault_texts){who, 1};
    assert_true(matches(&fault, NULL, "GET /api/", "x-who:  me \r\n"));
    assert_false(matches(&fault, NULL, "GET /api/", "X-Who: Me\r\n"));
    assert_false(matches(&fault, NULL, "GET /api/", "X-Whom: me\r\n"));
}

static void what_steers_and_watches_the_platform_is_left_alone(void **state)
{
    (void)state;
    struct fault_spec fault = spec();
    const struct topo_service service = {.health_path = livez};
    static const char *const spared[] = {"GET /health",  "GET /ready?x",
                                         "GET /metrics", "POST /api/chaos/errors",
                                         "GET /livez",   "GET http://a/health"};
    for (size_t i = 0; i < sizeof spared / sizeof *spared; i++)
        if (matches(&fault, &service, spared[i], ""))
            fail_msg("faulted: %s", spared[i]);
    assert_true(matches(&fault, &service, "GET /healthy", ""));
    assert_true(matches(&fault, &service, "GET /api/chaos-probe", ""));
    fault.http.path_prefix = api;
    assert_false(matches(&fault, &service, "POST /api/chaos/errors", ""));
    fault.http.path_prefix = NULL;
    fault.http.path = health;
    assert_true(matches(&fault, &service, "GET /health", ""));
}

static void a_head_is_patched(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nX-Trace: 1\r\ncontent-type: a\r\nX-Trace: 2\r\n"
                               "Content-Length: 3\r\n\r\nabc";
    (void)state;
    struct fault_spec fault = spec();
    struct http_head head;
    struct base_error err = {0};
    struct base_buf out;
    fault.http.set = (struct fault_texts){set, 1};
    fault.http.remove = (struct fault_texts){removed, 1};
    struct http_rules *rules = http_rules_new(&fault, NULL, &err);
    base_buf_init(&out, 4096);
    assert_int_equal(http_response_parse(text, sizeof text - 1, (struct http_text){get, 3}, &head),
                     HTTP_DONE);
    assert_false(http_rules_patched(rules, &head));
    http_rules_patch(rules, &head, text, &out);
    assert_string_equal(out.data, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
                                  "Content-Type: text/odd\r\n\r\n");
    assert_int_equal(http_response_parse(out.data, out.len, (struct http_text){get, 3}, &head),
                     HTTP_DONE);
    assert_true(http_rules_patched(rules, &head));
    base_buf_fini(&out);
    http_rules_free(rules);
}

static void nothing_is_asked_that_changes_things(void **state)
{
    (void)state;
    struct fault_spec fault = spec();
    struct base_error err = {0};
    fault.http.method = delete;
    fault.http.path = users;
    assert_null(http_rules_new(&fault, NULL, &err));
    assert_non_null(strstr(err.message, "pathPrefix"));
    fault.http.path = NULL;
    fault.http.path_prefix = users;
    struct http_rules *rules = http_rules_new(&fault, NULL, &err);
    assert_non_null(strstr(http_rules_probe(rules), "DELETE /api/users/chaos-probe HTTP/1.1\r\n"));
    http_rules_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_of_the_match_counts),
        cmocka_unit_test(what_steers_and_watches_the_platform_is_left_alone),
        cmocka_unit_test(a_head_is_patched),
        cmocka_unit_test(nothing_is_asked_that_changes_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
