/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/chaos.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct mono_ns start = {INT64_C(1000) * BASE_NS_PER_S};

static struct mono_ns after_ms(int64_t ms)
{
    return base_mono_add(start, base_dur_ms(ms));
}

static size_t apply(struct kit_chaos *chaos, enum kit_chaos_kind kind, const char *body,
                    struct mono_ns now)
{
    struct kit_errors errors = {.count = 0};
    json_t *value = json_loads(body, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    bool ok = kit_chaos_apply(chaos, kind, value, now, &errors);
    json_decref(value);
    size_t count = errors.count;
    assert_int_equal(ok, count == 0);
    kit_errors_fini(&errors);
    return count;
}

static void test_expires_without_anything_firing(void **state)
{
    (void)state;
    struct kit_chaos chaos;
    kit_chaos_init(&chaos, 1);
    assert_int_equal(
        apply(&chaos, KIT_CHAOS_ERRORS, "{\"rate\":1,\"status\":503,\"ttlMs\":3000}", start), 0);
    assert_int_equal(apply(&chaos, KIT_CHAOS_LATENCY, "{\"ms\":250,\"ttlMs\":1000}", start), 0);
    struct kit_chaos_effect effect = kit_chaos_draw(&chaos, after_ms(999));
    assert_int_equal(effect.error_status, 503);
    assert_int_equal(effect.delay.ns, base_dur_ms(250).ns);
    effect = kit_chaos_draw(&chaos, after_ms(1000));
    assert_int_equal(effect.delay.ns, 0);
    assert_int_equal(effect.error_status, 503);
    effect = kit_chaos_draw(&chaos, after_ms(3000));
    assert_int_equal(effect.error_status, 0);
    assert_false(kit_chaos_active(&chaos, KIT_CHAOS_ERRORS, after_ms(3000)));
}

static void test_posting_again_replaces_values_and_expiry(void **state)
{
    (void)state;
    struct kit_chaos chaos;
    kit_chaos_init(&chaos, 1);
    apply(&chaos, KIT_CHAOS_LATENCY, "{\"ms\":250,\"ttlMs\":60000}", start);
    apply(&chaos, KIT_CHAOS_LATENCY, "{\"ms\":10,\"ttlMs\":500}", after_ms(100));
    assert_int_equal(kit_chaos_draw(&chaos, after_ms(599)).delay.ns, base_dur_ms(10).ns);
    assert_int_equal(kit_chaos_draw(&chaos, after_ms(600)).delay.ns, 0);
}

static void test_refused_body_leaves_what_was_in_force(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"ms\":10}",
        "{\"ms\":10,\"ttlMs\":0}",
        "{\"ms\":10,\"ttlMs\":3600001}",
        "{\"ms\":0,\"ttlMs\":5}",
        "{\"ms\":10,\"ttlMs\":\"5\"}",
        "{\"ms\":10,\"ttlMs\":5,\"until\":7}",
        "[]",
        "null",
    };
    struct kit_chaos chaos;
    kit_chaos_init(&chaos, 1);
    apply(&chaos, KIT_CHAOS_LATENCY, "{\"ms\":250,\"ttlMs\":60000}", start);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_true(apply(&chaos, KIT_CHAOS_LATENCY, bad[i], start) > 0);
    assert_int_equal(kit_chaos_draw(&chaos, after_ms(59999)).delay.ns, base_dur_ms(250).ns);
    assert_int_equal(
        apply(&chaos, KIT_CHAOS_ERRORS, "{\"rate\":-1,\"status\":200,\"ttlMs\":0}", start), 3);
    assert_false(kit_chaos_active(&chaos, KIT_CHAOS_ERRORS, start));
}

static unsigned count_errors(uint64_t seed, double *first)
{
    struct kit_chaos chaos;
    kit_chaos_init(&chaos, seed);
    apply(&chaos, KIT_CHAOS_ERRORS, "{\"rate\":0.2,\"status\":500,\"ttlMs\":60000}", start);
    unsigned n = 0;
    for (int i = 0; i < 10000; i++) {
        bool hit = kit_chaos_draw(&chaos, start).error_status != 0;
        if (hit && n++ == 0)
            *first = i;
    }
    return n;
}

static void test_share_follows_rate_and_seed(void **state)
{
    (void)state;
    double first = -1;
    double again = -2;
    unsigned n = count_errors(42, &first);
    assert_in_range(n, 1800, 2200); /* five standard deviations: sqrt(10000 x .2 x .8) = 40 */
    assert_int_equal(count_errors(42, &again), n);
    assert_true(first == again);
    assert_true(count_errors(43, &again) != n || first != again);
}

