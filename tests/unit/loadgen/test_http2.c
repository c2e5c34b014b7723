/* SPDX-License-Identifier: Apache-2.0 */
/* The engine for HTTP/2 as a worker sees it, with a peer at the other end of a real socket whose
 * frames are written out in hexadecimal. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "http2.h"

/* length, type, flags, stream, payload */
#define SETTINGS   "000000 04 00 00000000 "
#define AT_MOST(n) "000006 04 00 00000000 0003 " n " "
#define ANSWER(id) "000001 01 05 " id " 88 " /* :status 200 */
#define PING       "000008 06 00 00000000 0000000000000000 "
#define GOAWAY(id) "000008 07 00 00000000 " id " 00000000 "
#define ONE        "00000001"
#define THREE      "00000003"
#define FIVE       "00000005"
enum { STREAMS = 4 };

struct world {
    struct load_pool pool;
    struct load_spec spec;
    struct load_route route;
    struct load_address address;
    struct io_timer pulse; /* so that a turn of the loop always ends */
    char *conns;
    void *prepared;
    int listener;
    int peer;              /* -1: none */
    struct base_buf heard; /* by the peer */
    struct load_conn *ready[STREAMS];
    size_t ready_count;
    size_t ended;
    struct load_outcome outcomes[16];
    size_t refused;
    size_t blocked;
    size_t opened;
};

static struct load_conn *conn_of(struct world *w, size_t i)
{
    return (struct load_conn *)(void *)(w->conns + i * w->pool.driver->conn_size);
}

static void on_ready(void *ctx, struct load_conn *conn, int64_t now)
{
    struct world *w = ctx;
    (void)now;
    assert_true(w->ready_count < STREAMS);
    w->ready[w->ready_count++] = conn;
}

static void on_unready(void *ctx, struct load_conn *conn)
{
    struct world *w = ctx;
    size_t i = 0;
    while (i < w->ready_count && w->ready[i] != conn)
        i++;
    assert_true(i < w->ready_count);
    w->ready[i] = w->ready[--w->ready_count];
}

static void on_end(void *ctx, struct load_conn *conn, const struct load_outcome *outcome)
{
    struct world *w = ctx;
    (void)conn;
    w->outcomes[w->ended++] = *outcome;
}

static void on_refused(void *ctx)
{
    struct world *w = ctx;
    w->refused++;
}

static void on_blocked(void *ctx, int64_t ns)
{
    struct world *w = ctx;
    assert_true(ns > 0);
    w->blocked++;
}

static void on_opened(void *ctx, struct dur_ns connect, struct dur_ns tls)
{
    struct world *w = ctx;
    assert_true(connect.ns > 0 && tls.ns < 0);
    w->opened++;
}

static void on_pulse(void *ctx)
{
    struct world *w = ctx;
    io_timer_start(&w->pulse, base_dur_ms(5));
}

static void listen_here(struct world *w)
{
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&w->address.storage;
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    w->address.len = sizeof *in;
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)in, sizeof *in), 0);
    assert_int_equal(listen(w->listener, 16), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)in, &w->address.len), 0);
}

