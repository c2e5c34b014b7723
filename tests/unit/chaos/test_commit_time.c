/* SPDX-License-Identifier: Apache-2.0 */
/* What a limit on a disk must do to commits, as numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "commit_time.h"

#define MIB (INT64_C(1) << 20)

static struct fault_throttle_rule bytes(uint64_t value)
{
    return (struct fault_throttle_rule){.limit = FAULT_IO_WRITE_RATE, .value = value};
}

static struct fault_throttle_rule operations(uint64_t value)
{
    return (struct fault_throttle_rule){.limit = FAULT_IO_WRITE_OPS, .value = value};
}

static struct commit_window window(size_t count, int64_t ms, double group_rate)
{
    return (struct commit_window){
        .count = count, .took = base_dur_ms(ms), .group_rate = group_rate};
}

static void commits_are_slowed_by_the_rule_of_writes(void **state)
{
    (void)state;
    struct fault_throttle throttle = {.count = 1};
    throttle.rules[0].limit = FAULT_IO_READ_OPS;
    assert_null(commit_rule(&throttle));
    throttle.rules[throttle.count++] = bytes(MIB);
    assert_ptr_equal(commit_rule(&throttle), &throttle.rules[1]);
    throttle.rules[0] = operations(10);
    assert_ptr_equal(commit_rule(&throttle), &throttle.rules[0]);
}

static void a_flush_is_large_enough_to_be_felt_and_no_load_of_its_own(void **state)
{
    (void)state;
    static const struct {
        uint64_t rate;
        uint64_t bytes;
    } cases[] = {{64 << 10, 16 << 10}, {MIB, 64 << 10}, {64 * MIB, 256 << 10}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fault_throttle_rule rule = bytes(cases[i].rate);
        assert_int_equal(commit_bytes(&rule), cases[i].bytes);
        /* 4 MiB of WAL at most. */
        assert_true(commit_free_enough(&rule, 4 * MIB / cases[i].bytes, base_dur_ms(1)));
        assert_false(commit_free_enough(&rule, 4 * MIB / cases[i].bytes - 1, base_dur_ms(99)));
        assert_true(commit_free_enough(&rule, 1, base_dur_ms(100)));
    }
    struct fault_throttle_rule rule = operations(100);
    assert_true(commit_bytes(&rule) < 8192);
}

static void a_window_holds_several_commits_and_slices(void **state)
{
    (void)state;
    struct fault_throttle_rule rule = operations(10);
    assert_int_equal(commit_held_window(&rule, base_dur_s(9)).ns, base_dur_ms(800).ns);
    assert_int_equal(commit_held_window(&rule, base_dur_ms(700)).ns, base_dur_ms(700).ns);
    assert_int_equal(commit_held_window(&rule, base_dur_ms(50)).ns, base_dur_ms(200).ns);
    rule = operations(1000);
    assert_int_equal(commit_held_window(&rule, base_dur_s(9)).ns, base_dur_ms(500).ns);
}

static void free_commits_are_faster_than_the_limit_by_a_share(void **state)
{
    (void)state;
    struct fault_throttle_rule rule = bytes(MIB); /* 64 KiB take 62.5 ms */
    struct commit_words words;
    struct commit_window seen = window(4, 120, 0);
    assert_true(commit_is_free(&rule, &seen, 2, &words));
    assert_string_equal(words.metric, "time of a commit of 64 KiB");
    assert_string_equal(words.value, "30.00 ms");
    assert_string_equal(words.expected, "less than 31.25 ms");
    seen = window(4, 128, 0);
    assert_false(commit_is_free(&rule, &seen, 2, &words));
    assert_true(commit_is_free(&rule, &seen, 1.5, &words));
    seen = window(0, 0, 0);
    assert_false(commit_is_free(&rule, &seen, 2, &words));
    assert_string_equal(words.value, "none was measured");
}

static void held_commits_take_what_the_limit_says(void **state)
{
    (void)state;
    struct fault_throttle_rule rule = bytes(MIB);
    struct commit_window before = window(10, 20, 0);
    static const struct {
        size_t count;
        int64_t ms;
        double group_rate;
        bool held;
    } cases[] = {
        {8, 500, 0, true}, /* exactly */
        {8, 405, 0, true}, /* what a slice lets pass at once */
        {8, 395, 0, false},
        {8, 16, 0, false},            /* as before */
        {8, 1000, 0, true},           /* with half of what the group is allowed */
        {8, 1030, 0, false},          /* the group had nothing, and they were slow: by what? */
        {8, 5000, 0.51 * MIB, true},  /* others had it */
        {8, 5000, 0.49 * MIB, false}, /* nobody had it */
        {8, 16, 1.0 * MIB, false},    /* others have it, and these do not wait for it */
        {0, 0, 1.0 * MIB, false},     /* none was measured */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct commit_words words;
        struct commit_window seen = window(cases[i].count, cases[i].ms, cases[i].group_rate);
        if (commit_is_held(&rule, &seen, &before, &words) != cases[i].held)
            fail_msg("case %zu: %s, expected %s", i, words.value, words.expected);
    }
}

static void commits_have_been_written_to_the_device(void **state)
{
    (void)state;
    struct commit_words words;
    struct fault_throttle_rule rule = bytes(MIB);
    struct commit_window seen = window(10, 1000, 650 << 10);
    assert_true(commit_is_written(&rule, &seen, &words));
    assert_string_equal(words.value, "65.0 KiB");
    seen.group_rate = 500 << 10;
    assert_false(commit_is_written(&rule, &seen, &words));
    rule = operations(50);
    seen.group_rate = 20;
    assert_true(commit_is_written(&rule, &seen, &words));
    assert_string_equal(words.value, "2.0");
    seen.group_rate = 0;
    assert_false(commit_is_written(&rule, &seen, &words));
    seen.count = 0;
    assert_false(commit_is_written(&rule, &seen, &words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_are_slowed_by_the_rule_of_writes),
        cmocka_unit_test(a_flush_is_large_enough_to_be_felt_and_no_load_of_its_own),
        cmocka_unit_test(a_window_holds_several_commits_and_slices),
        cmocka_unit_test(free_commits_are_faster_than_the_limit_by_a_share),
        cmocka_unit_test(held_commits_take_what_the_limit_says),
        cmocka_unit_test(commits_have_been_written_to_the_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
