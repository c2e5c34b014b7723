/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "waiting.h"

static int64_t head_of(const struct load_waiting *waiting)
{
    const struct load_due *head = load_waiting_head(waiting);
    return head == NULL ? -1 : head->intended;
}

static void test_keeps_order_over_growth(void **state)
{
    (void)state;
    struct load_waiting waiting;
    int64_t in = 0, out = 0;
    load_waiting_init(&waiting, 100000);
    /* Three in, one out: the ring wraps and grows with its head at every place. */
    for (int i = 0; i < 20000; i++) {
        for (int k = 0; k < 3; k++)
            assert_true(load_waiting_push(&waiting, &(struct load_due){.intended = in++}));
        assert_int_equal(head_of(&waiting), out++);
        load_waiting_pop(&waiting);
    }
    while (load_waiting_head(&waiting) != NULL) {
        assert_int_equal(head_of(&waiting), out++);
        load_waiting_pop(&waiting);
    }
    assert_int_equal(in, out);
    load_waiting_fini(&waiting);
}

static void test_is_bounded(void **state)
{
    (void)state;
    struct load_waiting waiting;
    load_waiting_init(&waiting, 300);
    for (int i = 0; i < 300; i++)
        assert_true(load_waiting_push(&waiting, &(struct load_due){.intended = i}));
    assert_false(load_waiting_push(&waiting, &(struct load_due){.intended = 300}));
    assert_int_equal(waiting.count, 300);
    load_waiting_pop(&waiting);
    assert_true(load_waiting_push(&waiting, &(struct load_due){.intended = 301}));
    load_waiting_fini(&waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_order_over_growth),
        cmocka_unit_test(test_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
