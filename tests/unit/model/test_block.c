/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of addresses: what is one, what lies in it, and which are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "model/block.h"

static struct addr_block block_of(const char *text)
{
    struct addr_block block;
    struct base_error err = {0};
    if (!addr_block_parse(text, &block, &err))
        fail_msg("%s: %s", text, err.message);
    return block;
}

static void test_what_lies_in_a_block(void **state)
{
    (void)state;
    static const struct {
        const char *block;
        const char *in;
        const char *out;
    } cases[] = {
        {"10.1.0.0/16", "10.1.0.0", "10.0.255.255"},
        {"10.1.0.0/16", "10.1.255.255", "10.2.0.0"},
        {"10.1.2.12/30", "10.1.2.15", "10.1.2.16"},
        {"10.1.2.7/32", "10.1.2.7", "10.1.2.6"},
        {"0.0.0.0/1", "127.255.255.255", "128.0.0.0"},
        {"fd00:1::/33", "fd00:1:7fff::1", "fd00:1:8000::"},
        {"fd00:1::/64", "fd00:1::ffff", "10.1.0.0"},
        {"10.1.0.0/16", "10.1.9.9", "not an address"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct addr_block block = block_of(cases[i].block);
        assert_true(addr_block_holds(&block, cases[i].in));
        assert_false(addr_block_holds(&block, cases[i].out));
    }
}

static void test_of_an_address_and_its_bits(void **state)
{
    (void)state;
    static const char *const texts[] = {"10.1.0.0/16", "10.1.2.12/30", "10.1.2.7/32",
                                        "0.0.0.0/0",   "fd00:1::/33",  "fd00::9/128"};
    static const unsigned bits[] = {16, 30, 32, 0, 33, 128};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct addr_block block = block_of(texts[i]);
        assert_int_equal(addr_block_bits(&block), bits[i]);
        struct addr_block again = addr_block_of(block.family, block.last, bits[i]);
        assert_memory_equal(&again, &block, sizeof block);
    }
}

static void test_what_is_no_block(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"10.1.0.0/33", "no block of addresses"},
        {"10.1.0.0/", "no block of addresses"},
        {"10.1.0.0/-1", "no block of addresses"},
        {"10.1.0/16", "no block of addresses"},
        {"fd00::/129", "no block of addresses"},
        {"store/16", "no block of addresses"},
        {"10.1.0.0", "no block of addresses"},
        {"10.1.0.7/16", "the block that holds it is 10.1.0.0/16"},
        {"fd00::1/64", "the block that holds it is fd00::/64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct addr_block block;
        struct base_error err = {0};
        assert_false(addr_block_parse(cases[i].text, &block, &err));
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("%s: %s", cases[i].text, err.message);
    }
}

static void test_blocks_are_merged(void **state)
{
    (void)state;
    struct addr_block list[] = {block_of("10.3.0.0/16"),        block_of("10.0.0.128/25"),
                                block_of("10.3.7.7/32"),        block_of("10.0.0.0/25"),
                                block_of("255.255.255.255/32"), block_of("255.255.255.0/24")};
    assert_int_equal(addr_blocks_merge(list, 6), 3);
    struct addr_block joined = block_of("10.0.0.0/24");
    assert_memory_equal(list[0].first, joined.first, 4);
    assert_memory_equal(list[0].last, joined.last, 4);
    assert_true(addr_block_holds(&list[1], "10.3.255.255"));
    assert_false(addr_next(AF_INET, list[2].last)); /* behind the very last there is none */
    struct addr_block some = block_of("10.0.0.255/32");
    assert_true(addr_next(AF_INET, some.last));
    assert_memory_equal(some.last, block_of("10.0.1.0/32").first, 4);
}

/* --- what is refused --- */

static char prometheus[] = "prometheus";
static char prometheus_1[] = "prometheus-1";
static char watching[] = "10.1.0.30";
static struct topo_instance observers[] = {{.name = prometheus_1, .address = watching}};
static struct topo_service services[] = {
    {.name = prometheus, .observability = true, .instances = observers, .instance_count = 1}};
static const struct topo topo = {.services = services, .service_count = 1};

static void expect(const char *one, const char *other, const char *message)
{
    char first[64];
    char second[64];
    (void)snprintf(first, sizeof first, "%s", one);
    (void)snprintf(second, sizeof second, "%s", other);
    char *peers[] = {first, second};
    struct base_error err = {0};
    bool ok = addr_blocks_check(&topo, peers, 2, &err);
    if (ok != (message == NULL) || (!ok && strstr(err.message, message) == NULL))
        fail_msg("%s, %s: %s", one, other, ok ? "accepted" : err.message);
}

static void test_loopback_and_who_observes_are_spared(void **state)
{
    (void)state;
    expect("0.0.0.0/0", "store", "0.0.0.0/0 holds loopback addresses (127.0.0.0/8)");
    expect("127.0.0.1/32", "store", "loopback");
    expect("::/0", "store", "loopback addresses (::1/128)");
    expect("store", "10.1.0.0/16", "10.1.0.0/16 holds prometheus-1 (10.1.0.30)");
    expect("prometheus", "10.1.0.0/16", NULL);
    expect("prometheus-1", "10.1.0.0/16", NULL);
    expect("10.1.0.30:9090", "10.1.0.0/16", NULL);
    expect("10.1.0.30/32", "10.1.0.0/16", NULL);
    expect("10.1.0.3:9090", "10.1.0.0/16", "holds prometheus-1");
    expect("10.1.0.28/30", "10.1.0.0/16", "holds prometheus-1");
    expect("10.1.0.0/28", "10.2.0.0/16", NULL);
    expect("10.1.0.1/28", "store", "the block that holds it is 10.1.0.0/28");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_lies_in_a_block),
        cmocka_unit_test(test_of_an_address_and_its_bits),
        cmocka_unit_test(test_what_is_no_block),
        cmocka_unit_test(test_blocks_are_merged),
        cmocka_unit_test(test_loopback_and_who_observes_are_spared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
