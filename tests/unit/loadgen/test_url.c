/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/text.h"
#include "loadgen/adhoc.h"
#include "url.h"

static void test_parts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *authority, *path;
        uint16_t port;
        bool tls;
    } urls[] = {
        {"http://a", "a", "a", "/", 80, false},
        {"HTTP://a.b:81/c?d=e#f", "a.b", "a.b:81", "/c?d=e", 81, false},
        {"http://a?q", "a", "a", "/?q", 80, false},
        {"http://[::1]:8080/x", "::1", "[::1]:8080", "/x", 8080, false},
        {"http://[::1]", "::1", "[::1]", "/", 80, false},
        {"https://a", "a", "a", "/", 443, true},
        {"Https://[::1]:8443/x", "::1", "[::1]:8443", "/x", 8443, true},
        {"redis://a", "a", "a", "/", 6379, false},
        {"rediss://a:1/", "a", "a:1", "/", 1, true},
        {"tcp://a:7", "a", "a:7", "/", 7, false},
        {"tls://[::1]:7/", "::1", "[::1]:7", "/", 7, true},
        {"postgres://a", "a", "a", "/", 5432, false},
        {"amqp://a", "a", "a", "/", 5672, false},
        {"amqps://a", "a", "a", "/", 5671, true},
        {"postgresql://u@[::1]:7/db", "::1", "[::1]:7", "/db", 7, false},
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct load_url url;
        struct base_error err;
        if (!load_url_parse(urls[i].text, &url, &err))
            fail_msg("%s", err.message);
        assert_string_equal(url.host, urls[i].host);
        assert_string_equal(url.authority, urls[i].authority);
        assert_string_equal(url.path, urls[i].path);
        assert_int_equal(url.port, urls[i].port);
        assert_int_equal(url.tls, urls[i].tls);
        load_url_fini(&url);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",
        "a",
        "ftp://a",
        "https:/a",
        "http://",
        "https://",
        "http:///p",
        "http://:8",
        "http://a:",
        "http://a:0",
        "http://a:65536",
        "http://a:x",
        "http://u@a/",
        "http://[1",
        "http://[::1]x",
        "redis://a/1",
        "tcp://a",
        "tls://a:",
        "tcp://a:7/x",
        "redis://:secret@a",
        "postgres://u:secret@a/db",
        "postgres://@a/db",
        "postgres://u@/db",
        "amqp://u:secret@a",
        "amqp://u@a/%2f?heartbeat=1",
        "postgres://u@a/db?sslmode=require",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct load_url url = {.port = 7};
        struct base_error err;
        if (load_url_parse(urls[i], &url, &err))
            fail_msg("accepted: %s", urls[i]);
        assert_int_equal(err.code, BASE_INVALID);
        assert_int_equal(url.port, 7);
    }
}

