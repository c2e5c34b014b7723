/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy_pace.h"

static struct mono_ns at_ms(int64_t ms)
{
    return (struct mono_ns){ms * BASE_NS_PER_MS};
}

static void bytes_go_as_late_as_they_came(void **state)
{
    (void)state;
    struct proxy_pace pace;
    struct mono_ns next;
    proxy_pace_init(&pace, 0, base_dur_ms(100));
    proxy_pace_put(&pace, "abc", 3, at_ms(10));
    proxy_pace_put(&pace, "de", 2, at_ms(60));
    assert_int_equal(proxy_pace_due(&pace, at_ms(109)), 0);
    assert_true(proxy_pace_next(&pace, at_ms(109), &next) && next.ns == at_ms(110).ns);
    assert_int_equal(proxy_pace_due(&pace, at_ms(110)), 3);
    assert_int_equal(proxy_pace_due(&pace, at_ms(200)), 5);
    proxy_pace_went(&pace, 4, at_ms(200)); /* part of the second */
    assert_string_equal(pace.bytes.data, "e");
    assert_int_equal(proxy_pace_due(&pace, at_ms(159)), 0);
    assert_int_equal(proxy_pace_due(&pace, at_ms(160)), 1);
    proxy_pace_went(&pace, 1, at_ms(160));
    assert_false(proxy_pace_next(&pace, at_ms(0), &next));
    proxy_pace_fini(&pace);
}

/* Small messages, one after the other: more of them than there are places to note when each came.
 */
static void many_small_arrivals_are_not_held_up(void **state)
{
    (void)state;
    struct proxy_pace pace;
    struct dur_ns time = base_dur_ms(1000);
    int64_t gone = 0;
    proxy_pace_init(&pace, 0, time);
    for (int64_t ms = 0; ms < 4000; ms++) {
        assert_true(proxy_pace_room(&pace) > 0);
        proxy_pace_put(&pace, "x", 1, at_ms(ms));
        size_t due = proxy_pace_due(&pace, at_ms(ms));
        proxy_pace_went(&pace, due, at_ms(ms));
        gone += (int64_t)due;
        /* Never early by more than a hundredth, never late by more. */
        assert_in_range(gone + 1000 - ms + 10, 0, ms < 1000 ? 1011 : 21);
    }
    proxy_pace_fini(&pace);
}

static void pieces_go_one_after_the_other(void **state)
{
    (void)state;
    struct proxy_pace pace;
    struct mono_ns next;
    proxy_pace_init(&pace, 4, base_dur_ms(50));
    proxy_pace_put(&pace, "abcdefghij", 10, at_ms(1000));
    assert_int_equal(proxy_pace_due(&pace, at_ms(1000)), 4);
    proxy_pace_went(&pace, 3, at_ms(1000)); /* the socket took no more */
    assert_int_equal(proxy_pace_due(&pace, at_ms(1000)), 1);
    proxy_pace_went(&pace, 1, at_ms(1001));
    assert_int_equal(proxy_pace_due(&pace, at_ms(1050)), 0);
    assert_true(proxy_pace_next(&pace, at_ms(1001), &next) && next.ns == at_ms(1051).ns);
    assert_int_equal(proxy_pace_due(&pace, at_ms(1051)), 4);
    proxy_pace_went(&pace, 4, at_ms(1051));
    assert_int_equal(proxy_pace_due(&pace, at_ms(1101)), 2);
    proxy_pace_fini(&pace);
}

static void what_is_held_has_a_bound(void **state)
{
    static char much[PROXY_PACE_MAX];
    (void)state;
    struct proxy_pace pace;
    proxy_pace_init(&pace, 0, base_dur_ms(1));
    for (int i = 0; i < PROXY_PACE_ARRIVALS; i++) {
        assert_true(proxy_pace_room(&pace) > 0);
        proxy_pace_put(&pace, "x", 1, at_ms(i));
    }
    assert_int_equal(proxy_pace_room(&pace), 0);
    proxy_pace_went(&pace, 1, at_ms(999));
    assert_true(proxy_pace_room(&pace) > 0);
    proxy_pace_fini(&pace);
    proxy_pace_init(&pace, 1, base_dur_ms(1));
    proxy_pace_put(&pace, much, sizeof much, at_ms(0));
    assert_int_equal(proxy_pace_room(&pace), 0);
    proxy_pace_fini(&pace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_as_late_as_they_came),
        cmocka_unit_test(many_small_arrivals_are_not_held_up),
        cmocka_unit_test(pieces_go_one_after_the_other),
        cmocka_unit_test(what_is_held_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
