/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelining over HTTP/1.1 and Redis, with peers that answer more, less or something else. */
#include "peer.h"

#include <stdio.h>

#include "protocol.h"
#include "stream.h"

static char name[] = "r", get[] = "GET", head_method[] = "HEAD", path[] = "/{{seq}}", host[] = "h",
            ping[] = "PING";

#define OK_     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
#define NONE    "HTTP/1.1 204 No Content\r\n\r\n"
#define EMPTY   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define FAILED  "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"
#define LAST    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
#define UNTIL   "HTTP/1.1 200 OK\r\n\r\nuntil the end"
#define SWITCH  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"
#define EARLY   "HTTP/1.1 103 Early Hints\r\n\r\n"
#define LONG    "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"

/* What becomes of four requests that are under way, in the order in which they end: the number of
 * each and a sign (peer_fates). */
struct fate {
    const char *says;
    size_t len;
    bool closes;
    const char *outcomes;
};
#define SAYS(text, closes, outcomes)                                                               \
    {                                                                                              \
        text, sizeof(text) - 1, closes, outcomes                                                   \
    }

static const struct fate over_http[] = {
    SAYS(OK_ OK_ OK_ OK_, false, "0+1+2+3+"),
    SAYS(CHUNKED NONE OK_ EMPTY, false, "0+1+2+3+"),
    SAYS(OK_ FAILED OK_ OK_, false, "0+1-2+3+"),
    SAYS(EARLY OK_ EARLY EARLY OK_ OK_ OK_, false, "0+1+2+3+"),
    SAYS(OK_ LAST, false, "0+1+2~3~"),
    SAYS(OK_ LAST OK_ OK_, false, "0+1+2~3~"), /* which the server should not have sent */
    SAYS(LAST, true, "0+1~2~3~"),
    SAYS(OK_ UNTIL, true, "0+1+2~3~"),
    SAYS(OK_, true, "0+1.2~3~"),
    SAYS(OK_ LONG "half", true, "0+1.2~3~"),
    SAYS(OK_ "HTTP/1.1 2", true, "0+1.2~3~"),
    SAYS(OK_ "garbage\r\n\r\n", false, "0+1!2~3~"),
    SAYS(OK_ OK_ "x" OK_ OK_, false, "0+1+2!3~"),
    SAYS(OK_ SWITCH, false, "0+1!2~3~"),
    SAYS("\r\n" OK_ OK_ OK_ OK_, false, "0!1~2~3~"),
};

static const struct fate over_head[] = {
    SAYS(EMPTY EMPTY EMPTY EMPTY, false, "0+1+2+3+"),
    SAYS(LONG LONG LONG LONG, false, "0+1+2+3+"), /* a HEAD's response has no body */
    SAYS(LONG OK_ LONG LONG, false, "0+1+2!3~"),
};

static const struct fate over_redis[] = {
    SAYS("+OK\r\n:1\r\n$-1\r\n+OK\r\n", false, "0+1+2+3+"),
    SAYS("*2\r\n:1\r\n$2\r\nab\r\n-ERR no\r\n$0\r\n\r\n*0\r\n", false, "0+1-2+3+"),
    SAYS("+OK\r\n-ERR no\r\n+OK\r\n", true, "0+1-2+3."),
    SAYS("+OK\r\n$5\r\nab", true, "0+1.2~3~"),
    SAYS("+OK\r\nHTTP/1.1 400\r\n", false, "0+1!2~3~"),
    SAYS("+", true, "0.1~2~3~"),
};

static void expect(const struct load_driver *driver, const struct load_spec *spec,
                   const struct peer_step *steps, size_t count, const struct fate *fate)
{
    struct peer_run run;
    char got[2 * PEER_REQUESTS + 1];
    peer_run(&run, driver, spec, 4, steps, count, fate->closes);
    peer_fates(&run, got);
    if (strcmp(got, fate->outcomes) != 0)
        fail_msg("%s, expected %s after \"%s\"", got, fate->outcomes, fate->says);
    peer_end(&run);
}

/* In one piece, and byte by byte. */
static void expect_all(const struct load_driver *driver, const struct load_spec *spec,
                       const struct fate *fates, size_t count)
{
    enum { MOST = 512 };
    for (size_t i = 0; i < count; i++) {
        struct peer_step steps[MOST];
        steps[0] = (struct peer_step){1, fates[i].says, fates[i].len};
        expect(driver, spec, steps, 1, &fates[i]);
        assert_true(fates[i].len <= MOST);
        for (size_t k = 0; k < fates[i].len; k++)
            steps[k] = (struct peer_step){k == 0, fates[i].says + k, 1};
        expect(driver, spec, steps, fates[i].len, &fates[i]);
    }
}

