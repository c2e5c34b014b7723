/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/text.h"
#include "timeline.h"

static void add(struct timeline *line, int64_t leaves, uint32_t id)
{
    timeline_add(line, (struct timeline_packet){.leaves = {leaves}, .id = id});
}

static void packets_leave_in_time_and_equal_ones_as_they_came(void **state)
{
    (void)state;
    struct timeline line = {0};
    struct base_rng rng;
    base_rng_seed(&rng, 3);
    assert_null(timeline_first(&line));
    /* Added and taken in turns, with many of the same instant. */
    int64_t now = 0;
    for (uint32_t round = 0; round < 200; round++) {
        for (uint32_t i = 0; i < 20; i++)
            add(&line, now + (int64_t)base_rng_below(&rng, 16), round * 20 + i);
        for (uint32_t i = 0; i < 15; i++) {
            struct timeline_packet one = timeline_take(&line);
            assert_true(one.leaves.ns >= now);
            const struct timeline_packet *next = timeline_first(&line);
            assert_true(next->leaves.ns > one.leaves.ns ||
                        (next->leaves.ns == one.leaves.ns && next->id > one.id));
            now = one.leaves.ns;
        }
    }
    size_t left = 0;
    while (timeline_first(&line) != NULL) {
        struct timeline_packet one = timeline_take(&line);
        assert_true(one.leaves.ns >= now);
        now = one.leaves.ns;
        left++;
    }
    assert_int_equal(left, 200 * 5);
    timeline_fini(&line);
}

static void what_is_held_is_freed(void **state)
{
    (void)state;
    struct timeline line = {0};
    for (int i = 0; i < 100; i++)
        timeline_add(&line, (struct timeline_packet){.leaves = {i},
                                                     .changed = true,
                                                     .duplicate = true,
                                                     .data = base_calloc(1, 8),
                                                     .copy = base_calloc(1, 8),
                                                     .len = 8});
    timeline_fini(&line); /* the leak check of the asan build looks */
    assert_int_equal(line.count, 0);
    assert_null(line.heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_leave_in_time_and_equal_ones_as_they_came),
        cmocka_unit_test(what_is_held_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
