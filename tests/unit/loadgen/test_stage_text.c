/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "stage_text.h"

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t stages;
        struct load_stage last;
    } cases[] = {
        {"30s 500/s", 1, {{30 * BASE_NS_PER_S}, 500, 500, 0, {0}}},
        {"1m  2k", 1, {{60 * BASE_NS_PER_S}, 2000, 2000, 0, {0}}},
        {"1s 0", 1, {{BASE_NS_PER_S}, 0, 0, 0, {0}}},
        {"1s 0..500/s", 1, {{BASE_NS_PER_S}, 0, 500, 0, {0}}},
        {"1s 30..60/m", 1, {{BASE_NS_PER_S}, 0.5, 1, 0, {0}}},
        {"1s 5/s..0/s", 1, {{BASE_NS_PER_S}, 5, 0, 0, {0}}},
        {"10s 50 every 100ms", 1, {{10 * BASE_NS_PER_S}, 0, 0, 50, {100 * BASE_NS_PER_MS}}},
        {"10s 100..500 in 5 steps", 5, {{2 * BASE_NS_PER_S}, 500, 500, 0, {0}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct load_spec spec = {.rate = 0};
        struct base_error err;
        if (!load_stage_parse(cases[i].text, &spec, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_int_equal(spec.stage_count, cases[i].stages);
        const struct load_stage *last = &spec.stages[spec.stage_count - 1];
        assert_int_equal(last->length.ns, cases[i].last.length.ns);
        assert_true(last->from == cases[i].last.from && last->to == cases[i].last.to);
        assert_int_equal(last->burst, cases[i].last.burst);
        assert_int_equal(last->every.ns, cases[i].last.every.ns);
        assert_int_equal(spec.phase_count, 0);
        load_spec_fini(&spec);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "how long it lasts first"},
        {"500/s 30s", "how long it lasts first"},
        {"0s 5", "how long it lasts first"},
        {"30s", "LENGTH RATE"},
        {"30s 5 6", "LENGTH RATE"},
        {"30s 5 every 1s 7", "LENGTH RATE"},
        {"30s -5", "a rate such as"},
        {"30s 5..", "a rate such as"},
        {"30s ..5", "a rate such as"},
        {"30s 1e9", "a rate such as"},
        {"30s 1000000000/s", "a rate such as"},
        {"30s 0..9999999999999999999/s", "a rate such as"},
        {"30s nan", "a rate such as"},
        {"30s 5 every 0s", "a burst such as"},
        {"30s 0.5 every 1s", "a burst such as"},
        {"30s 0 every 1s", "a burst such as"},
        {"30s 2M every 1s", "a burst such as"},
        {"30s 1..5 in 0 steps", "1 to 1000 steps"},
        {"5ns 1..5 in 6 steps", "1 to 1000 steps"},
        {"warm-up 30s 5", "how long it lasts first"},
        {"warm-up:30s 5", "how long it lasts first"},
        {"warm-up:", "how long it lasts first"},
        {"warm up: 30s 5", "how long it lasts first"},
        {"30s: 5", "how long it lasts first"},
        {": 30s 5", "a name of 1 to 100 letters"},
        {"a:b: 30s 5", "a name of 1 to 100 letters"},
        {"a/b: 30s 5", "a name of 1 to 100 letters"},
        {"load: 30s 5", "another name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct load_spec spec = {.rate = 0};
        struct base_error err;
        if (load_stage_parse(cases[i].text, &spec, &err))
            fail_msg("accepted: %s", cases[i].text);
        assert_int_equal(err.code, BASE_INVALID);
        assert_int_equal(spec.stage_count, 0);
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].text, err.message, cases[i].message);
    }
}

/* A name makes a phase, as long as stages of that name last. */
static void test_names(void **state)
{
    (void)state;
    static const char *const stages[] = {"warm-up: 10s 0..500/s", "5s 500/s",
                                         "peak: 10s 500..900 in 5 steps", "peak:  10s 50 every 1s",
                                         "warm-up: 1s 0"};
    struct load_spec spec = {.first_phase = base_str_dup(LOAD_UNNAMED_PHASE)};
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        assert_true(load_stage_parse(stages[i], &spec, NULL));
    assert_int_equal(spec.stage_count, 9);
    assert_string_equal(spec.first_phase, "warm-up");
    static const struct {
        const char *name;
        struct dur_ns start;
    } phases[] = {{"load", {10 * BASE_NS_PER_S}},
                  {"peak", {15 * BASE_NS_PER_S}},
                  {"warm-up", {35 * BASE_NS_PER_S}}};
    assert_int_equal(spec.phase_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(spec.phases[i].name, phases[i].name);
        assert_int_equal(spec.phases[i].start.ns, phases[i].start.ns);
    }
    load_spec_fini(&spec);
    spec.first_phase = base_str_dup(LOAD_UNNAMED_PHASE);
    assert_true(load_user_stage_parse("2s 5", &spec, NULL));
    assert_true(load_user_stage_parse("busy: 3s 5..9", &spec, NULL));
    assert_string_equal(spec.first_phase, LOAD_UNNAMED_PHASE);
    assert_int_equal(spec.phase_count, 1);
    assert_int_equal(spec.phases[0].start.ns, 2 * BASE_NS_PER_S);
    load_spec_fini(&spec);
}

static void test_users(void **state)
{
    (void)state;
    struct load_spec spec = {.rate = 0};
    const struct load_closed *closed = &spec.closed;
    assert_true(load_user_stage_parse("10s 0..50", &spec, NULL));
    assert_true(load_user_stage_parse("1m 50", &spec, NULL));
    assert_true(closed->stages[0].from == 0 && closed->stages[0].to == 50);
    assert_true(closed->stages[1].from == 50 && closed->stages[1].to == 50);
    assert_int_equal(closed->stages[1].length.ns, 60 * BASE_NS_PER_S);
    static const char *const bad[] = {"",        "50",     "10s",  "10s 0.5",       "10s -1",
                                      "10s 5..", "10s 2M", "0s 5", "10s 5 every 1s"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct base_error err;
        if (load_user_stage_parse(bad[i], &spec, &err))
            fail_msg("accepted: %s", bad[i]);
        assert_non_null(strstr(err.message, "expected"));
    }
    assert_int_equal(closed->stage_count, 2);
    load_spec_fini(&spec);
}

static void test_think(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum load_think think;
        int64_t a, b;
    } good[] = {{"250ms", LOAD_THINK_CONSTANT, 250000000, 0},
                {"uniform 1us..3us", LOAD_THINK_UNIFORM, 1000, 3000},
                {"exponential 1us", LOAD_THINK_EXPONENTIAL, 1000, 0},
                {"lognormal 1us..4us", LOAD_THINK_LOGNORMAL, 1000, 4000}};
    static const char *const bad[] = {"",
                                      "1",
                                      "uniform 1s",
                                      "uniform 3s..1s",
                                      "exponential",
                                      "exponential 1s..2s",
                                      "lognormal 0s..1s",
                                      "normal 1s"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct load_closed closed = {.stage_count = 0};
        assert_true(load_think_parse(good[i].text, &closed, NULL));
        assert_int_equal(closed.think, good[i].think);
        assert_int_equal(closed.think_a.ns, good[i].a);
        assert_int_equal(closed.think_b.ns, good[i].b);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct load_closed closed = {.stage_count = 0};
        if (load_think_parse(bad[i], &closed, NULL))
            fail_msg("accepted: %s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms), cmocka_unit_test(test_refused), cmocka_unit_test(test_names),
        cmocka_unit_test(test_users), cmocka_unit_test(test_think),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
