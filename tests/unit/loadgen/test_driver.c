/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver.h"

static void test_pool_is_down_when_all_are(void **state)
{
    (void)state;
    struct load_pool pool = {.count = 2};
    struct load_conn conns[2] = {{.pool = &pool}, {.pool = &pool}};
    load_conn_settle(&conns[0], false);
    load_conn_settle(&conns[0], false); /* again: counted once */
    assert_int_equal(pool.settled, 1);
    assert_false(load_pool_is_down(&pool));
    load_conn_settle(&conns[1], false);
    assert_int_equal(pool.settled, 2);
    assert_true(load_pool_is_down(&pool));
    load_conn_settle(&conns[0], true);
    load_conn_settle(&conns[0], true);
    assert_int_equal(pool.unreachable, 1);
    assert_false(load_pool_is_down(&pool));
}

static void test_refusals_keep_the_first_reason_and_address(void **state)
{
    (void)state;
    static const struct load_address first = {.number = 0}, second = {.number = 1};
    struct load_pool pool = {.count = 2};
    struct load_conn conns[2] = {{.pool = &pool, .address = &first},
                                 {.pool = &pool, .address = &second}};
    load_conn_note_refusal(&conns[0], LOAD_CAUSE_TLS, "one");
    load_conn_note_refusal(&conns[1], LOAD_CAUSE_TLS, "two");
    assert_int_equal(pool.refusals[LOAD_CAUSE_TLS].attempts, 2);
    assert_ptr_equal(pool.refusals[LOAD_CAUSE_TLS].address, &first);
    assert_string_equal(pool.whys[LOAD_CAUSE_TLS], "one");
    load_conn_note_refusal(&conns[1], LOAD_CAUSE_NO_PORT, NULL);
    load_conn_note_refusal(&conns[1], LOAD_CAUSE_NO_DESCRIPTOR, NULL);
    assert_int_equal(pool.out_of_ports, 2);
    assert_int_equal(pool.refusal, LOAD_CAUSE_NO_DESCRIPTOR);
}

static void test_causes_of_errno(void **state)
{
    (void)state;
    static const struct {
        int error;
        enum load_cause cause;
    } table[] = {
        {ECONNREFUSED, LOAD_CAUSE_REFUSED},
        {EHOSTUNREACH, LOAD_CAUSE_UNREACHABLE},
        {ENETUNREACH, LOAD_CAUSE_UNREACHABLE},
        {ETIMEDOUT, LOAD_CAUSE_CONNECT_TIMEOUT},
        {ECONNRESET, LOAD_CAUSE_CONNECT_RESET},
        {EADDRNOTAVAIL, LOAD_CAUSE_NO_PORT},
        {EMFILE, LOAD_CAUSE_NO_DESCRIPTOR},
        {ENFILE, LOAD_CAUSE_NO_DESCRIPTOR},
        {EACCES, LOAD_CAUSE_OTHER},
        {ENOENT, LOAD_CAUSE_REFUSED},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(load_cause_of_errno(table[i].error), table[i].cause);
}

static void test_status_becomes_outcome(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        bool ok;
        enum load_failure failure;
    } table[] = {
        {200, true, 0},
        {304, true, 0},
        {399, true, 0},
        {400, false, LOAD_FAIL_HTTP_4XX},
        {499, false, LOAD_FAIL_HTTP_4XX},
        {500, false, LOAD_FAIL_HTTP_5XX},
        {599, false, LOAD_FAIL_HTTP_5XX},
        {600, false, LOAD_FAIL_STATUS},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct load_outcome outcome = {0};
        load_outcome_status(&outcome, table[i].status);
        assert_int_equal(outcome.ok, table[i].ok);
        if (!outcome.ok)
            assert_int_equal(outcome.failure, table[i].failure);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_is_down_when_all_are),
        cmocka_unit_test(test_refusals_keep_the_first_reason_and_address),
        cmocka_unit_test(test_causes_of_errno),
        cmocka_unit_test(test_status_becomes_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