static void test_users_and_databases(void **state)
{
    (void)state;
    static const struct {
        const char *text, *user, *database;
    } urls[] = {
        {"postgres://a", NULL, NULL},
        {"postgres://a/", NULL, NULL},
        {"postgres://u@a:7/", "u", NULL},
        {"postgres://u@a/d", "u", "d"},
        {"postgres://a/d%20e", NULL, "d e"},
        {"amqp://u@a/%2f", "u", "/"},
        {"amqps://a/x%2Fy%", NULL, "x/y%"},
        {"amqp://a/%00%4", NULL, "%00%4"},
        {"amqp://a", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct load_url url;
        assert_true(load_url_parse(urls[i].text, &url, NULL));
        assert_true(base_str_eq(url.user, urls[i].user));
        assert_true(base_str_eq(url.database, urls[i].database));
        assert_string_equal(url.host, "a");
        load_url_fini(&url);
    }
    struct load_url url;
    struct base_error err;
    assert_false(load_url_parse("postgres://u:secret@a/d", &url, &err));
    assert_null(strstr(err.message, "secret"));
}

static void test_options(void **state)
{
    (void)state;
    static const char *const argv[] = {"load",       "-r",
                                       "30/m",       "http://127.0.0.1:9/p",
                                       "-c7",        "--duration=500ms",
                                       "-t",         "2",
                                       "--arrivals", "constant",
                                       "-H",         "A: b",
                                       "-H",         "C: d",
                                       "--body",     "x",
                                       "--seed",     "5",
                                       "-q",         "--timeout",
                                       "1.5"};
    struct load_adhoc a;
    struct base_error err;
    if (!load_adhoc_parse(&a, (int)(sizeof argv / sizeof *argv), argv, &err))
        fail_msg("%s", err.message);
    assert_true(a.spec.rate == 0.5);
    assert_int_equal(a.spec.connections, 7);
    assert_int_equal(a.spec.duration.ns, 500 * BASE_NS_PER_MS);
    assert_int_equal(a.spec.timeout.ns, 1500 * BASE_NS_PER_MS);
    assert_int_equal(a.spec.threads, 2);
    assert_int_equal(a.spec.arrivals, LOAD_CONSTANT);
    assert_int_equal(a.spec.seed, 5);
    assert_int_equal(a.spec.routes[0].header_count, 2);
    assert_string_equal(a.spec.routes[0].method, "POST"); /* has a body */
    assert_string_equal(a.spec.targets[0].address, "127.0.0.1");
    assert_int_equal(a.spec.targets[0].port, 9);
    assert_true(a.quiet);
    load_adhoc_fini(&a);
}

static void test_wrong_options(void **state)
{
    (void)state;
    static const char *const lines[][5] = {
        {"load"},
        {"load", "-r", "5"},
        {"load", "http://127.0.0.1/"},
        {"load", "http://127.0.0.1/", "-r"},
        {"load", "http://127.0.0.1/", "-r", "0"},
        {"load", "http://127.0.0.1/", "-r", "-1"},
        {"load", "http://127.0.0.1/", "-r", "nan"},
        {"load", "http://127.0.0.1/", "-r", "1e400"},
        {"load", "http://127.0.0.1/", "-r5", "-c0"},
        {"load", "http://127.0.0.1/", "-r5", "-d0"},
        {"load", "http://127.0.0.1/", "-r5", "--bogus"},
        {"load", "http://127.0.0.1/", "-r5", "--quiet=yes"},
        {"load", "http://127.0.0.1/", "http://127.0.0.2/", "-r5"},
        {"load", "http://127.0.0.1/", "-r5", "-H", "no colon"},
        {"load", "http://127.0.0.1/", "-r5", "--arrivals", "often"},
        {"load", "http://127.0.0.1/", "-r5", "--insecure"},
        {"load", "http://127.0.0.1/", "-r5", "--ca-file=/ca.pem"},
        {"load", "https://127.0.0.1/", "-r5", "--ca-file="},
        {"load", "https://127.0.0.1/", "-r5", "--cert=/c.pem"},
        {"load", "https://127.0.0.1/", "-r5", "--key=/c.pem"},
        {"load", "https://127.0.0.1/", "-r5", "-k", "--ca-file=/ca.pem"},
        {"load", "http://127.0.0.1/", "-r5", "--source="},
        {"load", "http://127.0.0.1/", "-r5", "--source=1.2.3.4,"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        int argc = 0;
        struct load_adhoc a;
        struct base_error err;
        while (argc < 5 && lines[i][argc] != NULL)
            argc++;
        if (load_adhoc_parse(&a, argc, lines[i], &err))
            fail_msg("line %zu was accepted", i);
        assert_int_equal(err.code, BASE_INVALID);
        assert_true(strlen(err.message) > 10);
    }
}

static void test_tls_options(void **state)
{
    (void)state;
    static const char *const argv[] = {
        "load",     "https://127.0.0.1:9/p", "-r1", "--ca-file", "ca", "--cert", "c", "--key=k",
        "--source", "127.0.0.2,127.0.0.3"};
    struct load_adhoc a;
    struct base_error err;
    if (!load_adhoc_parse(&a, (int)(sizeof argv / sizeof *argv), argv, &err))
        fail_msg("%s", err.message);
    assert_string_equal(a.spec.tls.server_name, "127.0.0.1");
    assert_string_equal(a.spec.tls.ca_file, "ca");
    assert_string_equal(a.spec.tls.cert_file, "c");
    assert_string_equal(a.spec.tls.key_file, "k");
    assert_false(a.spec.tls.insecure);
    assert_int_equal(a.spec.source_count, 2);
    assert_string_equal(a.spec.sources[0], "127.0.0.2");
    assert_string_equal(a.spec.sources[1], "127.0.0.3");
    assert_string_equal(a.spec.host, "127.0.0.1:9");
    load_adhoc_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_users_and_databases),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_tls_options),
        cmocka_unit_test(test_wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
