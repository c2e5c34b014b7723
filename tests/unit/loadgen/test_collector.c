/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector.h"

static char phase[] = "steady";
static char list[] = "list";
static struct load_route routes[] = {{.name = list, .weight = 1}};
static const struct load_spec spec = {.duration = {10 * BASE_NS_PER_S},
                                      .max_late = {10 * BASE_NS_PER_MS},
                                      .routes = routes,
                                      .route_count = 1,
                                      .first_phase = phase};

/* A run that began at 100 s, whose last response came at `last`. */
static struct load_result finished(struct load_collector *collector, int64_t last, int64_t ran)
{
    struct base_error err;
    struct load_shard shard = {0};
    assert_true(load_collector_init(collector, &spec, -1, 1, &err));
    assert_true(load_shard_init(&shard, 1, &err));
    assert_true(load_collector_begin(collector, (struct mono_ns){100 * BASE_NS_PER_S},
                                     (struct wall_ns){1000 * BASE_NS_PER_S}, &err));
    load_shard_cell(&shard, 0, 0)->counts.intended = 1;
    shard.last_end = last;
    assert_true(load_collector_take(collector, 0, &shard, &err));
    assert_non_null(
        load_collector_close(collector, (struct mono_ns){111 * BASE_NS_PER_S}, 0, &err));
    load_collector_finish(collector, true, (struct dur_ns){ran}, (struct dur_ns){0});
    load_shard_fini(&shard);
    return collector->result;
}

/* From when on nobody answers is no end: what is judged by must reach to the end of the load. */
static void the_load_ends_with_its_schedule_or_its_last_response(void **state)
{
    (void)state;
    static const struct {
        int64_t last, ran, ends;
    } cases[] = {{103, 10, 110}, {0, 10, 110}, {112, 10, 112}, {103, 4, 104}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct load_collector collector;
        struct load_result result =
            finished(&collector, cases[i].last * BASE_NS_PER_S, cases[i].ran * BASE_NS_PER_S);
        assert_int_equal(result.end_mono.ns, cases[i].ends * BASE_NS_PER_S);
        assert_int_equal(result.end.ns, (900 + cases[i].ends) * BASE_NS_PER_S);
        load_collector_fini(&collector);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_load_ends_with_its_schedule_or_its_last_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
