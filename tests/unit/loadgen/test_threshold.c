/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "loadgen/threshold.h"

static void test_forms(void **state)
{
    (void)state;
    struct load_thresholds thresholds = {.count = 0};
    assert_true(load_thresholds_add(&thresholds, "p99 < 250ms", NULL));
    assert_true(load_thresholds_add(&thresholds, "errors<1% over 10s", NULL));
    assert_true(load_thresholds_add(&thresholds, "rate > 5/s over 2s abort", NULL));
    assert_int_equal(thresholds.items[0].over.ns, 0);
    assert_int_equal(thresholds.items[1].over.ns, 10 * BASE_NS_PER_S);
    assert_false(thresholds.items[1].abort);
    assert_true(thresholds.items[2].abort);
    assert_int_equal(thresholds.items[2].expect.stat, EXPECT_RATE);
    static const char *const bad[][2] = {
        {"p99 < 250", "did you mean 250ms?"},
        {"p99 < 1s over", "at character 14: expected the length of a window"},
        {"p99 < 1s over 10", "at character 15: expected the length of a window"},
        {"p99 < 1s over 0s", "at character 15"},
        {"p99 < 1s over 5s stop", "at character 18: expected phase, route, over or abort"},
        {"p99 < 1s over 5s abort now", "at character 24"},
        {"p99 < 1s abort", "at character 10: expected over"},
        {"p99 < 1s abort over 5s", "at character 10"},
        {"p99 < 1s over 5s over 6s", "at character 18"},
        {"p99 < 1s route", "at character 15: expected the name of a route"},
        {"p99 < 1s phase", "at character 15: expected the name of a phase"},
        {"p99 < 1s route a route b", "at character 18"},
        {"route a", "at character 1"},
        {"p99 < 1s in phase a", "found \"1s in\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct base_error err;
        if (load_thresholds_add(&thresholds, bad[i][0], &err))
            fail_msg("accepted: %s", bad[i][0]);
        if (strstr(err.message, bad[i][1]) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", bad[i][0], err.message, bad[i][1]);
    }
    assert_int_equal(thresholds.count, 3);
    assert_true(
        load_thresholds_add(&thresholds, "p99<1s  route life.read over 2s phase x abort", NULL));
    assert_string_equal(thresholds.items[3].route, "life.read");
    assert_string_equal(thresholds.items[3].phase, "x");
    assert_int_equal(thresholds.items[3].over.ns, 2 * BASE_NS_PER_S);
    assert_true(thresholds.items[3].abort);
    assert_null(thresholds.items[2].route);
    assert_null(thresholds.items[2].phase);
    load_thresholds_fini(&thresholds);
    assert_true(load_thresholds_add(&thresholds, "p99 < 250ms", NULL));
    assert_true(load_thresholds_add(&thresholds, "errors<1% over 10s", NULL));
    assert_true(load_thresholds_add(&thresholds, "rate > 5/s over 2s abort", NULL));
    const struct load_spec shorter = {.duration = {5 * BASE_NS_PER_S}, .interval = {BASE_NS_PER_S}};
    struct base_error err;
    assert_false(load_thresholds_start(&thresholds, &shorter, &err));
    assert_non_null(strstr(err.message, "longer than the load"));
    /* What is made of intervals cannot be shorter than one. */
    const struct load_spec coarse = {.duration = {50 * BASE_NS_PER_S},
                                     .interval = {2 * BASE_NS_PER_S + 1}};
    assert_false(load_thresholds_start(&thresholds, &coarse, &err));
    assert_non_null(strstr(err.message, "\"rate > 5/s over 2s abort\": its window is shorter"));
    const struct load_spec fitting = {.duration = {10 * BASE_NS_PER_S},
                                      .interval = {2 * BASE_NS_PER_S}};
    assert_true(load_thresholds_start(&thresholds, &fitting, &err));
    load_thresholds_fini(&thresholds);
    load_thresholds_fini(&thresholds);
}

/* Only one that says so ends the load, and only when it fails. */
static void test_abort(void **state)
{
    (void)state;
    const struct load_spec spec = {.duration = {9 * BASE_NS_PER_S}, .interval = {BASE_NS_PER_S}};
    struct load_interval good = {.length = {BASE_NS_PER_S},
                                 .counts = {.intended = 100, .sent = 100, .ok = 100}};
    struct load_interval bad = good;
    bad.counts.ok = 50;
    bad.counts.failed[LOAD_FAIL_RESET] = 50;
    struct load_thresholds thresholds = {.count = 0};
    assert_true(load_thresholds_add(&thresholds, "errors < 1% over 1s", NULL));
    assert_true(load_thresholds_add(&thresholds, "errors < 30% over 2s abort", NULL));
    assert_true(load_thresholds_start(&thresholds, &spec, NULL));
    assert_true(load_thresholds_interval(&thresholds, &good));
    assert_true(load_thresholds_interval(&thresholds, &bad)); /* 25 % over two seconds */
    assert_false(load_thresholds_interval(&thresholds, &bad));
    load_thresholds_fini(&thresholds);
}

static enum verdict_status judge(const char *text, const struct load_result *result,
                                 const struct hdr *response, struct load_judged *out)
{
    struct load_thresholds one = {.count = 0};
    const struct load_whole whole = {.result = result, .response = response};
    assert_true(load_thresholds_add(&one, text, NULL));
    *out = load_threshold_judge(&one.items[0], &whole);
    enum verdict_status status = load_thresholds_judge(&one, &whole);
    assert_int_equal(status, out->status);
    load_thresholds_fini(&one);
    return status;
}

/* Of the whole: what holds, what does not, and what is no evidence either way. */
static void test_the_whole_is_judged(void **state)
{
    (void)state;
    struct hdr hdr;
    struct load_judged judged;
    const struct load_result good = {.complete = true,
                                     .scheduled = {10 * BASE_NS_PER_S},
                                     .total = {.intended = 1000, .sent = 1000, .ok = 1000}};
    assert_true(hdr_init_latency(&hdr, NULL));
    hdr_record_n(&hdr, 5 * BASE_NS_PER_MS, 990);
    hdr_record_n(&hdr, 900 * BASE_NS_PER_MS, 10);
    static const struct {
        const char *text;
        enum verdict_status status;
    } cases[] = {
        {"p99 < 250ms", VERDICT_PASS},        {"p99 < 5ms", VERDICT_FAIL},
        {"p99.9 < 5s", VERDICT_INSUFFICIENT}, {"max < 1s", VERDICT_PASS},
        {"max < 800ms", VERDICT_FAIL},        {"rate >= 100/s", VERDICT_PASS},
        {"rate > 100/s", VERDICT_FAIL},       {"count >= 1000", VERDICT_PASS},
        {"count > 1000", VERDICT_FAIL},       {"errors <= 0%", VERDICT_PASS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (judge(cases[i].text, &good, &hdr, &judged) != cases[i].status)
            fail_msg("%s: %s", cases[i].text, verdict_status_name(judged.status));
    /* The same figures prove nothing of a load that was stopped, or limited by its generator. */
    struct load_result weak = good;
    weak.complete = false;
    assert_int_equal(judge("p99 < 250ms", &weak, &hdr, &judged), VERDICT_INSUFFICIENT);
    assert_non_null(strstr(judged.why, "stopped"));
    weak = good;
    weak.client_limited = true;
    assert_int_equal(judge("p99 < 250ms", &weak, &hdr, &judged), VERDICT_INSUFFICIENT);
    assert_int_equal(judge("p99 < 5ms", &weak, &hdr, &judged), VERDICT_INSUFFICIENT);
    assert_non_null(strstr(judged.why, "generator"));
    weak = (struct load_result){.complete = true};
    assert_int_equal(judge("p99 < 250ms", &weak, NULL, &judged), VERDICT_INSUFFICIENT);
    hdr_fini(&hdr);
}

static void record(struct load_thresholds *thresholds, const char *route, const char *kind,
                   int64_t ms, int64_t times)
{
    struct hdr hdr;
    assert_true(hdr_init_latency(&hdr, NULL));
    hdr_record_n(&hdr, ms * BASE_NS_PER_MS, times);
    load_thresholds_histogram(thresholds, "load", route, kind, &hdr);
    hdr_fini(&hdr);
}

/* A load of one route and a flow of one step. */
static char load[] = "load", home[] = "home", life_read[] = "life.read", life[] = "life",
            step_name[] = "read";
static struct load_route routes[] = {{.name = home, .weight = 1}};
static struct load_step steps[] = {{.name = step_name}};
static struct load_flow flows[] = {{.name = life, .steps = steps, .step_count = 1}};
static const struct load_spec routed = {.duration = {9 * BASE_NS_PER_S},
                                        .interval = {BASE_NS_PER_S},
                                        .first_phase = load,
                                        .routes = routes,
                                        .route_count = 1,
                                        .flows = flows,
                                        .flow_count = 1};

/* Each judges what it names: the whole does not show what one step of a flow is like. */
static void test_of_a_route(void **state)
{
    (void)state;
    struct load_part parts[] = {
        {load, home, {.intended = 900, .sent = 900, .ok = 900}},
        {load,
         life_read,
         {.intended = 100, .sent = 100, .ok = 90, .failed = {[LOAD_FAIL_RESET] = 10}}}};
    struct load_interval interval = {.length = {BASE_NS_PER_S}, .parts = parts, .part_count = 2};
    struct load_result result = {
        .complete = true, .scheduled = {9 * BASE_NS_PER_S}, .parts = parts, .part_count = 2};
    for (size_t i = 0; i < 2; i++)
        load_counts_add(&result.total, &parts[i].counts);
    interval.counts = result.total;
    struct hdr all;
    assert_true(hdr_init_latency(&all, NULL));
    hdr_record_n(&all, 5 * BASE_NS_PER_MS, 900);
    hdr_record_n(&all, 500 * BASE_NS_PER_MS, 90);
    const struct load_whole whole = {.result = &result, .response = &all};
    static const struct {
        const char *text;
        enum verdict_status status;
    } cases[] = {
        {"p90 < 100ms", VERDICT_PASS},
        {"p80 < 100ms route home", VERDICT_PASS},
        {"p80 < 100ms route life.read", VERDICT_FAIL},
        {"p80 < 100ms route life.read phase load", VERDICT_FAIL},
        {"p80 < 100ms over 1s route life.read", VERDICT_FAIL},
        {"p80 < 100ms over 1s route home phase load", VERDICT_PASS},
        {"p99 < 1s route life.read", VERDICT_INSUFFICIENT}, /* 90 are too few for it */
        {"errors < 5%", VERDICT_PASS},
        {"errors < 5% route life.read", VERDICT_FAIL},
        {"errors < 5% route life.read over 1s", VERDICT_FAIL},
        {"count >= 901 route home", VERDICT_FAIL},
        {"count >= 90 route life.read", VERDICT_PASS},
    };
    enum { CASES = sizeof cases / sizeof *cases };
    struct load_thresholds thresholds = {.count = 0};
    for (size_t i = 0; i < CASES; i++)
        assert_true(load_thresholds_add(&thresholds, cases[i].text, NULL));
    assert_true(load_thresholds_start(&thresholds, &routed, NULL));
    record(&thresholds, home, LOAD_ENDED, 5, 900);
    record(&thresholds, life_read, LOAD_ENDED, 500, 90);
    record(&thresholds, life_read, LOAD_RESPONSE, 1, 900);
    record(&thresholds, life_read, "service", 1, 900);
    assert_true(load_thresholds_interval(&thresholds, &interval));
    for (size_t i = 0; i < CASES; i++) {
        struct load_judged judged = load_threshold_judge(&thresholds.items[i], &whole);
        if (judged.status != cases[i].status)
            fail_msg("%s: %s", cases[i].text, verdict_status_name(judged.status));
    }
    load_thresholds_fini(&thresholds);
    hdr_fini(&all);
}

/* A warm-up is kept out of what is judged, rates by how long the phase was. */
static void test_of_a_phase(void **state)
{
    (void)state;
    struct load_spec spec = {.duration = {9 * BASE_NS_PER_S},
                             .interval = {BASE_NS_PER_S},
                             .routes = routes,
                             .route_count = 1};
    load_spec_add_phase(&spec, base_dur_s(0), "warm-up");
    load_spec_add_phase(&spec, base_dur_s(2), load);
    load_spec_add_phase(&spec, base_dur_s(7), "warm-up");
    char *warm_up = spec.first_phase;
    struct load_part parts[] = {
        {warm_up, home, {.intended = 400, .sent = 400, .ok = 200, .failed = {[0] = 200}}},
        {load, home, {.intended = 1000, .sent = 1000, .ok = 1000}}};
    struct load_result result = {
        .complete = true, .scheduled = {9 * BASE_NS_PER_S}, .parts = parts, .part_count = 2};
    for (size_t i = 0; i < 2; i++)
        load_counts_add(&result.total, &parts[i].counts);
    struct hdr all, slow;
    assert_true(hdr_init_latency(&all, NULL) && hdr_init_latency(&slow, NULL));
    hdr_record_n(&slow, 500 * BASE_NS_PER_MS, 200);
    hdr_record_n(&all, 5 * BASE_NS_PER_MS, 1000);
    assert_true(hdr_add(&all, &slow, NULL));
    const struct load_whole whole = {.result = &result, .response = &all};
    static const struct {
        const char *text;
        enum verdict_status status;
    } cases[] = {
        {"p90 < 100ms", VERDICT_FAIL},
        {"p90 < 100ms phase load", VERDICT_PASS},
        {"p90 < 100ms phase warm-up", VERDICT_FAIL},
        {"p90 < 100ms phase load route home", VERDICT_PASS},
        {"errors < 1% phase load", VERDICT_PASS},
        {"errors < 1% phase warm-up", VERDICT_FAIL},
        {"rate > 199/s phase load", VERDICT_PASS}, /* 1000 in 5 s */
        {"rate > 201/s phase load", VERDICT_FAIL},
        {"rate > 51/s phase warm-up", VERDICT_FAIL}, /* 200 in 2 s + 2 s */
        {"rate > 49/s phase warm-up", VERDICT_PASS},
        {"count >= 1001 phase load", VERDICT_FAIL},
    };
    enum { CASES = sizeof cases / sizeof *cases };
    struct load_thresholds thresholds = {.count = 0};
    for (size_t i = 0; i < CASES; i++)
        assert_true(load_thresholds_add(&thresholds, cases[i].text, NULL));
    assert_true(load_thresholds_start(&thresholds, &spec, NULL));
    record(&thresholds, home, LOAD_ENDED, 5, 1000);
    load_thresholds_histogram(&thresholds, "warm-up", home, LOAD_ENDED, &slow);
    for (size_t i = 0; i < CASES; i++) {
        struct load_judged judged = load_threshold_judge(&thresholds.items[i], &whole);
        if (judged.status != cases[i].status)
            fail_msg("%s: %s", cases[i].text, verdict_status_name(judged.status));
    }
    load_thresholds_fini(&thresholds);
    struct base_error err;
    assert_true(load_thresholds_add(&thresholds, "p50 < 1s phase warmup", NULL));
    assert_false(load_thresholds_start(&thresholds, &spec, &err));
    assert_non_null(strstr(err.message, "no phase \"warmup\", there is \"warm-up\""));
    load_thresholds_fini(&thresholds);
    hdr_fini(&all);
    hdr_fini(&slow);
    spec.routes = NULL;
    spec.route_count = 0;
    load_spec_fini(&spec);
}

static void test_names_that_the_load_does_not_have(void **state)
{
    (void)state;
    struct load_thresholds thresholds = {.count = 0};
    static const char *const unknown[][2] = {
        {"p50 < 1s route life.raed", "no route \"life.raed\", there is \"life.read\""},
        {"p50 < 1s route life", "no route \"life\", there is"},
        {"p50 < 1s over 2s phase steady", "no phase \"steady\", there is \"load\""},
    };
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        struct base_error err;
        assert_true(load_thresholds_add(&thresholds, unknown[i][0], NULL));
        assert_false(load_thresholds_start(&thresholds, &routed, &err));
        if (strstr(err.message, unknown[i][1]) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", unknown[i][0], err.message, unknown[i][1]);
        assert_int_equal(err.code, BASE_INVALID);
        load_thresholds_fini(&thresholds);
    }
}

/* Of windows: none that was full, or some with too few events, are no pass; and of several
 * thresholds the worst counts, a failure before what is insufficient. */
static void test_windows_and_several(void **state)
{
    (void)state;
    const struct load_spec spec = {.duration = {9 * BASE_NS_PER_S}, .interval = {BASE_NS_PER_S}};
    const struct load_interval idle = {.length = {BASE_NS_PER_S}};
    struct load_interval busy = {.length = {BASE_NS_PER_S},
                                 .counts = {.intended = 100, .sent = 100, .ok = 100}};
    const struct load_result result = {.complete = true,
                                       .scheduled = {9 * BASE_NS_PER_S},
                                       .total = {.intended = 100, .sent = 100, .ok = 100}};
    const struct load_whole whole = {.result = &result};
    struct load_thresholds thresholds = {.count = 0};
    assert_true(load_thresholds_add(&thresholds, "errors < 1% over 3s", NULL));
    assert_true(load_thresholds_add(&thresholds, "errors < 1% over 1s", NULL));
    assert_true(load_thresholds_add(&thresholds, "count >= 100", NULL));
    assert_true(load_thresholds_start(&thresholds, &spec, NULL));
    assert_true(load_thresholds_interval(&thresholds, &busy));
    assert_int_equal(load_threshold_judge(&thresholds.items[1], &whole).status, VERDICT_PASS);
    struct load_judged judged = load_threshold_judge(&thresholds.items[0], &whole);
    assert_int_equal(judged.status, VERDICT_INSUFFICIENT);
    assert_non_null(strstr(judged.why, "ever full"));
    assert_int_equal(load_thresholds_judge(&thresholds, &whole), VERDICT_INSUFFICIENT);
    assert_true(load_thresholds_interval(&thresholds, &idle));
    judged = load_threshold_judge(&thresholds.items[1], &whole);
    assert_int_equal(judged.status, VERDICT_INSUFFICIENT);
    assert_non_null(strstr(judged.why, "too few"));
    busy.counts.ok = 50;
    busy.counts.failed[LOAD_FAIL_RESET] = 50;
    assert_true(load_thresholds_interval(&thresholds, &busy));
    assert_int_equal(load_threshold_judge(&thresholds.items[1], &whole).status, VERDICT_FAIL);
    /* The first two are not all: what comes after a failure does not outweigh it. */
    assert_true(load_thresholds_add(&thresholds, "p99 < 1s", NULL));
    assert_int_equal(load_threshold_judge(&thresholds.items[3], &whole).status,
                     VERDICT_INSUFFICIENT);
    assert_int_equal(load_thresholds_judge(&thresholds, &whole), VERDICT_FAIL);
    load_thresholds_fini(&thresholds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_the_whole_is_judged),
        cmocka_unit_test(test_of_a_route),
        cmocka_unit_test(test_of_a_phase),
        cmocka_unit_test(test_names_that_the_load_does_not_have),
        cmocka_unit_test(test_windows_and_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
