/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../target-app/sandbox/src/backoff.h"
#include "../../../target-app/sandbox/src/status_file.h"

static int64_t next_ms(struct sandbox_backoff *backoff, int64_t lived_ms)
{
    return base_dur_to_ms(sandbox_backoff_next(backoff, base_dur_ms(lived_ms)));
}

static void doubles_up_to_ten_seconds(void **state)
{
    (void)state;
    static const int64_t expected[] = {200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000};
    struct sandbox_backoff backoff = {0};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal(next_ms(&backoff, 100), expected[i]);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(next_ms(&backoff, 9999), 10000);
}

static void a_long_life_starts_the_count_anew(void **state)
{
    (void)state;
    struct sandbox_backoff backoff = {0};
    for (int i = 0; i < 7; i++)
        (void)next_ms(&backoff, 0);
    assert_int_equal(next_ms(&backoff, 10000), 200);
    assert_int_equal(next_ms(&backoff, 0), 400);
}

static void does_not_wrap(void **state)
{
    (void)state;
    struct sandbox_backoff backoff = {UINT32_MAX};
    assert_int_equal(next_ms(&backoff, 0), 10000);
    assert_int_equal(next_ms(&backoff, 0), 10000);
}

/* Each state has the word that topology.json's readers know, and only these moves are allowed. */
static void moves_are_those_of_the_table(void **state)
{
    (void)state;
    static const struct {
        enum sandbox_state from;
        const char *name;
        const char *to; /* one letter for each state, in the order of the enum: x = allowed */
    } rows[SANDBOX_STATES] = {
        {SANDBOX_STOPPED, "stopped", "-x--x-"}, {SANDBOX_STARTING, "starting", "x-x-xx"},
        {SANDBOX_READY, "ready", "x--xx-"},     {SANDBOX_UNREADY, "unready", "x-x-x-"},
        {SANDBOX_BACKOFF, "backoff", "xx--x-"}, {SANDBOX_GAVE_UP, "failed", "x-----"},
    };
    for (size_t i = 0; i < SANDBOX_STATES; i++) {
        assert_string_equal(sandbox_state_name(rows[i].from), rows[i].name);
        for (unsigned to = 0; to < SANDBOX_STATES; to++)
            assert_int_equal(sandbox_state_move_allowed(rows[i].from, (enum sandbox_state)to),
                             rows[i].to[to] == 'x');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_ten_seconds),
        cmocka_unit_test(a_long_life_starts_the_count_anew),
        cmocka_unit_test(does_not_wrap),
        cmocka_unit_test(moves_are_those_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
