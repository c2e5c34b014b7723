/* SPDX-License-Identifier: Apache-2.0 */
/* Every number here was worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/json.h"
#include "reports/slo.h"

/* Load from 1002 to 1018, scraped each second: the window is 1000..1020. */
static const struct slo_window window = {.start = 1000, .end = 1020, .scrape = 1};

static void add(struct slo_set *set, const char *text)
{
    struct base_error err = {0};
    char whole[4096];
    (void)snprintf(whole, sizeof whole, "{\"resultType\":\"matrix\",\"result\":[%s]}", text);
    json_t *json = json_loads(whole, 0, NULL);
    assert_non_null(json);
    if (!slo_set_add(set, json, &err))
        fail_msg("%s", err.message);
    json_decref(json);
}

/* Scrapes of instance a at every second from..to, all answered with value. */
static void scrapes(struct slo_set *up, const char *instance, int from, int to, int value)
{
    char text[4096];
    int len =
        snprintf(text, sizeof text, "{\"metric\":{\"instance\":\"%s\"},\"values\":[", instance);
    for (int t = from; t <= to; t++)
        len += snprintf(text + len, sizeof text - (size_t)len, "%s[%d,\"%d\"]", t > from ? "," : "",
                        t, value);
    (void)snprintf(text + len, sizeof text - (size_t)len, "]}");
    add(up, text);
}

static struct slo_increase increase(const char *series, const struct slo_set *up)
{
    struct slo_set set = {0};
    static const struct slo_set none = {0};
    add(&set, series);
    struct slo_increase out = slo_increase(&set, up == NULL ? &none : up, &window, SLO_ALL_TRAFFIC);
    slo_set_fini(&set);
    return out;
}

#define SERIES(values) "{\"metric\":{\"instance\":\"a\"},\"values\":[" values "]}"

static void counts_differences_inside_the_window_only(void **state)
{
    (void)state;
    struct slo_increase got = increase(
        SERIES("[990,\"100\"],[1000,\"110\"],[1010,\"150\"],[1020,\"175\"],[1021,\"999\"]"), NULL);
    assert_float_equal(got.events, 65, 0); /* 175 - 110: neither edge is extrapolated */
    assert_int_equal(got.resets, 0);
    assert_int_equal(got.series, 1);
}

static void a_reset_counts_from_zero(void **state)
{
    (void)state;
    struct slo_increase got = increase(
        SERIES("[999,\"100\"],[1001,\"100\"],[1005,\"130\"],[1006,\"7\"],[1010,\"9\"],[1011,\"0\"],"
               "[1012,\"4\"]"),
        NULL);
    assert_float_equal(got.events, 30 + 7 + 2 + 0 + 4, 0);
    assert_int_equal(got.resets, 2);
}

static void a_gap_costs_nothing(void **state)
{
    (void)state;
    struct slo_increase got = increase(SERIES("[1000,\"10\"],[1002,\"20\"],[1019,\"90\"]"), NULL);
    assert_float_equal(got.events, 80, 0);
}

static void a_new_series_counts_from_zero_when_its_target_was_scraped_before(void **state)
{
    (void)state;
    struct slo_set up = {0};
    scrapes(&up, "a", 998, 1020, 1);
    struct slo_increase got = increase(SERIES("[1008,\"5\"],[1009,\"8\"]"), &up);
    slo_set_fini(&up);
    assert_float_equal(got.events, 8, 0);
    assert_int_equal(got.started, 1);
}

static void a_series_in_the_first_scrape_was_there_before(void **state)
{
    (void)state;
    struct slo_increase got = increase(SERIES("[1001,\"5000\"],[1009,\"5008\"]"), NULL);
    assert_float_equal(got.events, 8, 0);
    assert_int_equal(got.started, 0);
}

