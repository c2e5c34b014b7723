/* SPDX-License-Identifier: Apache-2.0 */
/* The very bytes that the kernel gets, read back with its own structs. */
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netem.h"

struct decoded {
    struct tc_netem_qopt head;
    const unsigned char *attributes[32]; /* by type; NULL: not there */
    size_t lens[32];
};

static void decode(const unsigned char *data, size_t len, size_t skip, struct decoded *out)
{
    for (size_t at = skip; at + sizeof(struct nlattr) <= len;) {
        struct nlattr attribute;
        memcpy(&attribute, data + at, sizeof attribute);
        size_t type = attribute.nla_type & 0x3fffU; /* NLA_TYPE_MASK, unsigned */
        assert_true(attribute.nla_len >= sizeof attribute && at + attribute.nla_len <= len);
        assert_true(type < 32 && out->attributes[type] == NULL);
        out->attributes[type] = data + at + sizeof attribute;
        out->lens[type] = attribute.nla_len - sizeof attribute;
        at += (attribute.nla_len + 3U) & ~3U;
    }
}

static unsigned char buffer[NETEM_MAX_OPTIONS];

static struct decoded options_of(const struct fault_impairment *what)
{
    struct decoded out;
    memset(&out, 0, sizeof out);
    size_t len = netem_options(what, buffer);
    assert_true(len >= sizeof out.head && len % 4 == 0);
    memcpy(&out.head, buffer, sizeof out.head);
    decode(buffer, len, sizeof out.head, &out);
    return out;
}

static void get(const struct decoded *from, int type, void *out, size_t len)
{
    assert_non_null(from->attributes[type]);
    assert_int_equal(from->lens[type], len);
    memcpy(out, from->attributes[type], len);
}

static double share_of(uint32_t probability)
{
    return probability / (double)UINT32_MAX;
}

static void delays_are_in_nanoseconds(void **state)
{
    (void)state;
    const struct fault_impairment what = {.delay = {123456789}, .jitter = {7654321}};
    struct decoded o = options_of(&what);
    int64_t ns;
    get(&o, TCA_NETEM_LATENCY64, &ns, sizeof ns);
    assert_int_equal(ns, 123456789);
    get(&o, TCA_NETEM_JITTER64, &ns, sizeof ns);
    assert_int_equal(ns, 7654321);
    assert_int_equal(o.head.latency, 0);
    assert_null(o.attributes[TCA_NETEM_DELAY_DIST]);
    assert_null(o.attributes[TCA_NETEM_CORR]);
    assert_null(o.attributes[TCA_NETEM_LOSS]);
    assert_null(o.attributes[TCA_NETEM_CORRUPT]);
    assert_null(o.attributes[TCA_NETEM_REORDER]);
    assert_null(o.attributes[TCA_NETEM_RATE]);
}

static void shares_are_of_32_bits(void **state)
{
    (void)state;
    struct decoded o = options_of(&(struct fault_impairment){.delay = {50000000},
                                                             .jitter = {1000000},
                                                             .correlation = 0.25,
                                                             .loss = 0.9,
                                                             .duplicate = 0.01,
                                                             .corrupt = 0.5,
                                                             .reorder = 0.1});
    struct tc_netem_corr correlation;
    struct tc_netem_corrupt corrupt;
    struct tc_netem_reorder reorder;
    get(&o, TCA_NETEM_CORR, &correlation, sizeof correlation);
    get(&o, TCA_NETEM_CORRUPT, &corrupt, sizeof corrupt);
    get(&o, TCA_NETEM_REORDER, &reorder, sizeof reorder);
    assert_true(fabs(share_of(o.head.loss) - 0.9) < 1e-9);
    assert_true(fabs(share_of(o.head.duplicate) - 0.01) < 1e-9);
    assert_true(fabs(share_of(correlation.delay_corr) - 0.25) < 1e-9);
    assert_int_equal(correlation.loss_corr, 0);
    assert_true(fabs(share_of(corrupt.probability) - 0.5) < 1e-9);
    assert_true(fabs(share_of(reorder.probability) - 0.1) < 1e-9);
    assert_int_equal(o.head.gap, 1); /* 0 would mean that none overtakes */
    assert_int_equal(options_of(&(struct fault_impairment){.loss = 0.1}).head.gap, 0);
}

