/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "cookies.h"

static const struct load_site shop = {.host = "www.shop.example"};
static const struct load_site safe = {.host = "www.shop.example", .secure = true};
static const struct load_site number = {.host = "10.0.0.3"};
/* 2026-11-26T00:00:00Z */
static const struct wall_ns now = {INT64_C(1795651200) * BASE_NS_PER_S};

static void store(struct load_jar *jar, const struct load_site *site, const char *target,
                  const char *text)
{
    load_jar_store(jar, site, target, text, strlen(text), now);
}

static void assert_sent(const struct load_jar *jar, const struct load_site *site,
                        const char *target, struct wall_ns when, const char *expected)
{
    struct base_buf out;
    base_buf_init(&out, 1 << 20);
    bool any = load_jar_write(jar, site, target, when, &out);
    assert_string_equal(out.data, expected);
    assert_int_equal(any, *expected != '\0');
    base_buf_fini(&out);
}

/* One Set-Cookie in answer to /a/b?c, and what is sent to a target then. */
static void test_where_a_cookie_goes(void **state)
{
    (void)state;
    static const struct {
        const struct load_site *site;
        const char *set;
        const char *target;
        const char *sent;
    } cases[] = {
        {&shop, "k=v", "/a/b", "k=v"},
        {&shop, " k = v ; Path=/", "/", "k=v"},
        {&shop, "k=", "/a/", "k="},
        {&shop, "k=a=b\"c\"", "/a/x", "k=a=b\"c\""},
        {&shop, "k=v", "/a", "k=v"}, /* the default path is /a */
        {&shop, "k=v", "/ab", ""},
        {&shop, "k=v", "/", ""},
        {&shop, "k=v; path=/x", "/x/y?z", "k=v"},
        {&shop, "k=v; path=/x", "/xy", ""},
        {&shop, "k=v; path=/x/", "/x", ""},
        {&shop, "k=v; path=x", "/a/b", "k=v"}, /* no path: the default */
        {&shop, "k=v; Path=/; Path=/q", "/q", "k=v"},
        {&shop, "k=v; Path=/; Path=/q", "/a", ""},
        {&shop, "k=v; Path=/; domain=shop.example", "/", "k=v"},
        {&shop, "k=v; Path=/; domain=.WWW.shop.example", "/", "k=v"},
        {&shop, "k=v; Path=/; domain=", "/", "k=v"},
        {&shop, "k=v; Path=/; domain=op.example", "/", ""},
        {&shop, "k=v; Path=/; domain=other.example", "/", ""},
        {&shop, "k=v; Path=/; domain=a.www.shop.example", "/", ""},
        {&number, "k=v; Path=/; domain=10.0.0.3", "/", "k=v"},
        {&number, "k=v; Path=/; domain=0.0.3", "/", ""},
        {&shop, "k=v; Path=/; secure", "/", ""},
        {&safe, "k=v; Path=/; Secure; HttpOnly; SameSite=Lax", "/", "k=v"},
        {&shop, "k=v; Path=/; Max-Age=60", "/", "k=v"},
        {&shop, "k=v; Path=/; Max-Age=0", "/", ""},
        {&shop, "k=v; Path=/; Max-Age=-5", "/", ""},
        {&shop, "k=v; Path=/; Max-Age=x", "/", "k=v"},
        {&shop, "k=v; Path=/; Max-Age=99999999999999999999999", "/", "k=v"},
        {&shop, "k=v; Path=/; Expires=Thu, 26 Nov 2026 00:00:01 GMT", "/", "k=v"},
        {&shop, "k=v; Path=/; Expires=Thu, 26 Nov 2026 00:00:00 GMT", "/", ""},
        {&shop, "k=v; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "/", ""},
        {&shop, "k=v; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=9", "/", "k=v"},
        {&shop, "k=v; Path=/; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "/", "k=v"},
        {&shop, "k=v; Path=/; Expires=whenever", "/", "k=v"},
        {&shop, "nothing", "/a/b", ""},
        {&shop, "=v", "/a/b", ""},
        {&shop, "; Path=/", "/a/b", ""},
        {&shop, "", "/a/b", ""},
        {&shop, "k=a\x01z", "/a/b", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct load_jar jar = {.count = 0};
        print_message("%s\n", cases[i].set);
        store(&jar, cases[i].site, "/a/b?c=/d/e", cases[i].set);
        assert_sent(&jar, cases[i].site, cases[i].target, now, cases[i].sent);
        load_jar_fini(&jar);
    }
}

static void test_a_name_and_path_is_one_cookie(void **state)
{
    (void)state;
    struct load_jar jar = {.count = 0};
    store(&jar, &shop, "/", "a=1");
    store(&jar, &shop, "/", "b=2");
    store(&jar, &shop, "/", "a=3");
    assert_sent(&jar, &shop, "/", now, "a=3; b=2"); /* it keeps its age */
    store(&jar, &shop, "/", "a=4; path=/deep");
    assert_sent(&jar, &shop, "/deep/er", now, "a=4; a=3; b=2"); /* the longer path first */
    store(&jar, &shop, "/", "a=; max-age=0");
    assert_sent(&jar, &shop, "/deep/er", now, "a=4; b=2");
    struct load_jar copy;
    load_jar_copy(&copy, &jar);
    load_jar_fini(&jar);
    assert_sent(&copy, &shop, "/deep", now, "a=4; b=2");
    store(&copy, &shop, "/", "c=5");
    assert_sent(&copy, &shop, "/deep", now, "a=4; b=2; c=5");
    load_jar_fini(&copy);
}

static void test_expiry_comes(void **state)
{
    (void)state;
    struct load_jar jar = {.count = 0};
    store(&jar, &shop, "/", "a=1; max-age=10");
    assert_sent(&jar, &shop, "/", (struct wall_ns){now.ns + 10 * BASE_NS_PER_S - 1}, "a=1");
    assert_sent(&jar, &shop, "/", (struct wall_ns){now.ns + 10 * BASE_NS_PER_S}, "");
    load_jar_fini(&jar);
}

static void test_a_jar_is_bounded(void **state)
{
    (void)state;
    struct load_jar jar = {.count = 0};
    for (int i = 0; i < LOAD_COOKIES_MAX + 3; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "k%d=v", i);
        store(&jar, &shop, "/", text);
    }
    assert_int_equal(jar.count, LOAD_COOKIES_MAX);
    assert_string_equal(jar.cookies[0].name, "k3"); /* the oldest went */
    char *large = base_calloc(LOAD_COOKIE_BYTES_MAX + 2, 1);
    memset(large, 'x', LOAD_COOKIE_BYTES_MAX + 1);
    large[1] = '=';
    store(&jar, &shop, "/", large); /* 1 + 4095: just fits */
    assert_string_equal(jar.cookies[0].name, "k4");
    large[LOAD_COOKIE_BYTES_MAX] = '\0';
    char *larger = base_str_printf("%sxx", large);
    store(&jar, &shop, "/", larger);
    assert_string_equal(jar.cookies[0].name, "k4");
    free(larger);
    free(large);
    load_jar_fini(&jar);
}

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds; /* -1: no date */
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"6 nOVEMBER 1994 8:49:37", 784111777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Wed, 31-Dec-69 23:59:59 GMT", 3155759999},
        {"Tue, 29 Feb 2028 12:00:00 GMT", 1835438400},
        {"Sat, 29 Feb 2027 12:00:00 GMT", -1},
        {"Thu, 31 Apr 2026 12:00:00 GMT", -1},
        {"Thu, 26 Nov 2026", -1},
        {"26 Nov 2026 24:00:00", -1},
        {"26 Nov 2026 23:60:00", -1},
        {"26 Nov 1600 23:00:00", -1},
        {"26 Nov 20266 23:00:00", -1},
        {"32 Nov 2026 23:00:00", -1},
        {"26 Nox 2026 23:00:00", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wall_ns date = {.ns = 77};
        bool good = load_cookie_date(cases[i].text, strlen(cases[i].text), &date);
        if (good != (cases[i].seconds >= 0))
            fail_msg("%s", cases[i].text);
        assert_int_equal(date.ns, good ? cases[i].seconds * BASE_NS_PER_S : 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_a_cookie_goes),
        cmocka_unit_test(test_a_name_and_path_is_one_cookie),
        cmocka_unit_test(test_expiry_comes),
        cmocka_unit_test(test_a_jar_is_bounded),
        cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