static void test_http(void **state)
{
    (void)state;
    struct load_route route = {.name = name, .method = get, .path = path};
    const struct load_spec spec = {.routes = &route, .route_count = 1, .pipeline = 4, .host = host};
    expect_all(&load_http1_fifo_driver, &spec, over_http, sizeof over_http / sizeof *over_http);
    route.method = head_method;
    expect_all(&load_http1_fifo_driver, &spec, over_head, sizeof over_head / sizeof *over_head);
}

static void test_redis(void **state)
{
    (void)state;
    struct load_route route = {.name = name, .body = ping};
    const struct load_spec spec = {.routes = &route, .route_count = 1, .pipeline = 4};
    expect_all(&load_redis_fifo_driver, &spec, over_redis, sizeof over_redis / sizeof *over_redis);
}

/* Eight requests on four places: those that follow go out as responses come, in their order, each
 * with its own number. */
static void test_requests_follow_responses(void **state)
{
    (void)state;
    struct load_route route = {.name = name, .method = get, .path = path};
    const struct load_spec spec = {.routes = &route, .route_count = 1, .pipeline = 4, .host = host};
    const struct peer_step steps[] = {PEER_SAYS(1, OK_ OK_ OK_), PEER_SAYS(1, OK_ OK_),
                                      PEER_SAYS(1, OK_ OK_ OK_)};
    struct peer_run run;
    peer_run(&run, &load_http1_fifo_driver, &spec, 8, steps, 3, false);
    assert_int_equal(run.ended, 8);
    peer_end(&run);
    const char *at = run.peer.seen;
    for (unsigned i = 0; i < 8; i++) {
        char line[40];
        assert_true(run.outcomes[i].ok);
        assert_int_equal(run.numbers[i], i);
        assert_int_equal(run.outcomes[i].bytes_in, sizeof OK_ - 1);
        (void)snprintf(line, sizeof line, "GET /%012u HTTP/1.1\r\n", i);
        at = strstr(at, line);
        assert_non_null(at);
    }
}

static void test_more_than_was_asked_for(void **state)
{
    (void)state;
    struct load_route route = {.name = name, .body = ping};
    const struct load_spec spec = {.routes = &route, .route_count = 1, .pipeline = 2};
    const struct peer_step steps[] = {PEER_SAYS(1, "+OK\r\n+OK\r\n+OK\r\n")};
    struct peer_run run;
    peer_run(&run, &load_redis_fifo_driver, &spec, 2, steps, 1, false);
    assert_int_equal(run.ended, 2);
    assert_true(run.outcomes[0].ok && run.outcomes[1].ok);
    assert_int_equal(run.outcomes[0].bytes_in + run.outcomes[1].bytes_in, 10);
    assert_string_equal(run.pool.malformed, LOAD_MORE_THAN_ASKED);
    assert_int_equal(run.pool.established, 0); /* such a connection is not to be trusted */
    peer_end(&run);
}

static void test_what_cannot_be_pipelined(void **state)
{
    (void)state;
    char close_line[] = "connection: close", upgrade[] = "Upgrade: h2c", fine[] = "A: Upgrade: x";
    char file[] = "/dev/null";
    char *lines[] = {close_line, upgrade, fine};
    for (size_t i = 0; i < 4; i++) {
        struct load_route route = {.name = name, .method = get, .path = path};
        route.headers = i < 3 ? &lines[i] : NULL;
        route.header_count = i < 3;
        route.body_file = i == 3 ? file : NULL;
        const struct load_spec spec = {
            .routes = &route, .route_count = 1, .pipeline = 4, .host = host};
        struct base_error err = {.code = BASE_OK};
        void *prepared = NULL;
        bool good = load_http1_fifo_driver.prepare(&spec, &prepared, &err);
        assert_int_equal(good, i == 2);
        assert_int_equal(err.code, good ? BASE_OK : BASE_INVALID);
        load_http1_fifo_driver.discard(prepared);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_redis),
        cmocka_unit_test(test_requests_follow_responses),
        cmocka_unit_test(test_more_than_was_asked_for),
        cmocka_unit_test(test_what_cannot_be_pipelined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