static void bursts_are_a_gilbert_elliott_model(void **state)
{
    (void)state;
    struct decoded o = options_of(&(struct fault_impairment){
        .burst = {.enter = 0.02, .leave = 0.25, .loss = 0.75, .calm = 0.01}});
    struct decoded inner;
    struct tc_netem_gemodel model;
    memset(&inner, 0, sizeof inner);
    assert_non_null(o.attributes[TCA_NETEM_LOSS]);
    decode(o.attributes[TCA_NETEM_LOSS], o.lens[TCA_NETEM_LOSS], 0, &inner);
    get(&inner, NETEM_LOSS_GE, &model, sizeof model);
    assert_true(fabs(share_of(model.p) - 0.02) < 1e-9);
    assert_true(fabs(share_of(model.r) - 0.25) < 1e-9);
    assert_true(fabs(share_of(model.h) - 0.25) < 1e-9); /* not lost within bursts */
    assert_true(fabs(share_of(model.k1) - 0.01) < 1e-9);
    assert_int_equal(o.head.loss, 0);
}

static struct tc_netem_gimodel states_of(const struct fault_impairment *what)
{
    struct decoded o = options_of(what);
    struct decoded inner;
    struct tc_netem_gimodel model;
    memset(&inner, 0, sizeof inner);
    assert_non_null(o.attributes[TCA_NETEM_LOSS]);
    decode(o.attributes[TCA_NETEM_LOSS], o.lens[TCA_NETEM_LOSS], 0, &inner);
    get(&inner, NETEM_LOSS_GI, &model, sizeof model);
    assert_null(inner.attributes[NETEM_LOSS_GE]);
    assert_int_equal(o.head.loss, 0);
    return model;
}

static void four_states_are_its_general_model(void **state)
{
    (void)state;
    struct tc_netem_gimodel model = states_of(&(struct fault_impairment){
        .states = {.alone = 0.01, .enter = 0.02, .leave = 0.2, .pass = 0.3, .relapse = 0.5}});
    assert_true(fabs(share_of(model.p14) - 0.01) < 1e-9);
    assert_true(fabs(share_of(model.p13) - 0.02) < 1e-9);
    assert_true(fabs(share_of(model.p31) - 0.2) < 1e-9);
    assert_true(fabs(share_of(model.p32) - 0.3) < 1e-9);
    assert_true(fabs(share_of(model.p23) - 0.5) < 1e-9);
    /* Two halves, each rounded up, would be 2^32: nothing. */
    model = states_of(&(struct fault_impairment){
        .states = {.alone = 0.5, .enter = 0.5, .leave = 0.5, .pass = 0.5, .relapse = 1.0}});
    assert_true(UINT32_MAX - model.p14 >= model.p13 && UINT32_MAX - model.p32 >= model.p31);
    assert_true(fabs(share_of(model.p13) - 0.5) < 1e-9 && fabs(share_of(model.p31) - 0.5) < 1e-9);
    assert_true(model.p23 == UINT32_MAX);
}

struct table {
    size_t count;
    int16_t values[NETEM_DIST_MAX];
};

/* It ascends, and has the mean 0 and the deviation 1. */
static struct table table_of(enum fault_distribution distribution)
{
    struct decoded o = options_of(&(struct fault_impairment){
        .delay = {100000000}, .jitter = {10000000}, .distribution = distribution});
    struct table table = {.count = o.lens[TCA_NETEM_DELAY_DIST] / sizeof(int16_t)};
    double mean = 0;
    double squares = 0;
    assert_true(table.count > 1000 && table.count <= NETEM_DIST_MAX);
    memcpy(table.values, o.attributes[TCA_NETEM_DELAY_DIST], table.count * sizeof(int16_t));
    for (size_t i = 0; i < table.count; i++) {
        double scaled = (double)table.values[i] / NETEM_DIST_SCALE;
        assert_true(i == 0 || table.values[i] >= table.values[i - 1]);
        mean += scaled / (double)table.count;
        squares += scaled * scaled / (double)table.count;
    }
    assert_true(fabs(mean) < 0.001 && fabs(squares - 1.0) < 0.005);
    return table;
}

