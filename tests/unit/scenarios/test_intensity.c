/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "intensity.h"

static bool near(double a, double b)
{
    return a > b - 1e-12 && a < b + 1e-12;
}

static void sizes_are_scaled(void **state)
{
    (void)state;
    struct fault_spec app = {
        .kind = FAULT_APP,
        .app = {.error_rate = 0.2, .error_status = 503, .latency = {1000}},
    };
    scn_scale(&app, 0.25);
    assert_true(near(app.app.error_rate, 0.05));
    assert_int_equal(app.app.latency.ns, 250);
    assert_int_equal(app.app.error_status, 503);

    struct fault_spec own = {.kind = FAULT_APP, .app = {.cpu = 0.8, .memory = 64 << 20}};
    scn_scale(&own, 0.5);
    assert_true(near(own.app.cpu, 0.4));
    assert_int_equal(own.app.memory, 32 << 20);

    struct fault_spec cpu = {.kind = FAULT_CPU, .cpu = {.workers = 4, .load = 0.8}};
    scn_scale(&cpu, 0.5);
    assert_true(near(cpu.cpu.load, 0.4));
    assert_int_equal(cpu.cpu.workers, 4);

    struct fault_spec memory = {.kind = FAULT_MEMORY, .memory = {.bytes = 1 << 20, .rate = 7}};
    scn_scale(&memory, 0.5);
    assert_int_equal(memory.memory.bytes, 1 << 19);
    assert_int_equal(memory.memory.rate, 7);

    struct fault_spec network = {
        .kind = FAULT_NETWORK,
        .network = {.seed = 9,
                    .impairment = {.share = 0.2, .delay = {800}, .loss = 0.4, .rate = 64000}},
    };
    scn_scale(&network, 0.75);
    assert_int_equal(network.network.impairment.delay.ns, 600);
    assert_true(near(network.network.impairment.loss, 0.3));
    assert_true(network.network.impairment.rate == 64000);    /* less would be worse, not less */
    assert_true(near(network.network.impairment.share, 0.2)); /* or the loss would fall twice */
    assert_int_equal(network.network.seed, 9);

    struct fault_spec chain = {
        .kind = FAULT_NETWORK,
        .network = {.impairment = {.states = {0.02, 0.04, 0.2, 0.3, 0.5}}},
    };
    scn_scale(&chain, 0.5); /* fewer bursts, each of them as it was */
    assert_true(near(chain.network.impairment.states.alone, 0.01));
    assert_true(near(chain.network.impairment.states.enter, 0.02));
    assert_true(near(chain.network.impairment.states.leave, 0.2));
    assert_true(near(chain.network.impairment.states.pass, 0.3));
    assert_true(near(chain.network.impairment.states.relapse, 0.5));
}

static void the_whole_is_left_as_it_is(void **state)
{
    (void)state;
    struct fault_spec app = {.kind = FAULT_APP, .app = {.error_rate = 0.1, .latency = {3}}};
    scn_scale(&app, 1);
    assert_true(app.app.error_rate == 0.1);
    assert_int_equal(app.app.latency.ns, 3);
}

static void disks_and_brokers_are_scaled(void **state)
{
    (void)state;
    struct fault_spec paced = {.kind = FAULT_IO,
                               .io = {.workers = 3, .rate = 4 << 20, .bytes = 1 << 20}};
    scn_scale(&paced, 0.25);
    assert_int_equal(paced.io.rate, 1 << 20);
    assert_int_equal(paced.io.workers, 3);
    assert_int_equal(paced.io.bytes, 1 << 20); /* where it does it, not how much */

    struct fault_spec throttle = {
        .kind = FAULT_IO_THROTTLE,
        .throttle.limits = {[FAULT_IO_READ_RATE] = 1 << 20, [FAULT_IO_WRITE_OPS] = 30}};
    scn_scale(&throttle, 0.25); /* a wider limit is less of a fault */
    assert_int_equal(throttle.throttle.limits[FAULT_IO_READ_RATE], 4 << 20);
    assert_int_equal(throttle.throttle.limits[FAULT_IO_WRITE_OPS], 120);
    assert_int_equal(throttle.throttle.limits[FAULT_IO_WRITE_RATE], 0);

    struct fault_spec queue = {.kind = FAULT_RABBITMQ,
                               .rabbitmq = {.action = FAULT_RABBITMQ_FILL, .bytes = 8 << 20}};
    scn_scale(&queue, 0.5);
    assert_int_equal(queue.rabbitmq.bytes, 4 << 20);
}

/* Each step has more than the one before, and the last has all. */
static void workers_without_a_rate_are_counted(void **state)
{
    (void)state;
    for (int steps = 2; steps <= 20; steps++) {
        for (int workers = steps; workers <= 64; workers++) {
            int before = 0;
            for (int step = 1; step <= steps; step++) {
                struct fault_spec io = {.kind = FAULT_IO, .io = {.workers = workers}};
                scn_scale(&io, (double)step / steps);
                assert_true(io.io.workers > before);
                before = io.io.workers;
            }
            assert_int_equal(before, workers);
        }
    }
}

static void each_kind_has_a_size_or_a_reason(void **state)
{
    (void)state;
    static const bool grow[FAULT_KIND_COUNT] = {
        [FAULT_APP] = true,     [FAULT_CPU] = true, [FAULT_MEMORY] = true,
        [FAULT_NETWORK] = true, [FAULT_IO] = true,  [FAULT_IO_THROTTLE] = true,
        [FAULT_RABBITMQ] = true};
    for (int kind = 0; kind < FAULT_KIND_COUNT; kind++) {
        const char *refused = scn_growth_refused((enum fault_kind)kind);
        assert_true(grow[kind] == (refused == NULL));
        assert_true(refused == NULL || refused[0] != '\0');
    }
    struct fault_spec kill = {.kind = FAULT_KILL, .kill = {.signal = 9}};
    scn_scale(&kill, 0.5);
    assert_int_equal(kill.kill.signal, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_scaled),
        cmocka_unit_test(the_whole_is_left_as_it_is),
        cmocka_unit_test(disks_and_brokers_are_scaled),
        cmocka_unit_test(workers_without_a_rate_are_counted),
        cmocka_unit_test(each_kind_has_a_size_or_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
