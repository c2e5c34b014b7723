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
        .network = {.seed = 9, .impairment = {.delay = {800}, .loss = 0.4, .rate = 64000}},
    };
    scn_scale(&network, 0.75);
    assert_int_equal(network.network.impairment.delay.ns, 600);
    assert_true(near(network.network.impairment.loss, 0.3));
    assert_true(network.network.impairment.rate == 64000); /* less would be worse, not less */
    assert_int_equal(network.network.seed, 9);
}

static void the_whole_is_left_as_it_is(void **state)
{
    (void)state;
    struct fault_spec app = {.kind = FAULT_APP, .app = {.error_rate = 0.1, .latency = {3}}};
    scn_scale(&app, 1);
    assert_true(app.app.error_rate == 0.1);
    assert_int_equal(app.app.latency.ns, 3);
}

static void some_kinds_have_no_size(void **state)
{
    (void)state;
    assert_false(scn_can_grow(FAULT_KILL));
    assert_false(scn_can_grow(FAULT_PARTITION));
    assert_false(scn_can_grow(FAULT_PAUSE));
    assert_false(scn_can_grow(FAULT_TCP) || scn_can_grow(FAULT_HTTP) || scn_can_grow(FAULT_DNS));
    assert_false(scn_can_grow(FAULT_POSTGRES) || scn_can_grow(FAULT_REDIS));
    assert_false(scn_can_grow(FAULT_RABBITMQ) || scn_can_grow(FAULT_IO) ||
                 scn_can_grow(FAULT_IO_THROTTLE));
    assert_true(scn_can_grow(FAULT_APP) && scn_can_grow(FAULT_NETWORK));
    struct fault_spec kill = {.kind = FAULT_KILL, .kill = {.signal = 9}};
    scn_scale(&kill, 0.5);
    assert_int_equal(kill.kill.signal, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_scaled),
        cmocka_unit_test(the_whole_is_left_as_it_is),
        cmocka_unit_test(some_kinds_have_no_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
