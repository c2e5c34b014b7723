/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "http2.h"
#include "loadgen/adhoc.h"

enum { WORDS = 12 };
#define URL "http://127.0.0.1:8080/a?b=c"

static int count_words(const char *const *words)
{
    int n = 0;
    while (n < WORDS && words[n] != NULL)
        n++;
    return n;
}

static struct load_adhoc parse(const char *const *words)
{
    struct load_adhoc adhoc = {0};
    struct base_error err = {.code = BASE_OK};
    if (!load_adhoc_parse(&adhoc, count_words(words), words, &err))
        fail_msg("%s", err.message);
    return adhoc;
}

static void expect_refused(const char *const *words, const char *told)
{
    struct load_adhoc adhoc = {0};
    struct base_error err = {.code = BASE_OK};
    if (load_adhoc_parse(&adhoc, count_words(words), words, &err))
        fail_msg("accepted: %s", words[1]);
    assert_int_equal(err.code, BASE_INVALID);
    if (strstr(err.message, told) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.message, told);
    assert_null(adhoc.url);
}

/* Each line asks for the same: 50/s, 4 connections, 2 threads, 90 s, timeout 3 s, PUT. */
static void test_one_load_in_many_words(void **state)
{
    (void)state;
    static const char *const lines[][WORDS] = {
        {"load", URL, "-r50", "-c4", "-t2", "-d90", "--timeout", "3", "-mPUT"},
        {"load", "-t2", "-c", "4", "-d1.5m", "-R50", "-T3s", "--latency", "-XPUT", URL},
        {"load", "-z90s", "-c4", "-t2", "-r50", "-T", "3", "-m", "PUT", URL},
        {"load", "-rate=50/1s", "-duration=90s", "-connections=4", "-timeout=3s", "-threads=2",
         "-method=PUT", URL},
        {"load", "-rate", "3k/m", "-duration", "90s", "--connections=4", "-timeout", "3s", "-t2",
         "--method=PUT", URL},
        {"load", "-L", "-r", "25/500ms", "-d", "90", "-c4", "--threads=2", "-T3", "-X", "PUT", URL},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct load_adhoc adhoc = parse(lines[i]);
        assert_true(adhoc.spec.rate == 50);
        assert_int_equal(adhoc.spec.connections, 4);
        assert_int_equal(adhoc.spec.threads, 2);
        assert_true(adhoc.spec.duration.ns == 90 * BASE_NS_PER_S);
        assert_true(adhoc.spec.timeout.ns == 3 * BASE_NS_PER_S);
        assert_string_equal(adhoc.spec.routes[0].method, "PUT");
        assert_string_equal(adhoc.spec.routes[0].path, "/a?b=c");
        assert_string_equal(adhoc.spec.host, "127.0.0.1:8080");
        load_adhoc_fini(&adhoc);
    }
}

static void test_headers_and_bodies(void **state)
{
    (void)state;
    static const char *const plain[WORDS] = {"load", URL,  "-r5", "-H",
                                             "A: b", "-b", "=x",  "-header=C: d"};
    struct load_adhoc adhoc = parse(plain);
    const struct load_route *route = &adhoc.spec.routes[0];
    assert_int_equal(route->header_count, 2);
    assert_string_equal(route->headers[0], "A: b");
    assert_string_equal(route->headers[1], "C: d");
    assert_string_equal(route->body, "=x");
    assert_string_equal(route->method, "POST");
    load_adhoc_fini(&adhoc);
    char path[] = "/tmp/squall-adhoc-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "{}\n", 3) == 3);
    const char *const file[WORDS] = {"load", URL, "-r5", "-D", path};
    adhoc = parse(file);
    assert_string_equal(adhoc.spec.routes[0].body_file, path);
    assert_string_equal(adhoc.spec.routes[0].method, "POST");
    load_adhoc_fini(&adhoc);
    const char *const shared[WORDS] = {"load",      URL, "-r5",     "-D",         path,
                                       "--workers", "2", "--redis", "localhost:1"};
    adhoc = parse(shared);
    assert_string_equal(adhoc.spec.routes[0].body, "{}\n");
    assert_null(adhoc.spec.routes[0].body_file);
    load_adhoc_fini(&adhoc);
    const char *const both[WORDS] = {"load", URL, "-r5", "-D", path, "-b", "x"};
    expect_refused(both, "exclude each other");
    assert_true(write(fd, "\0", 1) == 1);
    expect_refused(shared, "not text");
    (void)close(fd);
    (void)unlink(path);
    expect_refused(shared, path);
}