static void a_target_that_was_not_known_before_counts_from_zero(void **state)
{
    (void)state;
    struct slo_increase got = increase(SERIES("[1008,\"5\"],[1009,\"8\"]"), NULL);
    assert_float_equal(got.events, 8, 0);
    assert_int_equal(got.started, 1);
}

static void a_series_behind_failed_scrapes_counts_from_its_first_sample(void **state)
{
    (void)state;
    struct slo_set up = {0};
    scrapes(&up, "a", 998, 1007, 0);
    scrapes(&up, "b", 998, 1020, 1); /* another instance's scrapes prove nothing about a */
    struct slo_increase got = increase(SERIES("[1008,\"1000000\"],[1009,\"1000003\"]"), &up);
    slo_set_fini(&up);
    assert_float_equal(got.events, 3, 0);
    assert_int_equal(got.unseen, 1);
}

static void answers_in_chunks_are_one_series(void **state)
{
    (void)state;
    struct slo_set set = {0};
    static const struct slo_set none = {0};
    add(&set, SERIES("[1010,\"30\"],[1012,\"50\"]"));
    add(&set, SERIES("[1000,\"10\"],[1005,\"20\"],[1010,\"30\"]"));
    assert_int_equal(set.series_count, 1);
    assert_int_equal(set.series[0].sample_count, 4);
    assert_float_equal(slo_increase(&set, &none, &window, SLO_ALL_TRAFFIC).events, 40, 0);
    slo_set_fini(&set);
}

static void nan_is_no_count(void **state)
{
    (void)state;
    struct slo_increase got =
        increase(SERIES("[1000,\"1\"],[1001,\"NaN\"],[1002,\"4\"],[1003,\"+Inf\"]"), NULL);
    assert_float_equal(got.events, 3, 0);
}

static void load_traffic_is_told_from_the_rest(void **state)
{
    (void)state;
    struct slo_set set = {0};
    static const struct slo_set none = {0};
    add(&set, "{\"metric\":{\"traffic\":\"load\"},\"values\":[[1000,\"0\"],[1010,\"7\"]]},"
              "{\"metric\":{\"traffic\":\"user\"},\"values\":[[1000,\"0\"],[1010,\"100\"]]},"
              "{\"metric\":{},\"values\":[[1000,\"0\"],[1010,\"20\"]]}");
    assert_float_equal(slo_increase(&set, &none, &window, SLO_LOAD_TRAFFIC).events, 27, 0);
    assert_float_equal(slo_increase(&set, &none, &window, SLO_ALL_TRAFFIC).events, 127, 0);
    slo_set_fini(&set);
}

static void what_is_no_matrix_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{}",
        "{\"resultType\":\"vector\",\"result\":[]}",
        "{\"resultType\":\"matrix\"}",
        "{\"resultType\":\"matrix\",\"result\":[3]}",
        "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1]]}]}",
        "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1,\"x\"]]}]}",
        "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[\"1\",\"1\"]]}]}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct slo_set set = {0};
        struct base_error err = {0};
        json_t *json = json_loads(wrong[i], 0, NULL);
        assert_false(slo_set_add(&set, json, &err));
        assert_int_equal(err.code, BASE_CORRUPT);
        json_decref(json);
        slo_set_fini(&set);
    }
}

static void coverage_counts_successful_scrapes_of_each_instance(void **state)
{
    (void)state;
    struct slo_set up = {0};
    scrapes(&up, "a", 995, 1030, 1); /* 21 in the window, 20 expected */
    scrapes(&up, "b", 1000, 1004, 1);
    scrapes(&up, "b", 1005, 1020, 0);
    struct slo_coverage got = slo_coverage(&up, 2, &window);
    slo_set_fini(&up);
    assert_int_equal(got.expected, 40);
    assert_int_equal(got.present, 25); /* a's extra scrape does not make up for b's */
    assert_float_equal(got.share, 0.625, 1e-12);
    assert_int_equal(got.instances_seen, 2);
}