static struct world *begin(const char *body, int64_t limit_ms)
{
    static char host[] = "h", name[] = "r", get[] = "GET", post[] = "POST", path[] = "/";
    struct world *w = base_calloc(1, sizeof *w);
    w->route = (struct load_route){.name = name,
                                   .method = body == NULL ? get : post,
                                   .path = path,
                                   .body = base_str_dup(body),
                                   .weight = 1};
    w->spec = (struct load_spec){.host = host,
                                 .routes = &w->route,
                                 .route_count = 1,
                                 .target_count = 1,
                                 .connections = 1,
                                 .http2 = true,
                                 .streams = STREAMS};
    w->peer = -1;
    base_buf_init(&w->heard, (size_t)32 << 20);
    listen_here(w);
    w->pool = (struct load_pool){.driver = load_driver_of(&w->spec),
                                 .spec = &w->spec,
                                 .loop = io_loop_new(NULL),
                                 .connect_limit = base_dur_ms(limit_ms),
                                 .connections = 1,
                                 .ctx = w,
                                 .on_ready = on_ready,
                                 .on_unready = on_unready,
                                 .on_end = on_end,
                                 .on_refused = on_refused,
                                 .on_blocked = on_blocked,
                                 .on_opened = on_opened};
    base_rng_seed(&w->pool.rng, 1);
    assert_ptr_equal(w->pool.driver, &load_http2_driver);
    assert_true(w->pool.driver->prepare(&w->spec, &w->prepared, NULL));
    assert_true(w->pool.driver->pool_init(&w->pool, w->prepared, NULL));
    w->conns = base_calloc(STREAMS, w->pool.driver->conn_size);
    for (size_t i = 0; i < STREAMS; i++) {
        *conn_of(w, i) = (struct load_conn){.pool = &w->pool, .address = &w->address};
        w->pool.count++;
        w->pool.driver->init(conn_of(w, i));
    }
    io_timer_init(&w->pulse, w->pool.loop, on_pulse, w);
    on_pulse(w);
    for (size_t i = 0; i < STREAMS; i++)
        w->pool.driver->open(conn_of(w, i));
    return w;
}

static void finish(struct world *w)
{
    for (size_t i = 0; i < STREAMS; i++)
        w->pool.driver->fini(conn_of(w, i));
    w->pool.driver->fini(conn_of(w, 0)); /* twice does no harm */
    free(w->conns);
    w->pool.driver->pool_fini(&w->pool);
    w->pool.driver->discard(w->prepared);
    io_timer_fini(&w->pulse);
    io_loop_free(w->pool.loop);
    base_buf_fini(&w->heard);
    base_fd_close(&w->peer);
    base_fd_close(&w->listener);
    free(w->route.body);
    free(w);
}