/* Whole words that begin with the letter of another option of ours. */
static void test_words_of_others(void **state)
{
    (void)state;
    const char *const vegeta[WORDS] = {"load",
                                       "https://127.0.0.1/",
                                       "-rate=5/1s",
                                       "-root-certs=/ca",
                                       "-laddr=127.0.0.2",
                                       "-h2c",
                                       "-insecure=false",
                                       "-prometheus-addr=127.0.0.1:9"};
    struct load_adhoc adhoc = parse(vegeta);
    assert_string_equal(adhoc.spec.tls.ca_file, "/ca");
    assert_string_equal(adhoc.spec.sources[0], "127.0.0.2");
    assert_true(adhoc.spec.http2);
    assert_false(adhoc.spec.tls.insecure);
    assert_int_equal(adhoc.metrics_port, 9);
    load_adhoc_fini(&adhoc);
    const char *const others[WORDS] = {"load", "https://127.0.0.1/", "-r5", "-h2",
                                       "-insecure=true"};
    adhoc = parse(others);
    assert_true(adhoc.spec.http2 && adhoc.spec.tls.insecure);
    load_adhoc_fini(&adhoc);
}

static void test_other_ways(void **state)
{
    (void)state;
    const char *const through[WORDS] = {
        "load",    "https://no.such.name:444/a", "-r5", "-x", "http://p:3128",
        "--http2", "--max-concurrent-streams=7"};
    struct load_adhoc adhoc = parse(through);
    assert_string_equal(adhoc.spec.proxy, "http://p:3128");
    assert_true(adhoc.spec.http2);
    assert_int_equal(adhoc.spec.streams, 7);
    assert_int_equal(adhoc.spec.target_count, 1);
    assert_string_equal(adhoc.spec.targets[0].address, "no.such.name");
    assert_int_equal(adhoc.spec.targets[0].port, 444);
    assert_int_equal(adhoc.spec.engine, LOAD_ENGINE_AUTO);
    assert_true(load_spec_needs_curl(&adhoc.spec));
    load_adhoc_fini(&adhoc);
    const char *const local[WORDS] = {"load", "http://no.such.name/", "-r5", "--unix-socket", "/s"};
    adhoc = parse(local);
    assert_string_equal(adhoc.spec.unix_socket, "/s");
    assert_string_equal(adhoc.spec.targets[0].address, "no.such.name");
    load_adhoc_fini(&adhoc);
    const char *const chosen[WORDS] = {"load", URL, "-r5", "--engine", "curl"};
    adhoc = parse(chosen);
    assert_true(load_spec_needs_curl(&adhoc.spec));
    assert_string_equal(adhoc.spec.targets[0].address, "127.0.0.1");
    load_adhoc_fini(&adhoc);
    const char *const http2[WORDS] = {"load", URL, "-r5", "--http2", "--streams", "3"};
    adhoc = parse(http2);
    assert_false(load_spec_needs_curl(&adhoc.spec));
    assert_string_equal(adhoc.spec.targets[0].address, "127.0.0.1");
    assert_ptr_equal(load_driver_of(&adhoc.spec), &load_http2_driver);
    load_adhoc_fini(&adhoc);
    const char *const redis[WORDS] = {"load", "redis://127.0.0.1", "-r5"};
    adhoc = parse(redis);
    assert_int_equal(adhoc.spec.protocol, LOAD_SPEECH_REDIS);
    assert_int_equal(adhoc.spec.targets[0].port, 6379);
    assert_string_equal(adhoc.spec.routes[0].body, "PING");
    load_adhoc_fini(&adhoc);
    const char *const plain[WORDS] = {"load", URL, "-r5"};
    adhoc = parse(plain);
    assert_false(load_spec_needs_curl(&adhoc.spec));
    load_adhoc_fini(&adhoc);
}

