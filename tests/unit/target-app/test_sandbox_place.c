/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../target-app/sandbox/src/place.h"
#include "base/cleanup.h"

static void names_that_are_fit_for_files(void **state)
{
    (void)state;
    static const char *const good[] = {"default", "a", "A-1", "0",
                                       "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *const bad[] = {"",         "-a",  "a/b",
                                      "..",       "a.b", "a b",
                                      "\xc3\xa9", "a\n", "abcdefghijklmnopqrstuvwxyz0123456"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(sandbox_name_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(sandbox_name_valid(bad[i]));
    struct sandbox_place place;
    struct base_error err;
    assert_false(sandbox_place_init(&place, "a/b", "/tmp", &err));
    assert_int_equal(err.code, BASE_INVALID);
    assert_non_null(strstr(err.message, "a/b"));
}

static struct sandbox_place place_of(const char *name, const char *root)
{
    struct sandbox_place place;
    struct base_error err;
    assert_true(sandbox_place_init(&place, name, root, &err));
    return place;
}

/* IFNAMSIZ is 16: a name of 16 letters would be refused by the kernel. */
static void link_names_fit_the_kernel(void **state)
{
    (void)state;
    char bridge[SANDBOX_LINK_TEXT], veth[SANDBOX_LINK_TEXT];
    struct sandbox_place place = place_of("abcdefghijklmnopqrstuvwxyz012345", "/x");
    sandbox_bridge_name(&place, bridge);
    sandbox_veth_name(&place, 999, veth);
    assert_in_range(strlen(bridge), 4, 15);
    assert_in_range(strlen(veth), 4, 15);
    assert_string_not_equal(bridge, veth);
    sandbox_place_fini(&place);
}

static void names_differ_by_sandbox_and_root(void **state)
{
    (void)state;
    struct sandbox_place places[] = {place_of("a", "/x"), place_of("b", "/x"), place_of("a", "/y"),
                                     place_of("a", "/var/lib/squall")};
    enum { COUNT = sizeof places / sizeof places[0] };
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < i; k++) {
            char one[SANDBOX_LINK_TEXT], other[SANDBOX_LINK_TEXT];
            BASE_AUTO_FREE char *ns_one = sandbox_netns_name(&places[i], "users-1");
            BASE_AUTO_FREE char *ns_other = sandbox_netns_name(&places[k], "users-1");
            sandbox_bridge_name(&places[i], one);
            sandbox_bridge_name(&places[k], other);
            assert_string_not_equal(one, other);
            assert_string_not_equal(ns_one, ns_other);
            assert_string_not_equal(places[i].tag, places[k].tag);
        }
    BASE_AUTO_FREE char *plain = sandbox_netns_name(&places[3], "users-1");
    assert_string_equal(plain, "sq-a-users-1");
    for (size_t i = 0; i < COUNT; i++)
        sandbox_place_fini(&places[i]);
}

/* After a crash the same names have to come out again, also for a root written differently. */
static void names_are_the_same_each_time(void **state)
{
    (void)state;
    struct sandbox_place one = place_of("a", "/x/y");
    struct sandbox_place two = place_of("a", "/x/y//");
    assert_string_equal(one.hash, two.hash);
    assert_string_equal(one.tag, two.tag);
    assert_string_equal(one.dir, "/x/y/sandboxes/a");
    BASE_AUTO_FREE char *status = sandbox_status_path(&one, "users-1");
    BASE_AUTO_FREE char *log = sandbox_log_path(&one, "users-1");
    assert_string_equal(status, "/x/y/sandboxes/a/instances/users-1.json");
    assert_string_equal(log, "/x/y/sandboxes/a/logs/users-1.log");
    sandbox_place_fini(&one);
    sandbox_place_fini(&two);
}

static void the_environment_names_the_root(void **state)
{
    (void)state;
    assert_int_equal(setenv("SQUALL_STATE", "/from/env", 1), 0);
    struct sandbox_place place = place_of(NULL, NULL);
    assert_string_equal(place.dir, "/from/env/sandboxes/default");
    sandbox_place_fini(&place);
    place = place_of(NULL, "/given");
    assert_string_equal(place.root, "/given");
    sandbox_place_fini(&place);
    assert_int_equal(unsetenv("SQUALL_STATE"), 0);
    place = place_of(NULL, "relative");
    assert_true(place.root[0] == '/');
    sandbox_place_fini(&place);
    assert_int_equal(setenv("XDG_STATE_HOME", "/xdg", 1), 0);
    place = place_of(NULL, NULL);
    assert_string_equal(place.root, geteuid() == 0 ? "/var/lib/squall" : "/xdg/squall");
    sandbox_place_fini(&place);
    struct base_error err;
    assert_false(sandbox_place_init(&place, NULL, "", &err));
    assert_int_equal(err.code, BASE_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_fit_for_files),
        cmocka_unit_test(link_names_fit_the_kernel),
        cmocka_unit_test(names_differ_by_sandbox_and_root),
        cmocka_unit_test(names_are_the_same_each_time),
        cmocka_unit_test(the_environment_names_the_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