static void no_instance_is_no_coverage(void **state)
{
    (void)state;
    struct slo_set up = {0};
    assert_float_equal(slo_coverage(&up, 0, &window).share, 0, 0);
    assert_float_equal(slo_coverage(&up, SIZE_MAX, &window).share, 0, 0);
}

/* --- verdicts --- */

static struct plan_slo slo_of(double objective, enum plan_slo_kind kind)
{
    return (struct plan_slo){
        .kind = kind, .objective = objective, .min_coverage = 0.9, .instances = 1};
}

struct judged {
    enum plan_slo_kind kind;
    double objective;
    const char *total;
    const char *part; /* NULL: no series */
    int scraped_to;   /* the last second that was scraped */
    enum verdict_status status;
    enum verdict_reason reason;
    double sli; /* NaN: none */
    double spent;
};

#define GREW(by) SERIES("[1000,\"50\"],[1019,\"" by "\"]")

static void verdicts(void **state)
{
    (void)state;
    static const struct judged cases[] = {
        /* 1000 events, 10 bad, 99 %: the budget is spent to the last event */
        {PLAN_SLO_AVAILABILITY, 0.99, GREW("1050"), GREW("60"), 1020, VERDICT_PASS, REASON_MET,
         0.99, 1},
        /* 1 - 0.9 is less than a tenth in binary; 100 of 1000 are allowed all the same */
        {PLAN_SLO_AVAILABILITY, 0.9, GREW("1050"), GREW("150"), 1020, VERDICT_PASS, REASON_MET, 0.9,
         1},
        {PLAN_SLO_AVAILABILITY, 0.99, GREW("1050"), GREW("61"), 1020, VERDICT_FAIL, REASON_NOT_MET,
         0.989, 1.1},
        /* no error series: none bad, since the total is there and the scrapes are proven */
        {PLAN_SLO_AVAILABILITY, 0.99, GREW("1050"), NULL, 1020, VERDICT_PASS, REASON_MET, 1, 0},
        {PLAN_SLO_AVAILABILITY, 0.99, GREW("1050"), NULL, 1005, VERDICT_INSUFFICIENT,
         REASON_LOW_COVERAGE, 1, 0},
        /* 0/0 */
        {PLAN_SLO_AVAILABILITY, 0.99, GREW("50"), NULL, 1020, VERDICT_INSUFFICIENT,
         REASON_TOO_FEW_EVENTS, (double)NAN, (double)NAN},
        {PLAN_SLO_AVAILABILITY, 0.99, NULL, NULL, 1020, VERDICT_INSUFFICIENT, REASON_NO_DATA,
         (double)NAN, (double)NAN},
        /* 999 events are too few for 99 %, though none was bad */
        {PLAN_SLO_AVAILABILITY, 0.99, GREW("1049"), NULL, 1020, VERDICT_INSUFFICIENT,
         REASON_TOO_FEW_EVENTS, 1, 0},
        {PLAN_SLO_AVAILABILITY, 0.99, GREW("1050"), GREW("1100"), 1020, VERDICT_ERROR,
         REASON_TOOL_ERROR, -0.05, 105},
        /* latency: 985 of 1000 in the bucket */
        {PLAN_SLO_LATENCY, 0.99, GREW("1050"), GREW("1035"), 1020, VERDICT_FAIL, REASON_NOT_MET,
         0.985, 1.5},
        {PLAN_SLO_LATENCY, 0.98, GREW("1050"), GREW("1035"), 1020, VERDICT_PASS, REASON_MET, 0.985,
         0.75},
        /* no such bucket is not "all were slow" */
        {PLAN_SLO_LATENCY, 0.99, GREW("1050"), NULL, 1020, VERDICT_INSUFFICIENT, REASON_NO_DATA, 0,
         100},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct judged *c = &cases[i];
        struct slo_evidence evidence = {.asked = true};
        if (c->total != NULL)
            add(&evidence.total, c->total);
        if (c->part != NULL)
            add(&evidence.part, c->part);
        scrapes(&evidence.up, "a", 1000, c->scraped_to, 1);
        struct plan_slo slo = slo_of(c->objective, c->kind);
        struct slo_result got = slo_judge(&slo, &evidence, &window);
        slo_evidence_fini(&evidence);
        if (got.status != c->status || got.reason != c->reason)
            fail_msg("case %zu: %s %s", i, verdict_status_name(got.status),
                     verdict_reason_name(got.reason));
        assert_int_equal(isnan(c->sli), isnan(got.sli));
        if (!isnan(c->sli)) {
            assert_true(fabs(got.sli - c->sli) < 1e-9);
            assert_true(fabs(got.budget_spent - c->spent) < 1e-9);
        }
    }
}