static void test_refuses_with_a_hint(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS];
        const char *told;
    } cases[] = {
        {{"load", URL, "-r5", "-s", "x.lua"}, "no scripts"},
        {{"load", URL, "-r5", "--script=x.lua"}, "no scripts"},
        {{"load", URL, "-r5", "-n", "1000"}, "--users N --iterations"},
        {{"load", URL, "-r5", "-name=x"}, "no name of its own"},
        {{"load", URL, "-r5", "-keepalive=false"}, "Connection: close"},
        {{"load", URL, "-r5", "-redirects=0"}, "not followed"},
        {{"load", URL, "-r5", "-output=x"}, "--hlog"},
        {{"load", URL, "-r5", "-host", "x"}, "Host: NAME"},
        {{"load", URL, "-r5", "-v"}, "squall --version"},
        {{"load", URL, "-resolvers=x"}, "was read as -r \"esolvers=x\""},
        {{"load", URL, "-r5", "--prometheus", ":9"}, "ADDR:PORT"},
        {{"load", URL, "-r5", "-insecure=maybe"}, "takes no value"},
        {{"load", URL, "-r5", "--hlog", ""}, "--hlog FILE"},
        {{"load", URL, "-r5", "--hlog", "-"}, "--hlog FILE"},
        {{"load", URL, "-r5", "--hgrm", "-"}, "--hgrm FILE"},
        {{"load", URL, "-r5", "--csv", ""}, "--csv FILE"},
        {{"load", "--merge", "a.hlog", "-o", "-"}, "--out FILE"},
        {{"load", URL, "-r5", "--hlog", "a", "--csv", "a"}, "--hlog and --csv name one file"},
        {{"load", URL, "-r5", "--hgrm", "a", "--csv", "a"}, "--hgrm and --csv name one file"},
        {{"load", URL, "-r5", "-body", "file"}, "--body-file"},
        {{"load", URL, "-r5", "-workers=3"}, "-c N"},
        {{"load", URL, "-r5", "--durations", "3"}, "did you mean --duration?"},
        {{"load", URL, "-r5", "--conections=3"}, "did you mean --connections?"},
        {{"load", URL, "-r5", "--frobnicate"}, "\"--frobnicate\" is unknown"},
        {{"load", URL, "-r5", "-Z"}, "\"-Z\" is unknown"},
        {{"load", URL, "-r5", "-H", "no colon"}, "--header"},
        {{"load", URL, "-r5/0s"}, "--rate"},
        {{"load", URL, "-r/1s"}, "--rate"},
        {{"load", URL, "-r-5/1s"}, "--rate"},
        {{"load", URL, "-d", "90x", "-r5"}, "--duration"},
        {{"load", URL, "-d"}, "needs a value"},
        {{"load", URL, "--latency=1"}, "takes no value"},
        {{"load", URL}, "a rate is needed"},
        {{"load", "-r5"}, "a URL is needed"},
        {{"load", URL, URL, "-r5"}, "a second"},
        {{"load", "redis://127.0.0.1", "-r5", "-m", "GET"}, "is for HTTP"},
        {{"load", "http://127.0.0.1", "-r5", "--until", ";"}, "for plain TCP alone"},
        {{"load", "tcp://127.0.0.1:1", "-r5", "-b", "x", "--until", ";", "--answer-bytes", "3"},
         "give one of them"},
        {{"load", "tcp://127.0.0.1:1", "-r5", "-b", "x", "--answer-bytes", "0"}, "--answer-bytes"},
        {{"load", "redis://127.0.0.1", "-r5", "--engine", "curl"}, "are for HTTP"},
        {{"load", "postgres://127.0.0.1", "-r5"}, "a statement is needed"},
        {{"load", "postgres://127.0.0.1", "-r5", "--query", ""}, "--query"},
        {{"load", "postgres://127.0.0.1", "-r5", "--query", "x", "--source", "127.0.0.1"},
         "the kernel's choice"},
        {{"load", "postgres://127.0.0.1", "-r5", "--query", "x", "--pipeline", "1001"},
         "--pipeline"},
        {{"load", "postgres://127.0.0.1", "-r5", "--query", "x", "--pipeline", "0"}, "--pipeline"},
        {{"load", "postgres://127.0.0.1", "-r5", "--query", "x", "--engine", "curl"},
         "are for HTTP"},
        {{"load", URL, "-r5", "--publish", "k"}, "RabbitMQ's"},
        {{"load", URL, "-r5", "--password-file", "f"}, "for PostgreSQL and RabbitMQ"},
        {{"load", "amqp://127.0.0.1", "-r5", "--get", ""}, "--get"},
        {{"load", "amqp://127.0.0.1", "-r5", "--get", "q", "-m", "GET"}, "for HTTP"},
        {{"load", URL, "-r5", "--query", "x"}, "needs a postgres:// URL"},
        {{"load", URL, "-r5", "--param", "x"}, "are for statements"},
        {{"load", "tcp://127.0.0.1:1", "-r5", "-b", "x", "--pipeline", "2"}, "whose"},
        {{"load", "https://127.0.0.1", "-r5", "--http2", "--pipeline", "2"}, "has streams"},
        {{"load", URL, "-r5", "--engine", "fast"}, "native or curl"},
        {{"load", URL, "-r5", "--engine", "auto"}, "native or curl"},
        {{"load", URL, "-r5", "--http2", "-x", "https://p:1"}, "over TLS only"},
        {{"load", URL, "-r5", "--streams", "1001"}, "--streams"},
        {{"load", URL, "-r5", "--streams", "4"}, "only HTTP/2"},
        {{"load", URL, "-r5", "--engine", "native", "-x", "http://p:1"}, "choose \"curl\""},
        {{"load", URL, "-r5", "--unix-socket", "/s", "-x", "http://p:1"}, "exclude each other"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refused(cases[i].words, cases[i].told);
}

static void test_help_names_every_word(void **state)
{
    (void)state;
    static const char *const told[] = {"-r --rate RATE",     "-b --body TEXT",
                                       "--body-file FILE",   "-R is --rate (wrk2)",
                                       "-T is --timeout",    "-X is --method (curl)",
                                       "-d is the duration", "--u_latency is --latency"};
    struct base_buf help;
    base_buf_init(&help, 1 << 16);
    assert_true(load_adhoc_usage(&help));
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (strstr(help.data, told[i]) == NULL)
            fail_msg("the help does not say \"%s\":\n%s", told[i], help.data);
    base_buf_fini(&help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_load_in_many_words),
        cmocka_unit_test(test_headers_and_bodies),
        cmocka_unit_test(test_refuses_with_a_hint),
        cmocka_unit_test(test_words_of_others),
        cmocka_unit_test(test_other_ways),
        cmocka_unit_test(test_help_names_every_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
