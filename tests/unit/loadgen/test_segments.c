/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "segments.h"

static void test_planned(void **state)
{
    (void)state;
    struct load_segments segments;
    load_segments_init(&segments);
    assert_int_equal(load_segments_at(&segments, INT64_MIN), 0);
    assert_int_equal(load_segments_at(&segments, INT64_MAX), 0);
    load_segments_plan(&segments, &(struct load_segment){.from = 100, .phase = 1});
    load_segments_plan(&segments, &(struct load_segment){.from = 200, .phase = 0});
    static const struct {
        int64_t at;
        uint32_t phase;
    } cases[] = {{INT64_MIN, 0}, {99, 0}, {100, 1}, {199, 1}, {200, 0}, {INT64_MAX, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(load_segments_at(&segments, cases[i].at), cases[i].phase);
    load_segments_fini(&segments);
}

/* A fault that begins while stages are still to come: they bring no phases any more. */
static void test_overridden(void **state)
{
    (void)state;
    struct load_segments segments;
    load_segments_init(&segments);
    load_segments_plan(&segments, &(struct load_segment){.from = 100, .phase = 1});
    load_segments_plan(&segments, &(struct load_segment){.from = 200, .phase = 2});
    size_t before = segments.count;
    load_segments_override(&segments, &(struct load_segment){.from = 150, .phase = 3});
    assert_true(segments.count > before);
    load_segments_override(&segments, &(struct load_segment){.from = 300, .phase = 0});
    static const struct {
        int64_t at;
        uint32_t phase;
    } cases[] = {{99, 0}, {149, 1}, {150, 3}, {200, 3}, {299, 3}, {300, 0}, {INT64_MAX, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(load_segments_at(&segments, cases[i].at), cases[i].phase);
    load_segments_fini(&segments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planned),
        cmocka_unit_test(test_overridden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
