/* SPDX-License-Identifier: Apache-2.0 */
/* The RabbitMQ engine and brokers that say what they should not. */
#include "peer.h"

#include <stdio.h>

#include "rabbit.h"

#define START                                                                                      \
    "\x01\0\0\0\0\0\x1c\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05"                        \
    "en_US\xce"
#define FOREIGN                                                                                    \
    "\x01\0\0\0\0\0\x1c\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x05XOLMX\0\0\0\x05"                        \
    "en_US\xce"
#define TUNE   "\x01\0\0\0\0\0\x0c\0\x0a\0\x1e\x07\xff\0\x02\0\0\0\x3c\xce"
#define NARROW "\x01\0\0\0\0\0\x0c\0\x0a\0\x1e\x07\xff\0\0\x10\0\0\x3c\xce" /* frames of 4096 */
#define OPENED "\x01\0\0\0\0\0\x05\0\x0a\0\x29\0\xce"
#define AGREED                                                                                     \
    OPENED "\x01\0\x01\0\0\0\x08\0\x14\0\x0b\0\0\0\0\xce"                                          \
           "\x01\0\x01\0\0\0\x04\0\x55\0\x0b\xce"
#define TAGGED(method, tag, bits)                                                                  \
    "\x01\0\x01\0\0\0\x0d\0\x3c\0" method "\0\0\0\0\0\0\0" tag bits "\xce"
#define ACK(tag)       TAGGED("\x50", tag, "\0")
#define ACK_TO(tag)    TAGGED("\x50", tag, "\x01")
#define NACK(tag)      TAGGED("\x78", tag, "\0")
#define RETURN         "\x01\0\x01\0\0\0\x12\0\x3c\0\x32\x01\x38\x08NO_ROUTE\0\x01k\xce"
#define ABOUT(id)      "\x02\0\x01\0\0\0\x20\0\x3c\0\0\0\0\0\0\0\0\0\x01\x10\x80\x01\x10" id "\xce"
#define BODY           "\x03\0\x01\0\0\0\x01x\xce"
#define RETURNED(last) RETURN ABOUT("000000000000000" last) BODY
#define GET_OK         "\x01\0\x01\0\0\0\x13\0\x3c\0\x47\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\xce"
#define GET_EMPTY      "\x01\0\x01\0\0\0\x05\0\x3c\0\x48\0\xce"
#define CLOSED(class)  "\x01\0\x01\0\0\0\x14" class "\x01\x94\x09NOT_FOUND\0\0\0\0\xce"

#define DELIVER(tag, again)                                                                        \
    "\x01\0\x01\0\0\0\x12\0\x3c\0\x3c\x01"                                                         \
    "c\0\0\0\0\0\0\0" tag again "\0\x01q\xce"
#define ABOUT_LONG(life, last)                                                                     \
    "\x02\0\x01\0\0\0\x30\0\x3c\0\0\0\0\0\0\0\0\0\x01\x10\x80\x01\x20" life "000000000000000" last \
    "\xce"
#define OURS(last)           ABOUT_LONG(PEER_GAP, last)
#define DELIVERED(tag, last) DELIVER(tag, "\0") OURS(last) BODY
#define CANCEL                                                                                     \
    "\x01\0\x01\0\0\0\x07\0\x3c\0\x1e\x01"                                                         \
    "c\x01\xce"
#define BLOCKED "\x01\0\0\0\0\0\x10\0\x0a\0\x3c\x0blow on disk\xce"

static char name[] = "r", key[] = "k", queue[] = "q";

/* What becomes of three messages that are under way, in the order in which they end: the number of
 * each and a sign (peer_fates). */
