/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

enum { PLACES = 3 };

/* A worker that writes down what it is told, and takes every place that it is offered while it has
 * requests left. */
struct bench {
    struct load_pool pool;
    struct load_wire wire;
    struct load_place places[PLACES];
    struct load_outcome outcomes[PLACES]; /* the last of each place */
    unsigned ended, offered, withdrawn, opened, refused;
    unsigned to_send;
    char order[16]; /* in which requests ended, as digits of their places */
};

static void on_ready(void *ctx, struct load_conn *conn, int64_t now)
{
    struct bench *b = ctx;
    (void)now;
    b->offered++;
    if (b->to_send == 0)
        return;
    b->to_send--;
    load_wire_sent(load_place_of(conn));
}

static void on_unready(void *ctx, struct load_conn *conn)
{
    struct bench *b = ctx;
    (void)conn;
    b->withdrawn++;
}

static void on_end(void *ctx, struct load_conn *conn, const struct load_outcome *outcome)
{
    struct bench *b = ctx;
    size_t place = (size_t)(load_place_of(conn) - b->places);
    b->outcomes[place] = *outcome;
    b->order[b->ended++] = (char)('0' + place);
}

static void on_refused(void *ctx)
{
    ((struct bench *)ctx)->refused++;
}

static void on_opened(void *ctx, struct dur_ns connect, struct dur_ns tls)
{
    ((struct bench *)ctx)->opened++;
    assert_int_equal(connect.ns, 5);
    assert_true(tls.ns < 0);
}

static void setup(struct bench *b, unsigned to_send)
{
    *b = (struct bench){.to_send = to_send};
    b->pool = (struct load_pool){.count = PLACES,
                                 .ctx = b,
                                 .on_ready = on_ready,
                                 .on_unready = on_unready,
                                 .on_end = on_end,
                                 .on_refused = on_refused,
                                 .on_opened = on_opened};
    for (size_t i = 0; i < PLACES; i++) {
        b->places[i].head.pool = &b->pool;
        load_wire_attach(&b->wire, &b->places[i].head);
    }
    assert_true(load_place_is_first(&b->places[0]));
    assert_false(load_place_is_first(&b->places[1]));
}

static void rise(struct bench *b)
{
    load_wire_rise(&b->wire, 100, (struct dur_ns){5}, (struct dur_ns){-1});
}

static void test_all_places_are_offered_and_answered_in_any_order(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, 3);
    rise(&b);
    assert_int_equal(b.opened, 1);
    assert_int_equal(b.offered, PLACES);
    assert_int_equal(b.pool.established, PLACES);
    assert_int_equal(b.pool.settled, PLACES);
    assert_ptr_equal(load_wire_oldest(&b.wire), &b.places[0]);
    b.places[2].bytes_in = 7;
    b.places[2].first_at = 150;
    struct load_outcome outcome = {.ok = true, .cause = LOAD_CAUSE_COUNT, .at = 200};
    load_wire_answer(&b.places[2], &outcome, false);
    assert_true(b.outcomes[2].ok && b.outcomes[2].answered);
    assert_int_equal(b.outcomes[2].bytes_in, 7);
    assert_int_equal(b.outcomes[2].first_at, 150);
    load_wire_answer(&b.places[0], &outcome, true);
    assert_int_equal(b.outcomes[0].first_at, 200); /* in one piece */
    assert_string_equal(b.order, "20");
    assert_ptr_equal(load_wire_oldest(&b.wire), &b.places[1]);
    assert_int_equal(b.offered, PLACES + 1); /* after the last response nothing is */
}

static void test_what_is_behind_a_lost_request_is_counted_as_such(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, 3);
    rise(&b);
    const struct load_outcome late = {
        .failure = LOAD_FAIL_TIMEOUT, .cause = LOAD_CAUSE_SILENT, .at = 300};
    load_wire_fall(&b.wire, &b.places[1], &late);
    assert_string_equal(b.order, "102");
    assert_int_equal(b.outcomes[1].cause, LOAD_CAUSE_SILENT);
    for (size_t i = 0; i < PLACES; i += 2) {
        assert_int_equal(b.outcomes[i].cause, LOAD_CAUSE_BEHIND);
        assert_int_equal(b.outcomes[i].failure, LOAD_FAIL_RESET);
        assert_false(b.outcomes[i].answered);
    }
    assert_int_equal(b.withdrawn, 0);
    assert_int_equal(b.pool.established, 0);
    rise(&b);
    assert_int_equal(b.offered, 2 * PLACES);
    assert_int_equal(b.pool.settled, PLACES);
}

static void test_idle_places_are_withdrawn(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, 1);
    rise(&b);
    const struct load_outcome closed = {
        .failure = LOAD_FAIL_RESET, .cause = LOAD_CAUSE_CLOSED, .at = 300, .why = "shutdown"};
    load_wire_fall(&b.wire, NULL, &closed);
    assert_int_equal(b.withdrawn, 2);
    assert_string_equal(b.order, "0");
    assert_int_equal(b.outcomes[0].cause, LOAD_CAUSE_CLOSED);
    assert_string_equal(b.pool.whys[LOAD_CAUSE_CLOSED], "shutdown");
    load_wire_fall(&b.wire, NULL, &closed); /* nothing is there */
    assert_int_equal(b.withdrawn, 2);
    assert_int_equal(b.ended, 1);
}

static void test_a_refusal_is_one_attempt_of_all_places(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, 0);
    load_wire_refused(&b.wire, LOAD_CAUSE_SESSION, "no such role");
    assert_int_equal(b.refused, 1);
    assert_int_equal(b.pool.refusals[LOAD_CAUSE_SESSION].attempts, 1);
    assert_string_equal(b.pool.whys[LOAD_CAUSE_SESSION], "no such role");
    assert_true(load_pool_is_down(&b.pool));
    rise(&b);
    assert_false(load_pool_is_down(&b.pool));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_places_are_offered_and_answered_in_any_order),
        cmocka_unit_test(test_what_is_behind_a_lost_request_is_counted_as_such),
        cmocka_unit_test(test_idle_places_are_withdrawn),
        cmocka_unit_test(test_a_refusal_is_one_attempt_of_all_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
