/* SPDX-License-Identifier: Apache-2.0 */
/* Since when what a worker still owes has been due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker_core.h"
#include "worker_flow.h"

enum { NOW = 1000, START = 100, WAITING_MAX = 100 };

static struct load_worker worker(void)
{
    struct load_worker w = {.start = START};
    load_waiting_init(&w.waiting, WAITING_MAX);
    return w;
}

static void wait_since(struct load_worker *w, int64_t intended)
{
    assert_true(load_waiting_push(&w->waiting, &(struct load_due){.intended = intended}));
}

static void arrivals_are_sent_in_their_order(void **state)
{
    (void)state;
    struct load_worker w = worker();
    struct load_conn first = {.due = {.intended = 300}}, second = {.due = {.intended = 400}};
    TAILQ_INIT(&w.in_flight);
    assert_int_equal(load_worker_owed(&w, NOW), NOW);
    w.pending = true;
    w.next.at = 5000; /* due in the future: until then something else may become so */
    assert_int_equal(load_worker_owed(&w, NOW), NOW);
    w.next.at = 700; /* behind its time */
    assert_int_equal(load_worker_owed(&w, NOW), START + 700);
    wait_since(&w, 600); /* while connections are being made */
    wait_since(&w, 650);
    assert_int_equal(load_worker_owed(&w, NOW), 600);
    TAILQ_INSERT_TAIL(&w.in_flight, &first, link);
    TAILQ_INSERT_TAIL(&w.in_flight, &second, link);
    assert_int_equal(load_worker_owed(&w, NOW), 300);
    TAILQ_REMOVE(&w.in_flight, &first, link);
    assert_int_equal(load_worker_owed(&w, NOW), 400);
    w.over = true; /* what is under way then is a teardown's */
    assert_int_equal(load_worker_owed(&w, NOW), INT64_MAX);
    load_waiting_fini(&w.waiting);
}

/* A step may have been due before others that were sent, or began to wait, before it. */
static void steps_are_sent_in_no_order(void **state)
{
    (void)state;
    struct load_passage paused[] = {{.ready = 990, .due = 800},
                                    {.ready = 995, .due = 700}, /* the oldest is not on top */
                                    {.ready = 2000, .due = 2000},
                                    {.ready = 998, .due = 650},
                                    {.ready = 3000, .due = 3000}};
    struct load_passage *heap[] = {&paused[0], &paused[1], &paused[2], &paused[3], &paused[4]};
    struct load_flows flows = {.heap = heap};
    struct load_worker w = worker();
    struct load_conn first = {.due = {.intended = 620}}, second = {.due = {.intended = 610}};
    TAILQ_INIT(&w.in_flight);
    w.flows = &flows;
    assert_int_equal(load_worker_owed(&w, NOW), NOW);
    static const int64_t owed[] = {800, 700, 700, 650, 650};
    for (size_t i = 0; i < sizeof owed / sizeof *owed; i++) {
        flows.pausing = i + 1;
        assert_int_equal(load_worker_owed(&w, NOW), owed[i]);
    }
    TAILQ_INSERT_TAIL(&w.in_flight, &first, link);
    TAILQ_INSERT_TAIL(&w.in_flight, &second, link);
    assert_int_equal(load_worker_owed(&w, NOW), 610);
    for (int64_t i = 0; i < 300; i++) { /* several times round the ring */
        wait_since(&w, i == 280 ? 500 : 900);
        if (w.waiting.count > WAITING_MAX / 2)
            load_waiting_pop(&w.waiting);
    }
    assert_int_equal(load_worker_owed(&w, NOW), 500);
    w.pending = true;
    w.next.at = 380;
    assert_int_equal(load_worker_owed(&w, NOW), START + 380);
    load_waiting_fini(&w.waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrivals_are_sent_in_their_order),
        cmocka_unit_test(steps_are_sent_in_no_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