static const struct {
    const char *says;
    size_t len;
    bool closes;
    const char *outcomes;
} cases[] = {
#define SAYS(text, closes, outcomes)                                                               \
    {                                                                                              \
        text, sizeof(text) - 1, closes, outcomes                                                   \
    }
    SAYS(ACK("\x01") ACK("\x02") ACK("\x03"), false, "0+1+2+"),
    SAYS(ACK("\x02") ACK("\x01") ACK("\x03"), false, "1+0+2+"),
    SAYS(ACK_TO("\x03"), false, "0+1+2+"),
    SAYS(ACK_TO("\0"), false, "0+1+2+"),
    SAYS(NACK("\x02") ACK_TO("\x03"), false, "1-0+2+"),
    SAYS(TAGGED("\x78", "\x03", "\x01"), false, "0-1-2-"),
    SAYS(RETURNED("2") ACK_TO("\x03"), false, "0+1-2+"),
    SAYS(RETURNED("2") ACK("\x03") ACK("\x02") ACK("\x01"), false, "2+1-0+"),
    SAYS("\x08\0\0\0\0\0\0\xce" ACK_TO("\x03"), false, "0+1+2+"), /* a heartbeat */
    SAYS(ACK("\x04"), false, "0!1~2~"),
    SAYS(ACK_TO("\x04"), false, "0!1~2~"),
    SAYS(ACK("\0"), false, "0!1~2~"),
    SAYS(ACK("\x01") ACK("\x01"), false, "0+1!2~"),
    SAYS(RETURNED("9"), false, "0!1~2~"),
    SAYS(RETURN ABOUT("not-an-id-of-ours") BODY, false, "0!1~2~"),
    SAYS(RETURN ACK("\x01"), false, "0!1~2~"),
    SAYS(RETURN BODY, false, "0!1~2~"),
    SAYS(RETURN ABOUT("0000000000000001") BODY BODY, false, "0!1~2~"),
    SAYS(BODY, false, "0!1~2~"),
    SAYS(DELIVERED("\x01", "1"), false, "0!1~2~"), /* nobody consumes */
    SAYS(GET_OK, false, "0!1~2~"),
    SAYS(GET_EMPTY, false, "0!1~2~"),
    SAYS(TUNE, false, "0!1~2~"),
    SAYS("HTTP/1.1 400 Bad Request\r\n\r\n", false, "0!1~2~"),
    SAYS("\x01\0\x01\0\0\0\x02\0\x3c\xce", false, "0!1~2~"),
    SAYS("\x01\0\x01\0\0\0\x05\0\x3c\0\x50\x01\xce", false, "0!1~2~"), /* an ack cut short */
    SAYS("\x01\0\x01\0\0\0\x0d\0\x3c\0\x50\0\0\0\0\0\0\0\x01\0\xcf", false, "0!1~2~"),
    SAYS(CLOSED("\0\x14\0\x28"), false, "0-1~2~"),
    SAYS(ACK("\x01") CLOSED("\0\x0a\0\x32"), false, "0+1-2~"),
    SAYS(ACK("\x02"), true, "1+0.2~"),
    SAYS("\x01\0", true, "0.1~2~"),
};

static struct load_route publishes(char *body)
{
    return (struct load_route){.name = name, .key = key, .body = body};
}

static void test_what_becomes_of_messages(void **state)
{
    (void)state;
    char body[] = "x";
    struct load_route route = publishes(body);
    const struct load_spec spec = {.routes = &route, .route_count = 1, .pipeline = 3};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct peer_step steps[] = {
            PEER_SAYS(8, START),
            PEER_SAYS(1, TUNE),
            PEER_SAYS(1, AGREED),
            {1, cases[i].says, cases[i].len},
        };
        struct peer_run run;
        char got[2 * PEER_REQUESTS + 1];
        peer_run(&run, &load_amqp_driver, &spec, 3, steps, 4, cases[i].closes);
        peer_fates(&run, got);
        if (strcmp(got, cases[i].outcomes) != 0)
            fail_msg("case %zu: %s, expected %s", i, got, cases[i].outcomes);
        peer_end(&run);
    }
}