static void the_normal_distribution_is_one(void **state)
{
    (void)state;
    struct table table = table_of(FAULT_NORMAL);
    size_t within = 0;
    for (size_t i = 0; i < table.count; i++)
        within += abs(table.values[i]) < NETEM_DIST_SCALE ? 1 : 0;
    assert_true(fabs((double)within / (double)table.count - 0.6827) < 0.002);
}

/* Of tc's Pareto, of shape 3: half of it is below 2^(1/3), a quarter below (4/3)^(1/3), from 1 on;
 * whatever its scale, the distances between them are in proportion. */
static void the_pareto_distribution_is_one(void **state)
{
    (void)state;
    struct table table = table_of(FAULT_PARETO);
    double least = table.values[0];
    double quarter =
        (table.values[table.count / 4] - least) / (table.values[table.count / 2] - least);
    assert_true(fabs(quarter - (cbrt(4.0 / 3.0) - 1.0) / (cbrt(2.0) - 1.0)) < 0.01);
    assert_int_equal(table.values[table.count - 1], INT16_MAX);
    assert_true(table_of(FAULT_PARETO_NORMAL).values[0] < table.values[0]);
}

static void a_rate_is_in_bytes_without_the_mac_header(void **state)
{
    (void)state;
    struct decoded o = options_of(&(struct fault_impairment){.rate = 8e6});
    struct tc_netem_rate rate;
    get(&o, TCA_NETEM_RATE, &rate, sizeof rate);
    assert_int_equal(rate.rate, 1000000);
    assert_int_equal(rate.packet_overhead, -14);
}

/* netem drops what does not fit; its default of 1000 is 12 Mbit/s at 1 s. */
static void the_limit_holds_what_is_delayed(void **state)
{
    (void)state;
    assert_true(netem_limit(&(struct fault_impairment){.loss = 0.1}) >= 1000);
    assert_true(netem_limit(&(struct fault_impairment){.delay = {BASE_NS_PER_S}}) >= 200000);
    assert_true(netem_limit(&(struct fault_impairment){.delay = {10 * BASE_NS_PER_S}}) >= 2000000);
    /* A link's buffer: 2 Mbit/s hold 2^19 bits for 262 ms, which are 44 packets, and a few. */
    uint32_t slow = netem_limit(&(struct fault_impairment){.rate = 2e6});
    assert_true(slow >= 44 && slow <= 64);
    uint32_t late = netem_limit(&(struct fault_impairment){.rate = 2e6, .delay = {BASE_NS_PER_S}});
    assert_true(late >= slow + 166); /* those that are on their way */
}

static void what_it_cannot_do_is_told(void **state)
{
    (void)state;
    struct base_error err = {0};
    assert_true(netem_can(&(struct fault_impairment){.jitter = {2 * BASE_NS_PER_S}}, &err));
    assert_false(netem_can(&(struct fault_impairment){.jitter = {3 * BASE_NS_PER_S}}, &err));
    assert_non_null(strstr(err.message, "2s at most"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_are_in_nanoseconds),
        cmocka_unit_test(shares_are_of_32_bits),
        cmocka_unit_test(bursts_are_a_gilbert_elliott_model),
        cmocka_unit_test(four_states_are_its_general_model),
        cmocka_unit_test(the_normal_distribution_is_one),
        cmocka_unit_test(the_pareto_distribution_is_one),
        cmocka_unit_test(a_rate_is_in_bytes_without_the_mac_header),
        cmocka_unit_test(the_limit_holds_what_is_delayed),
        cmocka_unit_test(what_it_cannot_do_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
