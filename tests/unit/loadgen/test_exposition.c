/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "collector.h"
#include "exposition.h"

static char home[] = "home", odd[] = "a\\b", first_phase[] = "steady";
static struct load_route routes[] = {{.name = home, .weight = 1}, {.name = odd, .weight = 1}};
static const struct load_spec spec = {.routes = routes,
                                      .route_count = 2,
                                      .first_phase = first_phase,
                                      .max_late = {BASE_NS_PER_S},
                                      .interval = {BASE_NS_PER_S}};

static struct load_collector collector(bool keep)
{
    struct load_collector c;
    struct base_error err;
    if (!load_collector_init(&c, &spec, -1, 1, &err) ||
        !load_collector_begin(&c, (struct mono_ns){1}, (struct wall_ns){1}, &err))
        fail_msg("%s", err.message);
    c.keep = keep;
    return c;
}

static void record(struct load_collector *c, uint32_t phase, uint32_t route, int64_t ns)
{
    struct load_cell *cell = load_shard_cell(&c->interval, phase, route);
    cell->counts.intended++;
    cell->counts.sent++;
    cell->counts.ok++;
    load_cell_record(cell, LOAD_KIND_RESPONSE, ns);
}

static void close_at(struct load_collector *c, int64_t at)
{
    struct base_error err;
    if (load_collector_close(c, (struct mono_ns){at}, 0, &err) == NULL)
        fail_msg("%s", err.message);
}

static char *written(const struct load_collector *c)
{
    struct base_buf out;
    base_buf_init(&out, 1 << 20);
    const struct load_exposed exposed = {
        .phases = c->phases, .routes = c->routes, .cells = &c->counts, .total = &c->result.total};
    assert_true(load_exposition_write(&exposed, &out));
    return base_buf_steal(&out);
}

static void expect(const char *text, const char *line)
{
    char *whole = base_str_printf("\n%s\n", line);
    const char *at = strstr(text, whole);
    if (at == NULL)
        fail_msg("not there: %s\n%s", line, text);
    assert_null(strstr(at + 1, whole));
    free(whole);
}

static void test_counts_and_buckets(void **state)
{
    (void)state;
    struct load_collector c = collector(true);
    uint32_t late;
    assert_true(load_collector_phase(&c, "late", &late, NULL));
    record(&c, 0, 0, 1);
    record(&c, 0, 0, 100000);   /* a bound itself is below it */
    record(&c, 0, 0, 102000);   /* clearly above */
    record(&c, 0, 0, 59999999); /* 60 ms */
    close_at(&c, 1000);
    record(&c, 0, 0, INT64_C(3000000000000)); /* above all bounds */
    record(&c, late, 1, 1000000);
    load_shard_cell(&c.interval, 0, 0)->counts.sent++;
    load_shard_cell(&c.interval, 0, 0)->counts.failed[LOAD_FAIL_TIMEOUT]++;
    load_shard_cell(&c.interval, late, 1)->counts.sent++; /* under way */
    load_cell_record(load_shard_cell(&c.interval, 0, 2), LOAD_KIND_SCHEDULE, 30000);
    close_at(&c, 2000);
    char *text = written(&c);
    static const char *const lines[] = {
        "squall_load_sent_total{phase=\"steady\",route=\"home\"} 6",
        "squall_load_intended_total{phase=\"late\",route=\"a\\\\b\"} 1",
        "squall_load_requests_total{phase=\"steady\",route=\"home\",outcome=\"ok\"} 5",
        "squall_load_requests_total{phase=\"steady\",route=\"home\",outcome=\"timeout\"} 1",
        "squall_load_requests_total{phase=\"steady\",route=\"home\",outcome=\"reset\"} 0",
        "squall_load_in_flight 1",
        "squall_load_response_seconds_bucket{phase=\"steady\",route=\"home\",le=\"0.0001\"} 2",
        "squall_load_response_seconds_bucket{phase=\"steady\",route=\"home\",le=\"0.00025\"} 3",
        "squall_load_response_seconds_bucket{phase=\"steady\",route=\"home\",le=\"0.05\"} 3",
        "squall_load_response_seconds_bucket{phase=\"steady\",route=\"home\",le=\"0.1\"} 4",
        "squall_load_response_seconds_bucket{phase=\"steady\",route=\"home\",le=\"60\"} 4",
        "squall_load_response_seconds_bucket{phase=\"steady\",route=\"home\",le=\"+Inf\"} 5",
        "squall_load_response_seconds_count{phase=\"steady\",route=\"home\"} 5",
        "squall_load_response_seconds_bucket{phase=\"late\",route=\"a\\\\b\",le=\"0.001\"} 1",
        "squall_load_schedule_error_seconds_count{phase=\"steady\"} 1",
        "# TYPE squall_load_response_seconds histogram",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        expect(text, lines[i]);
    const char *sum = strstr(text, "\nsquall_load_response_seconds_sum{phase=\"steady\"");
    assert_non_null(sum);
    const char *number = strchr(sum, '}') + 2;
    char *digits = base_str_ndup(number, strcspn(number, "\n"));
    double seconds;
    assert_true(base_parse_double(digits, &seconds));
    assert_true(seconds > 2997 && seconds < 3003); /* within a bucket's width */
    free(digits);
    free(text);
    load_collector_fini(&c);
}

/* Nothing happened yet: heads only, no division by nothing; and without `keep` no histograms. */
static void test_empty_and_not_kept(void **state)
{
    (void)state;
    struct load_collector c = collector(true);
    char *text = written(&c);
    assert_null(strstr(text, "_bucket{"));
    expect(text, "squall_load_in_flight 0");
    free(text);
    load_collector_fini(&c);
    c = collector(false);
    record(&c, 0, 0, 5);
    close_at(&c, 1000);
    text = written(&c);
    assert_null(strstr(text, "_bucket{"));
    expect(text, "squall_load_sent_total{phase=\"steady\",route=\"home\"} 1");
    free(text);
    load_collector_fini(&c);
}

/* Names that come from elsewhere cannot break out of their quotes; workers are told by number. */
static void test_of_several_workers(void **state)
{
    (void)state;
    struct load_collector c = collector(true);
    record(&c, 0, 0, 5);
    close_at(&c, 1000);
    char bad[] = "a\"b\n# TYPE";
    char *phases[] = {bad};
    const struct load_exposed_worker workers[] = {{.up = false},
                                                  {.up = true, .silent = {1500000000}}};
    const struct load_exposed exposed = {.phases = phases,
                                         .routes = c.routes,
                                         .cells = &c.counts,
                                         .total = &c.result.total,
                                         .workers = workers,
                                         .worker_count = 2};
    struct base_buf out;
    base_buf_init(&out, 1 << 20);
    assert_true(load_exposition_write(&exposed, &out));
    expect(out.data, "squall_load_sent_total{phase=\"a\\\"b\\n# TYPE\",route=\"home\"} 1");
    expect(out.data, "squall_load_worker_up{worker=\"0\"} 0");
    expect(out.data, "squall_load_worker_up{worker=\"1\"} 1");
    expect(out.data, "squall_load_worker_silent_seconds{worker=\"1\"} 1.5");
    assert_null(strstr(out.data, "silent_seconds{worker=\"0\""));
    base_buf_fini(&out);
    load_collector_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_and_buckets),
        cmocka_unit_test(test_empty_and_not_kept),
        cmocka_unit_test(test_of_several_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
