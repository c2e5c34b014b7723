/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void handler_a(void *ctx, struct kit_request *request)
{
    (void)ctx;
    (void)request;
}

static void handler_b(void *ctx, struct kit_request *request)
{
    (void)ctx;
    (void)request;
}

static int ctx_of_users;

static int setup(void **state)
{
    static const struct kit_route routes[] = {
        {"GET", "/", handler_a},
        {"GET", "/api/users", handler_a},
        {"POST", "/api/users", handler_b},
        {"GET", "/api/users/:id", handler_a},
        {"DELETE", "/api/users/:id", handler_b},
        {"GET", "/api/users/me", handler_b},
        {"GET", "/a/:x/b/:y", handler_a},
        {"GET", "/a/:x/:z/:y", handler_b},
    };
    struct kit_router *router = kit_router_new();
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        assert_true(kit_router_add(router, &routes[i], &ctx_of_users));
    *state = router;
    return 0;
}

static int teardown(void **state)
{
    kit_router_free(*state);
    return 0;
}

static void finds(const struct kit_router *router, const char *method, const char *path,
                  const char *pattern, kit_handler *handler)
{
    struct kit_match match;
    assert_int_equal(kit_router_match(router, method, path, &match), KIT_MATCHED);
    assert_string_equal(match.pattern, pattern);
    assert_true(match.handler == handler);
    assert_ptr_equal(match.ctx, &ctx_of_users);
    kit_match_fini(&match);
}

static void test_matches(void **state)
{
    finds(*state, "GET", "/", "/", handler_a);
    finds(*state, "GET", "/api/users", "/api/users", handler_a);
    finds(*state, "POST", "/api/users", "/api/users", handler_b);
    finds(*state, "HEAD", "/api/users", "/api/users", handler_a);
    finds(*state, "DELETE", "/api/users/7", "/api/users/:id", handler_b);
}

static void test_literal_wins_where_patterns_first_differ(void **state)
{
    finds(*state, "GET", "/api/users/me", "/api/users/me", handler_b);
    finds(*state, "GET", "/api/users/meow", "/api/users/:id", handler_a);
    finds(*state, "GET", "/a/1/b/2", "/a/:x/b/:y", handler_a);
    finds(*state, "GET", "/a/1/c/2", "/a/:x/:z/:y", handler_b);
}

static void test_params(void **state)
{
    struct kit_match match;
    assert_int_equal(kit_router_match(*state, "GET", "/a/one/b/two words", &match), KIT_MATCHED);
    assert_string_equal(kit_match_param(&match, "x"), "one");
    assert_string_equal(kit_match_param(&match, "y"), "two words");
    assert_null(kit_match_param(&match, "z"));
    kit_match_fini(&match);
}

static void test_no_path(void **state)
{
    static const char *const paths[] = {
        "",
        "*",
        "api/users",
        "/api",
        "/api/users/",
        "//",
        "/api//users",
        "/api/users/1/2",
        "/api/users/..",
        "/api/users/.",
        "/API/users",
        "http://host/api/users",
        "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct kit_match match;
        assert_int_equal(kit_router_match(*state, "GET", paths[i], &match), KIT_NO_PATH);
        kit_match_fini(&match);
    }
}

static void test_no_method_names_the_allowed(void **state)
{
    struct kit_match match;
    assert_int_equal(kit_router_match(*state, "PATCH", "/api/users/7", &match), KIT_NO_METHOD);
    assert_string_equal(match.allow, "GET, HEAD, DELETE");
    assert_string_equal(match.pattern, "/api/users/:id");
    kit_match_fini(&match);
    assert_int_equal(kit_router_match(*state, "get", "/", &match), KIT_NO_METHOD);
    kit_match_fini(&match);
}

static void test_bad_routes_are_refused(void **state)
{
    static const struct kit_route bad[] = {
        {"GET", "/api/users", handler_b},
        {"GET", "users", handler_a},
        {"GET", "/a/", handler_a},
        {"GET", "/a/:", handler_a},
        {"GET", "/:a/:b/:c/:d/:e", handler_a},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(kit_router_add(*state, &bad[i], NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_matches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_literal_wins_where_patterns_first_differ, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_params, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_path, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_method_names_the_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_routes_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
