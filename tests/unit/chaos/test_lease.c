/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lease.h"

static struct mono_ns at(int64_t ns)
{
    return (struct mono_ns){ns};
}
static struct dur_ns dur(int64_t ns)
{
    return (struct dur_ns){ns};
}

static void a_lease_without_renewal_lapses(void **state)
{
    (void)state;
    struct fault_lease lease = fault_lease_start(at(1000), dur(30), dur(100));
    assert_int_equal(fault_lease_check(&lease, at(1029)), FAULT_END_NONE);
    assert_int_equal(fault_lease_check(&lease, at(1030)), FAULT_END_LEASE);
    assert_int_equal(fault_lease_check(&lease, at(5000)), FAULT_END_LEASE);
}

static void renewal_counts_from_now_and_never_past_the_duration(void **state)
{
    (void)state;
    struct fault_lease lease = fault_lease_start(at(1000), dur(30), dur(100));
    assert_true(fault_lease_renew(&lease, at(1020), dur(30)));
    assert_int_equal(fault_lease_check(&lease, at(1049)), FAULT_END_NONE);
    assert_int_equal(fault_lease_left(&lease, at(1020)).ns, 30);
    assert_true(fault_lease_renew(&lease, at(1049), dur(5000)));
    assert_int_equal(fault_lease_left(&lease, at(1049)).ns, 51);
    assert_int_equal(fault_lease_check(&lease, at(1099)), FAULT_END_NONE);
    assert_int_equal(fault_lease_check(&lease, at(1100)), FAULT_END_EXPIRED);
}

static void a_shorter_renewal_shortens(void **state)
{
    (void)state;
    struct fault_lease lease = fault_lease_start(at(0), dur(50), dur(100));
    assert_true(fault_lease_renew(&lease, at(10), dur(5)));
    assert_int_equal(fault_lease_check(&lease, at(15)), FAULT_END_LEASE);
}

static void what_has_ended_is_never_revived(void **state)
{
    (void)state;
    struct fault_lease lease = fault_lease_start(at(0), dur(10), dur(100));
    assert_false(fault_lease_renew(&lease, at(10), dur(10)));
    assert_int_equal(fault_lease_check(&lease, at(10)), FAULT_END_LEASE);
    struct fault_lease over = fault_lease_start(at(0), dur(1000), dur(100));
    assert_false(fault_lease_renew(&over, at(100), dur(10)));
    assert_int_equal(fault_lease_check(&over, at(100)), FAULT_END_EXPIRED);
}

static void the_earlier_reason_is_told_however_late_one_looks(void **state)
{
    (void)state;
    struct fault_lease lease = fault_lease_start(at(0), dur(10), dur(20));
    assert_int_equal(fault_lease_check(&lease, at(1000)), FAULT_END_LEASE);
    lease = fault_lease_start(at(0), dur(30), dur(20));
    assert_int_equal(fault_lease_check(&lease, at(1000)), FAULT_END_EXPIRED);
    lease = fault_lease_start(at(0), dur(20), dur(20));
    assert_int_equal(fault_lease_check(&lease, at(20)), FAULT_END_EXPIRED);
}

static void what_is_left_is_never_negative_and_nothing_overflows(void **state)
{
    (void)state;
    struct fault_lease lease = fault_lease_start(at(100), dur(-5), dur(10));
    assert_int_equal(fault_lease_left(&lease, at(100)).ns, 0);
    assert_int_equal(fault_lease_check(&lease, at(100)), FAULT_END_LEASE);
    lease = fault_lease_start(at(INT64_MAX / 4), dur(INT64_MAX), dur(INT64_MAX));
    assert_int_equal(fault_lease_check(&lease, at(INT64_MAX / 4)), FAULT_END_NONE);
    assert_true(fault_lease_left(&lease, at(INT64_MAX / 4)).ns > 0);
    assert_true(fault_lease_renew(&lease, at(INT64_MAX / 4), dur(INT64_MAX)));
    assert_int_equal(fault_lease_left(&lease, at(INT64_MAX)).ns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_without_renewal_lapses),
        cmocka_unit_test(renewal_counts_from_now_and_never_past_the_duration),
        cmocka_unit_test(a_shorter_renewal_shortens),
        cmocka_unit_test(what_has_ended_is_never_revived),
        cmocka_unit_test(the_earlier_reason_is_told_however_late_one_looks),
        cmocka_unit_test(what_is_left_is_never_negative_and_nothing_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
