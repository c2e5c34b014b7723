/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct base_buf render(struct kit_metrics *metrics)
{
    struct base_buf out;
    base_buf_init(&out, 1 << 20);
    assert_true(kit_metrics_render(metrics, &out));
    return out;
}

static void holds(struct kit_metrics *metrics, const char *text)
{
    struct base_buf out = render(metrics);
    if (strstr(out.data, text) == NULL)
        fail_msg("missing:\n%s\nin:\n%s", text, out.data);
    base_buf_fini(&out);
}

static void test_counter_with_labels(void **state)
{
    (void)state;
    struct kit_metrics *metrics = kit_metrics_new();
    const struct kit_family_spec spec = {.type = KIT_COUNTER,
                                         .name = "hits_total",
                                         .help = "Back\\slash and\nline.",
                                         .labels = {"path", "code"}};
    struct kit_family *family = kit_metrics_add(metrics, &spec);
    kit_series_add(kit_series_of(family, "/a\"b\\c\nd", "200"), 2);
    kit_series_add(kit_series_of(family, "/a\"b\\c\nd", "200"), 0.5);
    kit_series_add(kit_series_of(family, "\xff", "500"), 1);
    kit_series_add(kit_series_of(family, "\xff", "500"), -5);
    assert_ptr_equal(kit_metrics_add(metrics, &spec), family);
    holds(metrics, "# HELP hits_total Back\\\\slash and\\nline.\n# TYPE hits_total counter\n"
                   "hits_total{path=\"/a\\\"b\\\\c\\nd\",code=\"200\"} 2.5\n"
                   "hits_total{path=\"\xef\xbf\xbd\",code=\"500\"} 1\n");
    kit_metrics_free(metrics);
}

static void test_label_sets_are_not_confused(void **state)
{
    (void)state;
    struct kit_metrics *metrics = kit_metrics_new();
    struct kit_family *family =
        kit_metrics_add(metrics, &(struct kit_family_spec){.type = KIT_COUNTER,
                                                           .name = "x_total",
                                                           .help = "x",
                                                           .labels = {"a", "b"},
                                                           .max_series = 2000});
    kit_series_add(kit_series_of(family, "a", "bc"), 1);
    assert_true(kit_series_of(family, "ab", "c") != kit_series_of(family, "a", "bc"));
    for (int i = 0; i < 1000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        kit_series_add(kit_series_of(family, text, "n"), i);
    }
    for (int i = 0; i < 1000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal((int)kit_series_value(kit_series_of(family, text, "n")), i);
    }
    kit_metrics_free(metrics);
}

static void test_histogram_is_cumulative_and_bounds_are_inclusive(void **state)
{
    (void)state;
    struct kit_metrics *metrics = kit_metrics_new();
    static const double bounds[] = {0.1, 1, 2.5};
    struct kit_family *family =
        kit_metrics_add(metrics, &(struct kit_family_spec){.type = KIT_HISTOGRAM,
                                                           .name = "t_seconds",
                                                           .help = "t",
                                                           .labels = {"k"},
                                                           .buckets = bounds,
                                                           .bucket_count = 3});
    static const double values[] = {0.1, 0.05, 1.0, 1.5, 100};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        kit_series_observe(kit_series_of(family, "v"), values[i]);
    holds(metrics, "t_seconds_bucket{k=\"v\",le=\"0.1\"} 2\n"
                   "t_seconds_bucket{k=\"v\",le=\"1\"} 3\n"
                   "t_seconds_bucket{k=\"v\",le=\"2.5\"} 4\n"
                   "t_seconds_bucket{k=\"v\",le=\"+Inf\"} 5\n"
                   "t_seconds_sum{k=\"v\"} 102.65\n"
                   "t_seconds_count{k=\"v\"} 5\n");
    kit_metrics_free(metrics);
}

static void test_cardinality_is_bounded(void **state)
{
    (void)state;
    struct kit_metrics *metrics = kit_metrics_new();
    struct kit_family *family = kit_metrics_add(
        metrics,
        &(struct kit_family_spec){
            .type = KIT_COUNTER, .name = "n_total", .help = "n", .labels = {"k"}, .max_series = 3});
    for (int i = 0; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof text, "v%d", i);
        kit_series_add(kit_series_of(family, text), 1);
    }
    holds(metrics, "n_total{k=\"v2\"} 1\nn_total{k=\"overflow\"} 97\n");
    holds(metrics, "kit_metrics_overflow_total 97\n");
    struct base_buf out = render(metrics);
    assert_null(strstr(out.data, "v3"));
    base_buf_fini(&out);
    kit_metrics_free(metrics);
}

static void set_gauge(void *ctx)
{
    kit_series_set(ctx, -7);
}

static void test_collectors_run_before_each_exposition(void **state)
{
    (void)state;
    struct kit_metrics *metrics = kit_metrics_new();
    struct kit_series *series = kit_series_plain(kit_metrics_add(
        metrics, &(struct kit_family_spec){.type = KIT_GAUGE, .name = "g", .help = "g"}));
    kit_metrics_on_collect(metrics, set_gauge, series);
    holds(metrics, "# TYPE g gauge\ng -7\n");
    kit_metrics_free(metrics);
}

static void test_forbidden_names_are_refused_and_null_is_harmless(void **state)
{
    (void)state;
    struct kit_metrics *metrics = kit_metrics_new();
    static const char *const names[] = {"", "1x", "a-b", "a b", "__x", "a:b", "\xc3\x9f"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_null(kit_metrics_add(
            metrics, &(struct kit_family_spec){.type = KIT_GAUGE, .name = names[i], .help = "h"}));
    assert_null(kit_metrics_add(
        metrics, &(struct kit_family_spec){
                     .type = KIT_HISTOGRAM, .name = "ok", .help = "h", .labels = {"le"}}));
    kit_series_add(kit_series_of(NULL, "x"), 1);
    kit_series_observe(NULL, 1);
    kit_series_set(NULL, 1);
    kit_metrics_free(metrics);
}

static void test_too_large_for_its_buffer(void **state)
{
    (void)state;
    struct kit_metrics *metrics = kit_metrics_new();
    struct base_buf out;
    base_buf_init(&out, 10);
    assert_false(kit_metrics_render(metrics, &out));
    base_buf_fini(&out);
    kit_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter_with_labels),
        cmocka_unit_test(test_label_sets_are_not_confused),
        cmocka_unit_test(test_histogram_is_cumulative_and_bounds_are_inclusive),
        cmocka_unit_test(test_cardinality_is_bounded),
        cmocka_unit_test(test_collectors_run_before_each_exposition),
        cmocka_unit_test(test_forbidden_names_are_refused_and_null_is_harmless),
        cmocka_unit_test(test_too_large_for_its_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