static void test_describe(void **state)
{
    (void)state;
    struct kit_chaos chaos;
    kit_chaos_init(&chaos, 1);
    apply(&chaos, KIT_CHAOS_ERRORS, "{\"rate\":0.25,\"status\":502,\"ttlMs\":3000}", start);
    apply(&chaos, KIT_CHAOS_READINESS, "{\"ttlMs\":10}", start);
    struct mono_ns now = {after_ms(9).ns + 1};
    json_t *value = kit_chaos_describe(&chaos, now);
    json_t *wanted = json_pack("{s:{s:f,s:i,s:i},s:n,s:{s:i},s:n,s:n,s:n}", "errors", "rate", 0.25,
                               "status", 502, "ttlMs", 2991, "latency", "readiness", "ttlMs", 1,
                               "dependency", "cpu", "memory");
    assert_true(json_equal(value, wanted));
    json_decref(value);
    json_decref(wanted);
    kit_chaos_clear(&chaos, KIT_CHAOS_READINESS);
    assert_false(kit_chaos_active(&chaos, KIT_CHAOS_READINESS, now));
    assert_true(kit_chaos_active(&chaos, KIT_CHAOS_ERRORS, now));
}

static void test_a_dependency_is_lacked_by_name_until_its_time(void **state)
{
    (void)state;
    struct kit_chaos chaos;
    kit_chaos_init(&chaos, 1);
    assert_false(kit_chaos_lacks(&chaos, "", start));
    apply(&chaos, KIT_CHAOS_DEPENDENCY, "{\"name\":\"postgres\",\"ttlMs\":1000}", start);
    assert_true(kit_chaos_lacks(&chaos, "postgres", after_ms(999)));
    assert_false(kit_chaos_lacks(&chaos, "redis", after_ms(999)));
    assert_false(kit_chaos_lacks(&chaos, "postgres", after_ms(1000)));
    apply(&chaos, KIT_CHAOS_DEPENDENCY, "{\"name\":\"redis\",\"ttlMs\":1000}", start);
    assert_false(kit_chaos_lacks(&chaos, "postgres", start));
    assert_true(kit_chaos_lacks(&chaos, "redis", start));
    kit_chaos_clear(&chaos, KIT_CHAOS_DEPENDENCY);
    assert_false(kit_chaos_lacks(&chaos, "redis", start));
}

/* A TTL is mandatory, and what a fault takes has a most. */
static void test_bodies_of_each_kind(void **state)
{
    (void)state;
    static const struct {
        enum kit_chaos_kind kind;
        const char *body;
        bool ok;
    } cases[] = {
        {KIT_CHAOS_DEPENDENCY, "{\"name\":\"a\"}", false},
        {KIT_CHAOS_DEPENDENCY, "{\"ttlMs\":5}", false},
        {KIT_CHAOS_DEPENDENCY, "{\"name\":\"\",\"ttlMs\":5}", false},
        {KIT_CHAOS_DEPENDENCY, "{\"name\":7,\"ttlMs\":5}", false},
        {KIT_CHAOS_CPU, "{\"load\":0.5}", false},
        {KIT_CHAOS_CPU, "{\"load\":1.01,\"ttlMs\":5}", false},
        {KIT_CHAOS_CPU, "{\"load\":0,\"ttlMs\":5}", false},
        {KIT_CHAOS_CPU, "{\"load\":1,\"ttlMs\":5}", true},
        {KIT_CHAOS_MEMORY, "{\"bytes\":4096}", false},
        {KIT_CHAOS_MEMORY, "{\"bytes\":0,\"ttlMs\":5}", false},
        {KIT_CHAOS_MEMORY, "{\"bytes\":1073741825,\"ttlMs\":5}", false},
        {KIT_CHAOS_MEMORY, "{\"bytes\":1.5,\"ttlMs\":5}", false},
        {KIT_CHAOS_MEMORY, "{\"bytes\":1073741824,\"ttlMs\":5}", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kit_chaos chaos;
        kit_chaos_init(&chaos, 1);
        assert_int_equal(apply(&chaos, cases[i].kind, cases[i].body, start) == 0, cases[i].ok);
        assert_int_equal(kit_chaos_active(&chaos, cases[i].kind, start), cases[i].ok);
    }
}

static void test_kinds(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KIT_CHAOS_KINDS; i++) {
        enum kit_chaos_kind kind;
        assert_true(kit_chaos_kind_parse(kit_chaos_kind_name((enum kit_chaos_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    enum kit_chaos_kind kind = KIT_CHAOS_LATENCY;
    assert_false(kit_chaos_kind_parse("error", &kind));
    assert_int_equal(kind, KIT_CHAOS_LATENCY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expires_without_anything_firing),
        cmocka_unit_test(test_posting_again_replaces_values_and_expiry),
        cmocka_unit_test(test_refused_body_leaves_what_was_in_force),
        cmocka_unit_test(test_share_follows_rate_and_seed),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_a_dependency_is_lacked_by_name_until_its_time),
        cmocka_unit_test(test_bodies_of_each_kind),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
