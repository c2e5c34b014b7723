/* SPDX-License-Identifier: Apache-2.0 */
/* What an eviction storm writes, by what servers say; a real one is in tests/e2e/test_f_stores.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "redis_keys.h"
#include "redis_storm.h"

static const int64_t mib = FAULT_REDIS_MIB;

#define INFO(policy, limit, keyspace)                                                              \
    "# Memory\r\nused_memory:12582912\r\nused_memory_human:12.00M\r\n"                             \
    "used_memory_dataset:10485760\r\nmaxmemory:" limit "\r\nmaxmemory_human:24.00M\r\n"            \
    "maxmemory_policy:" policy "\r\nmem_not_counted_for_evict:1048576\r\n# Stats\r\n"              \
    "evicted_keys:7\r\n# Replication\r\nrole:master\r\n# Keyspace\r\n" keyspace
#define KEYS "db0:keys=100,expires=2,avg_ttl=5\r\ndb12:keys=23,expires=40,avg_ttl=0\r\n"

static struct fault_redis_answer said(const char *text)
{
    return (struct fault_redis_answer){.ok = true, .text = text};
}

static void test_what_a_server_says(void **state)
{
    (void)state;
    struct fault_redis_state read;
    struct fault_redis_answer answer = said(INFO("volatile-lru", "25165824", KEYS));
    assert_true(fault_redis_state_of(&answer, &read));
    assert_int_equal(read.limit, 24 * mib);
    assert_int_equal(read.used, 11 * mib); /* without what does not count */
    assert_int_equal(read.data, 10 * mib);
    assert_int_equal(read.evicted, 7);
    assert_int_equal(read.keys, 123);
    assert_int_equal(read.expiring, 42);
    assert_string_equal(read.policy, "volatile-lru");
    assert_false(read.replica);
    answer = said(INFO("noeviction", "0", ""));
    assert_true(fault_redis_state_of(&answer, &read));
    assert_int_equal(read.keys + read.expiring + read.limit, 0);
    answer = said("# Keyspace\r\ndb0:expires=2\r\ndb1:keys=5,expires=x\r\n");
    assert_false(fault_redis_state_of(&answer, &read)); /* nothing of its memory */
    answer.ok = false;
    assert_false(fault_redis_state_of(&answer, &read));
}

static const struct {
    const char *info;
    int64_t destroys;
    const char *why; /* part of it */
} refused[] = {
    {INFO("allkeys-lru", "0", KEYS), 4 << 20, "maxmemory is 0"},
    {INFO("noeviction", "25165824", KEYS), 4 << 20, "is noeviction"},
    {INFO("volatile-ttl", "25165824", KEYS), 4 << 20, "volatile-lru"},
    {INFO("volatile-lru", "25165824", "db0:keys=9,expires=0,avg_ttl=0\r\n"), 4 << 20,
     "none that does"},
    {INFO("allkeys-lfu", "25165824", ""), 4 << 20, "holds no key"},
    {INFO("allkeys-random", "25165824", KEYS), 4 << 20, "as often as others'"},
    {INFO("volatile-random", "25165824", KEYS), 4 << 20, "as often as others'"},
    {INFO("some-new", "25165824", KEYS), 4 << 20, "not known"},
    {INFO("", "25165824", KEYS), 4 << 20, "not known"},
    {INFO("allkeys-lru", "25165824", KEYS), (4 << 20) - 1, "expected 4MiB"},
    {INFO("allkeys-lru", "25165824", KEYS), -1, "expected 4MiB"},
    {INFO("allkeys-lru", "25165824", KEYS), (INT64_C(1) << 30) + 1, "expected 4MiB"},
    {INFO("allkeys-lru", "25165824", KEYS), 11 << 20, "ask for less"},
    {INFO("allkeys-lru", "9999999999", KEYS), 4 << 20, "more than 1 GiB"},
    {INFO("allkeys-lru", "25165824", KEYS "\r\nrole:slave\r\n"), 4 << 20, "its primary"},
};

static void test_who_cannot_be_made_to_evict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct fault_redis_state read;
        struct fault_redis_storm storm;
        struct fault_redis_answer answer = said(refused[i].info);
        assert_true(fault_redis_state_of(&answer, &read));
        const char *why = fault_redis_storm_plan(&read, refused[i].destroys, &storm);
        if (why == NULL || strstr(why, refused[i].why) == NULL)
            fail_msg("row %zu: %s", i, why != NULL ? why : "not refused");
    }
}

/* Whatever is free: it is filled, never beyond, and never is more driven out than was asked for. */
static void test_no_more_is_driven_out_than_was_asked_for(void **state)
{
    (void)state;
    static const int64_t rooms[] = {-5,
                                    0,
                                    1,
                                    999999,
                                    1 << 20,
                                    13 << 20,
                                    INT64_C(401) << 20,
                                    INT64_C(777) << 20,
                                    INT64_C(1) << 30};
    static const int64_t sizes[] = {4 << 20, (5 << 20) + 1, 64 << 20, INT64_C(501) << 20, 1 << 30};
    for (size_t r = 0; r < sizeof rooms / sizeof rooms[0]; r++)
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            struct fault_redis_state read = {.limit = INT64_C(8) << 30,
                                             .used = (INT64_C(8) << 30) - rooms[r],
                                             .data = INT64_C(4) << 30,
                                             .keys = 1,
                                             .policy = "allkeys-lfu"};
            struct fault_redis_storm storm;
            assert_null(fault_redis_storm_plan(&read, sizes[s], &storm));
            int64_t room = rooms[r] > 0 ? rooms[r] : 0;
            int64_t unit = (int64_t)storm.size + 64; /* with the server's own head */
            int64_t filling = (int64_t)storm.large * ((int64_t)storm.large_size + 64) +
                              (int64_t)storm.small * unit;
            int64_t driving = (int64_t)(storm.first + storm.rest) * unit;
            assert_true(filling <= room && filling > room - unit);
            assert_true(driving <= sizes[s] && driving > sizes[s] - unit);
            assert_true((unit & (unit - 1)) == 0);
            assert_true(storm.first >= 2 && storm.rest >= 1);
            assert_true(fault_redis_storm_all(&storm) <= FAULT_REDIS_KEYS);
        }
}

static void test_keys_in_their_order(void **state)
{
    (void)state;
    const struct fault_redis_storm storm = {
        .large = 2, .large_size = 100, .small = 1, .size = 10, .first = 3, .rest = 5};
    assert_int_equal(fault_redis_storm_size(&storm, 1), 100);
    assert_int_equal(fault_redis_storm_size(&storm, 2), 10);
    assert_int_equal(fault_redis_storm_bytes(&storm, 1), 100);
    assert_int_equal(fault_redis_storm_bytes(&storm, 4), 220);
    assert_int_equal(fault_redis_storm_filling(&storm), 3);
    assert_int_equal(fault_redis_storm_begun(&storm), 6);
    assert_int_equal(fault_redis_storm_all(&storm), 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_server_says),
        cmocka_unit_test(test_who_cannot_be_made_to_evict),
        cmocka_unit_test(test_no_more_is_driven_out_than_was_asked_for),
        cmocka_unit_test(test_keys_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