static void a_failed_or_missing_query_is_insufficient(void **state)
{
    (void)state;
    struct plan_slo slo = slo_of(0.99, PLAN_SLO_AVAILABILITY);
    struct slo_evidence evidence = {.asked = false};
    add(&evidence.total, GREW("1050"));
    scrapes(&evidence.up, "a", 1000, 1020, 1);
    assert_int_equal(slo_judge(&slo, &evidence, &window).reason, REASON_NO_DATA);
    evidence.asked = true;
    assert_int_equal(slo_judge(&slo, &evidence, &window).reason, REASON_MET);
    char why[] = "connection refused";
    evidence.failed = why;
    struct slo_result got = slo_judge(&slo, &evidence, &window);
    evidence.failed = NULL;
    slo_evidence_fini(&evidence);
    assert_int_equal(got.status, VERDICT_INSUFFICIENT);
    assert_int_equal(got.reason, REASON_QUERY_FAILED);
}

/* Two instances with 0 % of 900 and 50 % of 100 bad: 5 %, where a mean of ratios says 25 %. */
static void ratios_are_not_averaged(void **state)
{
    (void)state;
    struct slo_evidence evidence = {.asked = true};
    add(&evidence.total,
        "{\"metric\":{\"instance\":\"a\"},\"values\":[[1000,\"0\"],[1019,\"900\"]]},"
        "{\"metric\":{\"instance\":\"b\"},\"values\":[[1000,\"0\"],[1019,\"100\"]]}");
    add(&evidence.part,
        "{\"metric\":{\"instance\":\"b\"},\"values\":[[1000,\"0\"],[1019,\"50\"]]}");
    scrapes(&evidence.up, "a", 1000, 1020, 1);
    struct plan_slo slo = slo_of(0.94, PLAN_SLO_AVAILABILITY);
    struct slo_result got = slo_judge(&slo, &evidence, &window);
    slo_evidence_fini(&evidence);
    assert_true(fabs(got.sli - 0.95) < 1e-12);
    assert_int_equal(got.status, VERDICT_PASS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_differences_inside_the_window_only),
        cmocka_unit_test(a_reset_counts_from_zero),
        cmocka_unit_test(a_gap_costs_nothing),
        cmocka_unit_test(a_new_series_counts_from_zero_when_its_target_was_scraped_before),
        cmocka_unit_test(a_series_in_the_first_scrape_was_there_before),
        cmocka_unit_test(a_target_that_was_not_known_before_counts_from_zero),
        cmocka_unit_test(a_series_behind_failed_scrapes_counts_from_its_first_sample),
        cmocka_unit_test(answers_in_chunks_are_one_series),
        cmocka_unit_test(nan_is_no_count),
        cmocka_unit_test(load_traffic_is_told_from_the_rest),
        cmocka_unit_test(what_is_no_matrix_is_refused),
        cmocka_unit_test(coverage_counts_successful_scrapes_of_each_instance),
        cmocka_unit_test(no_instance_is_no_coverage),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(a_failed_or_missing_query_is_insufficient),
        cmocka_unit_test(ratios_are_not_averaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
