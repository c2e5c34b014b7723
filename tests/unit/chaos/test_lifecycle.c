/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lifecycle.h"

/* The table written a second time, as a picture: a row for each state, a mark for each move. */
static const char *const picture[FAULT_STATE_COUNT] = {
    /*                     rq ap ac in fa re go st */
    [FAULT_REQUESTED] = "   .  x  .  .  x  .  .  .",
    [FAULT_APPLYING] = "    .  .  x  x  x  x  .  .",
    [FAULT_ACTIVE] = "      .  .  .  .  .  x  .  .",
    [FAULT_INEFFECTIVE] = " .  .  .  .  .  x  .  .",
    [FAULT_FAILED] = "      .  .  .  .  .  x  x  .",
    [FAULT_REVERTING] = "   .  .  .  .  .  .  x  x",
    [FAULT_GONE] = "        .  .  .  .  .  .  .  .",
    [FAULT_STUCK] = "       .  .  .  .  .  x  .  .",
};

static bool drawn(int from, int to)
{
    int column = 0;
    for (const char *at = picture[from]; *at != '\0'; at++) {
        if (*at == ' ')
            continue;
        if (column++ == to)
            return *at == 'x';
    }
    fail_msg("row %d is too short", from);
    return false;
}

static void every_move_is_as_drawn(void **state)
{
    (void)state;
    for (int from = 0; from < FAULT_STATE_COUNT; from++) {
        for (int to = 0; to < FAULT_STATE_COUNT; to++) {
            struct fault_record record = {.state = (enum fault_state)from};
            struct base_error err = {0};
            bool moved = fault_move(&record, (enum fault_state)to, (struct wall_ns){77}, &err);
            assert_int_equal(moved, drawn(from, to));
            assert_int_equal(fault_move_allowed((enum fault_state)from, (enum fault_state)to),
                             drawn(from, to));
            assert_int_equal(record.state, moved ? to : from);
            assert_int_equal(err.code, moved ? BASE_OK : BASE_INTERNAL);
        }
    }
}

static void each_state_stamps_its_own_time(void **state)
{
    (void)state;
    struct fault_record record = {.state = FAULT_REQUESTED};
    assert_true(fault_move(&record, FAULT_APPLYING, (struct wall_ns){1}, NULL));
    assert_int_equal(record.applied_at.ns, 1);
    assert_false(record.was_active);
    assert_true(fault_move(&record, FAULT_ACTIVE, (struct wall_ns){2}, NULL));
    assert_int_equal(record.verified_at.ns, 2);
    assert_true(record.was_active);
    assert_true(fault_move(&record, FAULT_REVERTING, (struct wall_ns){3}, NULL));
    assert_int_equal(record.reverted_at.ns, 3);
    assert_true(fault_move(&record, FAULT_GONE, (struct wall_ns){4}, NULL));
    assert_int_equal(record.gone_at.ns, 4);
    assert_int_equal(record.applied_at.ns, 1);
    assert_int_equal(record.verified_at.ns, 2);
    assert_int_equal(record.reverted_at.ns, 3);
}

static void a_refused_move_changes_nothing(void **state)
{
    (void)state;
    struct fault_record record = {.state = FAULT_GONE, .gone_at = {5}};
    assert_false(fault_move(&record, FAULT_ACTIVE, (struct wall_ns){9}, NULL));
    assert_int_equal(record.gone_at.ns, 5);
    assert_int_equal(record.verified_at.ns, 0);
    assert_false(record.was_active);
}

/* Nothing of a fault that was applied can end but through reverting. */
static void what_was_applied_ends_only_through_reverting(void **state)
{
    (void)state;
    for (int from = FAULT_APPLYING; from < FAULT_STATE_COUNT; from++) {
        bool to_end = fault_move_allowed((enum fault_state)from, FAULT_STUCK) ||
                      fault_move_allowed((enum fault_state)from, FAULT_GONE);
        assert_int_equal(to_end, from == FAULT_REVERTING || from == FAULT_FAILED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_move_is_as_drawn),
        cmocka_unit_test(each_state_stamps_its_own_time),
        cmocka_unit_test(a_refused_move_changes_nothing),
        cmocka_unit_test(what_was_applied_ends_only_through_reverting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