static void test_brokers_that_cannot_be_greeted(void **state)
{
    (void)state;
    char body[5000] = {0};
    memset(body, 'x', sizeof body - 1);
    struct load_route route = publishes(body);
    const struct load_spec spec = {.routes = &route, .route_count = 1};
    static const struct {
        struct peer_step steps[3];
        size_t count;
        enum load_cause cause;
        const char *told;
    } table[] = {
        {{PEER_SAYS(8, "AMQP\0\0\x09\x01")}, 1, LOAD_CAUSE_SESSION, "not AMQP 0-9-1"},
        {{PEER_SAYS(8, "HTTP/1.1 400 Bad\r\n")}, 1, LOAD_CAUSE_SESSION, "not AMQP 0-9-1"},
        {{PEER_SAYS(8, FOREIGN)}, 1, LOAD_CAUSE_SESSION, "PLAIN"},
        {{PEER_SAYS(8, TUNE)}, 1, LOAD_CAUSE_SESSION, "does not belong"},
        {{PEER_SAYS(8, START), PEER_SAYS(1, OPENED)}, 2, LOAD_CAUSE_SESSION, "does not belong"},
        {{PEER_SAYS(8, START), PEER_SAYS(1, START)}, 2, LOAD_CAUSE_SESSION, "does not belong"},
        {{PEER_SAYS(8, START), PEER_SAYS(1, CLOSED("\0\x0a\0\x32"))},
         2,
         LOAD_CAUSE_SESSION,
         "NOT_FOUND"},
        {{PEER_SAYS(8, START), PEER_SAYS(1, NARROW)}, 2, LOAD_CAUSE_SESSION, "at most 4096 bytes"},
        {{PEER_SAYS(8, START), PEER_SAYS(1, TUNE), PEER_SAYS(1, ACK("\x01"))},
         3,
         LOAD_CAUSE_SESSION,
         "does not belong"},
        {{PEER_SAYS(8, START)}, 1, LOAD_CAUSE_CONNECT_RESET, ""},
        {{PEER_SAYS(8, "\x01\0")}, 1, LOAD_CAUSE_CONNECT_RESET, ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct peer_run run;
        bool closes = table[i].cause != LOAD_CAUSE_SESSION;
        peer_run(&run, &load_amqp_driver, &spec, 1, table[i].steps, table[i].count, closes);
        assert_int_equal(run.ended, 0);
        assert_int_equal(run.refused, 1);
        assert_int_equal(run.pool.refusals[table[i].cause].attempts, 1);
        if (strstr(run.pool.whys[table[i].cause], table[i].told) == NULL)
            fail_msg("case %zu: \"%s\"", i, run.pool.whys[table[i].cause]);
        peer_end(&run);
    }
}

#define DECLARED                                                                                   \
    OPENED "\x01\0\x01\0\0\0\x08\0\x14\0\x0b\0\0\0\0\xce"                                          \
           "\x01\0\x01\0\0\0\x0e\0\x32\0\x0b\x01q\0\0\0\x01\0\0\0\0\xce"

/* Two are asked for; the second one's queue is empty. */
static void test_a_message_is_acknowledged_when_it_is_whole(void **state)
{
    (void)state;
    struct load_route route = {.name = name, .queue = queue};
    const struct load_spec spec = {.routes = &route, .route_count = 1, .pipeline = 2};
    const struct peer_step steps[] = {
        PEER_SAYS(8, START),
        PEER_SAYS(1, TUNE),
        PEER_SAYS(1, DECLARED),
        PEER_SAYS(1, GET_OK "\x02\0\x01\0\0\0\x0e\0\x3c\0\0\0\0\0\0\0\0\0\x02\0\0\xce" BODY),
        PEER_SAYS(0, BODY GET_EMPTY),
    };
    static const char acked[] = "\x01\0\x01\0\0\0\x0d\0\x3c\0\x50\0\0\0\0\0\0\0\x01\0\xce";
    struct peer_run run;
    peer_run(&run, &load_amqp_driver, &spec, 2, steps, 5, false);
    assert_int_equal(run.ended, 2);
    assert_int_equal(run.numbers[0], 0);
    assert_true(run.outcomes[0].ok);
    assert_int_equal(run.outcomes[1].cause, LOAD_CAUSE_REPLY);
    assert_string_equal(run.pool.whys[LOAD_CAUSE_REPLY], "the queue is empty");
    peer_end(&run);
    const char *end = run.peer.seen + run.peer.seen_len - (sizeof acked - 1);
    assert_memory_equal(end, acked, sizeof acked - 1);
}

#define CONSUMING                                                                                  \
    AGREED "\x01\0\x01\0\0\0\x0e\0\x32\0\x0b\x01q\0\0\0\0\0\0\0\0\xce"                             \
           "\x01\0\x01\0\0\0\x04\0\x3c\0\x0b\xce"                                                  \
           "\x01\0\x01\0\0\0\x06\0\x3c\0\x15\x01"                                                  \
           "c\xce"
#define ALL_DELIVERED DELIVERED("\x01", "1") DELIVERED("\x02", "2") DELIVERED("\x03", "3")

/* The same of three messages that are to come back. */
static const struct {
    const char *says;
    size_t len;
    const char *outcomes;
    uint64_t foreign, again, cancelled;
} consumed[] = {
#define COMES(text, outcomes, foreign, again, cancelled)                                           \
    {                                                                                              \
        text, sizeof(text) - 1, outcomes, foreign, again, cancelled                                \
    }
    COMES(ACK_TO("\x03") ALL_DELIVERED, "0+1+2+", 0, 0, 0),
    COMES(ALL_DELIVERED ACK_TO("\x03"), "0+1+2+", 0, 0, 0),
    COMES(ACK("\x02") DELIVERED("\x01", "1") DELIVERED("\x02", "2") ACK("\x01")
              DELIVERED("\x03", "3") ACK("\x03"),
          "1+0+2+", 0, 0, 0),
    COMES(DELIVERED("\x01", "3") ACK_TO("\x03") DELIVERED("\x02", "1") DELIVERED("\x03", "2"),
          "2+0+1+", 0, 0, 0),
    COMES(NACK("\x02") DELIVERED("\x01", "1") ACK_TO("\x03") DELIVERED("\x02", "3"), "1-0+2+", 0, 0,
          0),
    COMES(RETURN OURS("2") BODY ACK_TO("\x03") DELIVERED("\x01", "1") DELIVERED("\x02", "3"),
          "1-0+2+", 0, 0, 0),
    COMES(ACK_TO("\x03") DELIVERED("\x01", "1") DELIVER("\x02", "\x01") OURS("2")
              BODY DELIVERED("\x03", "3"),
          "0+1-2+", 0, 0, 0),
    COMES(DELIVERED("\x01", "1") DELIVERED("\x02", "1") ACK_TO("\x03") DELIVERED("\x03", "2")
              DELIVERED("\x04", "3"),
          "0-1+2+", 0, 1, 0),
    COMES(ACK_TO("\x03") DELIVERED("\x01", "1") DELIVERED("\x02", "1") DELIVERED("\x03", "2")
              DELIVERED("\x04", "3"),
          "0+1+2+", 0, 1, 0),
    COMES(ACK_TO("\x03") DELIVER("\x01", "\0") ABOUT_LONG("0123456789abcdef", "1")
              BODY ALL_DELIVERED,
          "0+1+2+", 1, 0, 0),
    COMES(ACK_TO("\x03") DELIVER("\x01", "\0") OURS("4") BODY ALL_DELIVERED, "0+1+2+", 1, 0, 0),
    COMES(ACK_TO("\x03") DELIVER("\x01", "\0") ABOUT("0000000000000001") BODY ALL_DELIVERED,
          "0+1+2+", 1, 0, 0),
    COMES(ACK_TO("\x03") DELIVER("\x01", "\0") ABOUT("not-an-id-of-us!") BODY ALL_DELIVERED,
          "0+1+2+", 1, 0, 0),
    COMES(ACK("\x01") DELIVERED("\x01", "1") CANCEL, "0+1-2~", 0, 0, 1),
    COMES(ACK_TO("\x03") DELIVER("\x01", "\0") BLOCKED OURS("1") BLOCKED BODY DELIVERED("\x02", "2")
              DELIVERED("\x03", "3"),
          "0+1+2+", 0, 0, 0),
    COMES(ACK("\x01") ACK("\x01"), "0!1~2~", 0, 0, 0),
    COMES(RETURN OURS("4") BODY, "0!1~2~", 0, 0, 0),
    COMES(DELIVER("\x01", "\0") ACK("\x01"), "0!1~2~", 0, 0, 0),
    COMES(DELIVER("\x01", "\0") OURS("1") "\x01\0\0\0\0\0\x0d\0\x3c\0\x50\0\0\0\0\0\0\0\x01\0\xce",
          "0!1~2~", 0, 0, 0), /* a confirm on no channel, inside of a message */
    COMES(DELIVER("\x01", "\0") BODY, "0!1~2~", 0, 0, 0),
    COMES("\x01\0\x01\0\0\0\x05\0\x3c\0\x3c\x05\xce", "0!1~2~", 0, 0, 0), /* cut short */
};

static bool seen(const struct peer_run *run, const char *bytes, size_t len)
{
    return memmem(run->peer.seen, run->peer.seen_len, bytes, len) != NULL;
}

static void test_what_becomes_of_messages_that_come_back(void **state)
{
    (void)state;
    char body[] = "x";
    struct load_route route = {.name = name, .body = body, .consume = true};
    const struct load_spec spec = {.routes = &route, .route_count = 1, .pipeline = 3};
    for (size_t i = 0; i < sizeof consumed / sizeof *consumed; i++) {
        const struct peer_step steps[] = {
            PEER_SAYS(8, START),
            PEER_SAYS(1, TUNE),
            PEER_SAYS(1, CONSUMING),
            {1, consumed[i].says, consumed[i].len},
        };
        static const char prefetch[] = "\0\x3c\0\x0a\0\0\0\0\0\x03\0\xce";
        struct peer_run run;
        char got[2 * PEER_REQUESTS + 1];
        peer_run_gaps(&run, &load_amqp_driver, &spec, 3, steps, 4, false, "squall.load.");
        peer_fates(&run, got);
        if (strcmp(got, consumed[i].outcomes) != 0)
            fail_msg("case %zu: %s, expected %s", i, got, consumed[i].outcomes);
        const struct load_delivery_troubles *met = &run.pool.deliveries;
        if (met->foreign != consumed[i].foreign || met->again != consumed[i].again ||
            met->cancelled != consumed[i].cancelled)
            fail_msg("case %zu: %d foreign, %d again, %d cancelled", i, (int)met->foreign,
                     (int)met->again, (int)met->cancelled);
        peer_end(&run);
        assert_true(seen(&run, prefetch, sizeof prefetch - 1));
    }
}

/* Bound, with the spec's key; each delivery is acknowledged, whosever it is. */
static void test_what_a_consumer_says(void **state)
{
    (void)state;
    static const char bound[] = "\0\x32\0\x14\0\0\x1csquall.load.";
    static const char by[] = "\x01"
                             "e\x01k\0\0\0\0\0\xce",
                      sent[] = "\0\x3c\0\x28\0\0\x01"
                               "e\x01k\x01\xce";
    static const char acked[] = "\x01\0\x01\0\0\0\x0d\0\x3c\0\x50\0\0\0\0\0\0\0\x01\0\xce"
                                "\x01\0\x01\0\0\0\x0d\0\x3c\0\x50\0\0\0\0\0\0\0\x02\0\xce";
    char body[] = "x", exchange[] = "e";
    struct load_route route = {
        .name = name, .body = body, .consume = true, .exchange = exchange, .key = key};
    const struct load_spec spec = {.routes = &route, .route_count = 1};
    const struct peer_step steps[] = {
        PEER_SAYS(8, START),
        PEER_SAYS(1, TUNE),
        PEER_SAYS(1, CONSUMING "\x01\0\x01\0\0\0\x04\0\x32\0\x15\xce"),
        PEER_SAYS(1, DELIVER("\x01", "\0") ABOUT_LONG("0123456789abcdef", "1")
                         BODY DELIVERED("\x02", "1") ACK("\x01")),
    };
    struct peer_run run;
    peer_run_gaps(&run, &load_amqp_driver, &spec, 1, steps, 4, false, "squall.load.");
    assert_true(run.outcomes[0].ok);
    assert_true(run.outcomes[0].first_at > 0);
    peer_end(&run);
    assert_true(seen(&run, bound, sizeof bound - 1));
    assert_true(seen(&run, by, sizeof by - 1));
    assert_true(seen(&run, sent, sizeof sent - 1));
    assert_true(seen(&run, acked, sizeof acked - 1));
}

static void test_a_broker_that_blocks_says_why(void **state)
{
    (void)state;
    char body[] = "x";
    struct load_route route = publishes(body);
    const struct load_spec spec = {.routes = &route, .route_count = 1};
    const struct peer_step steps[] = {
        PEER_SAYS(8, START),
        PEER_SAYS(1, TUNE),
        PEER_SAYS(1, AGREED),
        PEER_SAYS(1, BLOCKED ACK("\x01")),
    };
    struct peer_run run;
    peer_run(&run, &load_amqp_driver, &spec, 1, steps, 4, false);
    assert_true(run.outcomes[0].ok); /* it had been taken */
    assert_string_equal(run.pool.whys[LOAD_CAUSE_SILENT],
                        "the broker blocks those who publish: low on disk");
    peer_end(&run);
}

static void test_what_cannot_be_sent(void **state)
{
    (void)state;
    char body[] = "{{user}}", text[] = "x", empty[] = "", who[] = "u";
    struct load_route routes[] = {
        {.name = name},
        {.name = name, .key = key, .queue = queue},
        {.name = name, .queue = queue, .body = text},
        {.name = name, .queue = queue, .exchange = key},
        {.name = name, .queue = empty},
        {.name = name, .consume = true, .queue = queue},
        {.name = name, .consume = true, .key = key},
        {.name = name, .consume = true, .persistent = true},
        publishes(body),
    };
    for (size_t i = 0; i <= sizeof routes / sizeof *routes; i++) {
        bool users = i == sizeof routes / sizeof *routes;
        struct load_spec spec = {.routes = &routes[users ? 0 : i], .route_count = 1};
        struct load_route good = publishes(text);
        if (users) {
            spec.routes = &good;
            spec.user = who; /* without a password */
        }
        struct base_error err = {.code = BASE_OK};
        void *prepared = NULL;
        assert_false(load_amqp_driver.prepare(&spec, &prepared, &err));
        assert_int_equal(err.code, BASE_INVALID);
        assert_null(prepared);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_becomes_of_messages),
        cmocka_unit_test(test_brokers_that_cannot_be_greeted),
        cmocka_unit_test(test_a_message_is_acknowledged_when_it_is_whole),
        cmocka_unit_test(test_what_becomes_of_messages_that_come_back),
        cmocka_unit_test(test_what_a_consumer_says),
        cmocka_unit_test(test_a_broker_that_blocks_says_why),
        cmocka_unit_test(test_what_cannot_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