/* A turn of both sides; what the peer is told is kept. */
static void turn(struct world *w, bool peer_reads)
{
    char bytes[65536];
    io_loop_run_once(w->pool.loop);
    if (w->peer < 0)
        w->peer = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
    for (ssize_t n;
         w->peer >= 0 && peer_reads && (n = recv(w->peer, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;)
        base_buf_append(&w->heard, bytes, (size_t)n);
}

#define UNTIL(w, condition)                                                                        \
    do {                                                                                           \
        int64_t end_ = base_mono_now().ns + 20 * BASE_NS_PER_S;                                    \
        while (!(condition)) {                                                                     \
            if (base_mono_now().ns > end_)                                                         \
                fail_msg("not in time: %s", #condition);                                           \
            turn(w, true);                                                                         \
        }                                                                                          \
    } while (0)

static int digit(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static void say(struct world *w, const char *hex)
{
    UNTIL(w, w->peer >= 0);
    for (; *hex != '\0'; hex++) {
        if (*hex == ' ')
            continue;
        char byte = (char)(digit(hex[0]) << 4 | digit(hex[1]));
        assert_int_equal(send(w->peer, &byte, 1, MSG_NOSIGNAL), 1);
        hex++;
    }
}

static bool has_heard(const struct world *w, const char *bytes, size_t len)
{
    return memmem(w->heard.data, w->heard.len, bytes, len) != NULL;
}

/* Sends on whatever is ready. */
static struct load_conn *ask(struct world *w, uint64_t number)
{
    assert_true(w->ready_count > 0);
    struct load_conn *conn = w->ready[0];
    memmove(w->ready, w->ready + 1, --w->ready_count * sizeof(void *));
    conn->due.number = number;
    conn->sent_at = base_mono_now().ns;
    w->pool.driver->send(conn);
    return conn;
}

/* A connection with so many requests under way, all of which the peer has read. */
static struct world *with_requests(size_t count)
{
    struct world *w = begin(NULL, 5000);
    say(w, SETTINGS);
    UNTIL(w, w->ready_count == STREAMS);
    for (size_t i = 0; i < count; i++)
        (void)ask(w, i);
    const char last[] = {1, 5, 0, 0, 0, (char)(2 * count - 1)};
    UNTIL(w, count == 0 || has_heard(w, last, sizeof last));
    return w;
}

static void test_requests_are_answered(void **state)
{
    (void)state;
    struct world *w = with_requests(2);
    assert_int_equal(w->pool.settled, STREAMS);
    assert_int_equal(w->pool.established, STREAMS);
    assert_int_equal(w->opened, 1);
    assert_int_equal(w->pool.streams.allowed, 0);
    say(w, ANSWER(THREE) "000001 01 05 " ONE " 8d ");
    UNTIL(w, w->ended == 2);
    assert_true(w->outcomes[0].answered && w->outcomes[0].ok);
    assert_true(w->outcomes[1].answered);
    assert_int_equal(w->outcomes[1].failure, LOAD_FAIL_HTTP_4XX);
    assert_int_equal(w->outcomes[0].bytes_in, 10);
    assert_true(w->outcomes[0].bytes_out > 9);
    assert_true(w->outcomes[0].first_at > 0 && w->outcomes[0].first_at <= w->outcomes[0].at);
    assert_int_equal(w->ready_count, STREAMS);
    assert_int_equal(w->blocked, 0);
    finish(w);
}

/* Four are asked for, two are allowed; then three, then one, then all. */
static void test_room_follows_the_peer(void **state)
{
    (void)state;
    struct world *w = begin(NULL, 5000);
    say(w, AT_MOST("00000002"));
    UNTIL(w, w->ready_count == 2);
    assert_int_equal(w->pool.settled, STREAMS);
    assert_int_equal(w->pool.streams.allowed, 2);
    (void)ask(w, 0);
    say(w, AT_MOST("00000003"));
    UNTIL(w, w->ready_count == 2);
    assert_int_equal(w->pool.streams.allowed, 2);
    say(w, AT_MOST("00000001"));
    UNTIL(w, w->ready_count == 0);
    assert_int_equal(w->pool.streams.allowed, 1);
    say(w, ANSWER(ONE));
    UNTIL(w, w->ready_count == 1);
    (void)ask(w, 1);
    say(w, AT_MOST("000000ff"));
    UNTIL(w, w->ready_count == STREAMS - 1);
    finish(w);
}

/* The third was not served; the others are answered before the connection is made anew. */
static void test_goaway(void **state)
{
    (void)state;
    struct world *w = with_requests(3);
    say(w, GOAWAY(THREE));
    UNTIL(w, w->ended == 1);
    assert_int_equal(w->outcomes[0].cause, LOAD_CAUSE_GOAWAY);
    assert_int_equal(w->outcomes[0].failure, LOAD_FAIL_RESET);
    assert_non_null(strstr(w->pool.whys[LOAD_CAUSE_GOAWAY], "NO_ERROR"));
    assert_int_equal(w->ready_count, 0);
    say(w, ANSWER(ONE));
    UNTIL(w, w->ended == 2);
    assert_true(w->outcomes[1].ok);
    assert_int_equal(w->ready_count, 0);
    say(w, ANSWER(THREE));
    UNTIL(w, w->ended == 3);
    base_fd_close(&w->peer);
    say(w, SETTINGS);
    UNTIL(w, w->ready_count == STREAMS);
    assert_int_equal(w->opened, 2);
    assert_int_equal(w->pool.streams.lost, 0);
    assert_int_equal(w->refused, 0);
    finish(w);
}

static void check_lost(struct world *w, size_t ended, enum load_cause cause)
{
    UNTIL(w, w->ended == ended + 3);
    for (size_t i = ended; i < ended + 3; i++) {
        assert_false(w->outcomes[i].answered);
        assert_int_equal(w->outcomes[i].cause, cause);
        assert_int_equal(w->outcomes[i].failure,
                         cause == LOAD_CAUSE_COUNT ? LOAD_FAIL_PROTOCOL : LOAD_FAIL_RESET);
    }
    assert_int_equal(w->pool.streams.lost, 1);
    assert_int_equal(w->pool.streams.most, 3);
    base_fd_close(&w->peer);
    say(w, SETTINGS); /* to the one that comes next */
    UNTIL(w, w->ready_count == STREAMS);
    assert_int_equal(w->opened, 2);
}

static void test_lost_with_requests_under_way(void **state)
{
    (void)state;
    static const struct linger hard = {.l_onoff = 1};
    struct world *w = with_requests(3);
    base_fd_close(&w->peer);
    check_lost(w, 0, LOAD_CAUSE_CLOSED);
    finish(w);
    w = with_requests(4);
    say(w, ANSWER(THREE)); /* it had answered: back at once */
    UNTIL(w, w->ended == 1);
    assert_int_equal(setsockopt(w->peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    base_fd_close(&w->peer);
    check_lost(w, 1, LOAD_CAUSE_RESET);
    finish(w);
    w = with_requests(3);
    say(w, "000003 00 01 " ONE " 616263 "); /* DATA without HEADERS */
    check_lost(w, 0, LOAD_CAUSE_COUNT);
    assert_true(w->pool.malformed[0] != '\0');
    finish(w);
}

static void test_lost_while_idle(void **state)
{
    (void)state;
    struct world *w = with_requests(0);
    base_fd_close(&w->peer);
    UNTIL(w, w->ready_count == 0);
    say(w, SETTINGS);
    UNTIL(w, w->ready_count == STREAMS);
    assert_int_equal(w->ended, 0);
    assert_int_equal(w->pool.refusals[LOAD_CAUSE_CONNECT_RESET].attempts, 1);
    finish(w);
}

static void test_single_streams_are_reset(void **state)
{
    (void)state;
    struct world *w = with_requests(2);
    say(w, "000004 03 00 " ONE " 00000007 000004 03 00 " THREE " 00000002 ");
    UNTIL(w, w->ended == 2);
    assert_int_equal(w->outcomes[0].cause, LOAD_CAUSE_REFUSED_STREAM);
    assert_int_equal(w->outcomes[1].cause, LOAD_CAUSE_STREAM_RESET);
    assert_string_equal(w->pool.whys[LOAD_CAUSE_STREAM_RESET], "INTERNAL_ERROR");
    assert_int_equal(w->ready_count, STREAMS); /* the connection is well */
    assert_int_equal(w->pool.streams.lost, 0);
    finish(w);
}

/* Only that stream is given up where the peer is alive, and it is told so. */
static void test_a_timeout_of_a_peer_that_lives(void **state)
{
    (void)state;
    struct world *w = begin(NULL, 5000);
    say(w, SETTINGS);
    UNTIL(w, w->ready_count == STREAMS);
    struct load_conn *first = ask(w, 0);
    (void)ask(w, 1);
    UNTIL(w, has_heard(w, "\1\5\0\0\0\3", 6));
    say(w, ANSWER(THREE));
    UNTIL(w, w->ended == 1);
    w->pool.driver->abort(first, base_mono_now().ns);
    assert_int_equal(w->ended, 2);
    assert_int_equal(w->outcomes[1].cause, LOAD_CAUSE_SILENT);
    assert_int_equal(w->ready_count, STREAMS - 1); /* it rests until the next turn */
    UNTIL(w, w->ready_count == STREAMS);
    UNTIL(w, has_heard(w, "\0\0\4\3\0\0\0\0\1\0\0\0\x8", 13));
    say(w, ANSWER(ONE) PING); /* too late for anybody */
    UNTIL(w, has_heard(w, "\0\0\x8\6\1\0\0\0\0", 9));
    assert_int_equal(w->ended, 2);
    assert_int_equal(w->opened, 1);
    finish(w);
}

/* Nothing came since the request was sent: it may be cut off, and no new requests are wasted on it.
 */
static void test_a_timeout_of_a_peer_that_may_be_dead(void **state)
{
    (void)state;
    struct world *w = begin(NULL, 5000);
    say(w, SETTINGS);
    UNTIL(w, w->ready_count == STREAMS);
    struct load_conn *first = ask(w, 0), *second = ask(w, 1);
    UNTIL(w, has_heard(w, "\1\5\0\0\0\3", 6));
    w->pool.driver->abort(first, base_mono_now().ns);
    assert_int_equal(w->ready_count, 0);
    say(w, "000001 01 04 " THREE " 88 "); /* the other's head */
    UNTIL(w, has_heard(w, "\0\0\4\3\0\0\0\0\1", 9));
    for (int i = 0; i < 3; i++)
        turn(w, true);
    assert_int_equal(w->ready_count, 0);
    w->pool.driver->abort(second, base_mono_now().ns);
    assert_int_equal(w->outcomes[1].cause, LOAD_CAUSE_STALLED);
    base_fd_close(&w->peer);
    say(w, SETTINGS);
    UNTIL(w, w->ready_count == STREAMS);
    assert_int_equal(w->opened, 2);
    assert_int_equal(w->ended, 2);
    finish(w);
}

static void test_what_is_no_http2(void **state)
{
    (void)state;
    static const struct {
        const char *words; /* NULL: it hangs up */
        enum load_cause cause;
    } table[] = {
        {"485454502f312e31203430302042616420526571756573740d0a0d0a ", LOAD_CAUSE_NOT_HTTP2},
        {ANSWER(ONE), LOAD_CAUSE_NOT_HTTP2},
        {NULL, LOAD_CAUSE_CONNECT_RESET},
        {"", LOAD_CAUSE_CONNECT_TIMEOUT},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct world *w = begin(NULL, 100);
        UNTIL(w, w->peer >= 0);
        if (table[i].words == NULL)
            base_fd_close(&w->peer);
        else
            say(w, table[i].words);
        UNTIL(w, w->refused > 0);
        assert_int_equal(w->pool.refusal, table[i].cause);
        assert_true(load_pool_is_down(&w->pool));
        assert_int_equal(w->pool.established, 0);
        assert_int_equal(w->opened, 0);
        finish(w);
    }
}

/* Each request of a turn has bytes of its own for its fields. */
static void test_fields_of_requests_of_one_turn(void **state)
{
    (void)state;
    struct world *w = begin("n={{seq}};", 5000);
    say(w, SETTINGS);
    UNTIL(w, w->ready_count == STREAMS);
    for (uint64_t i = 0; i < STREAMS; i++)
        (void)ask(w, 7 + i);
    UNTIL(w, has_heard(w, "n=000000000010;", 15));
    assert_true(has_heard(w, "n=000000000007;", 15) && has_heard(w, "n=000000000008;", 15) &&
                has_heard(w, "n=000000000009;", 15));
    finish(w);
}

/* The windows are open, but the peer does not read: the kernel takes no more, and says so. */
static void test_held_up_by_the_kernel(void **state)
{
    (void)state;
    enum { SIZE = 8 << 20 };
    char *body = base_calloc(SIZE + 1, 1);
    memset(body, 'x', SIZE);
    struct world *w = begin(body, 5000);
    free(body);
    say(w, "000006 04 00 00000000 0004 7fffffff 000004 08 00 00000000 7fff0000 ");
    UNTIL(w, w->ready_count == STREAMS);
    (void)ask(w, 0);
    for (int i = 0; i < 5; i++)
        turn(w, false);
    assert_int_equal(w->blocked, 0);
    UNTIL(w, w->blocked == 1);
    UNTIL(w, w->heard.len > SIZE);
    say(w, ANSWER(ONE));
    UNTIL(w, w->ended == 1);
    assert_true(w->outcomes[0].ok);
    assert_true(w->outcomes[0].bytes_out > SIZE);
    finish(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_are_answered),
        cmocka_unit_test(test_room_follows_the_peer),
        cmocka_unit_test(test_goaway),
        cmocka_unit_test(test_lost_with_requests_under_way),
        cmocka_unit_test(test_lost_while_idle),
        cmocka_unit_test(test_single_streams_are_reset),
        cmocka_unit_test(test_a_timeout_of_a_peer_that_lives),
        cmocka_unit_test(test_a_timeout_of_a_peer_that_may_be_dead),
        cmocka_unit_test(test_what_is_no_http2),
        cmocka_unit_test(test_fields_of_requests_of_one_turn),
        cmocka_unit_test(test_held_up_by_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
