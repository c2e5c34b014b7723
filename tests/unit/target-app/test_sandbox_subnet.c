/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../target-app/sandbox/src/subnet.h"

static struct sandbox_subnet net(const char *text)
{
    struct sandbox_subnet subnet = {1, 99};
    assert_true(sandbox_subnet_parse(text, &subnet));
    return subnet;
}

static void parses_and_clears_host_bits(void **state)
{
    (void)state;
    char text[SANDBOX_SUBNET_TEXT];
    sandbox_subnet_format(net("10.1.2.3/24"), text);
    assert_string_equal(text, "10.1.2.0/24");
    sandbox_subnet_format(net("192.0.2.7"), text);
    assert_string_equal(text, "192.0.2.7/32");
    sandbox_subnet_format(net("255.255.255.255/0"), text);
    assert_string_equal(text, "0.0.0.0/0");
}

static void refuses_what_is_no_network(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "default",
                                        "10.1.2.0/33",
                                        "10.1.2/24",
                                        "10.1.2.0/",
                                        "10.1.2.0/-1",
                                        "10.1.2.0/2x",
                                        "fe80::1/64",
                                        "300.1.2.0/8",
                                        "10.1.2.0 /24"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sandbox_subnet subnet = {7, 8};
        assert_false(sandbox_subnet_parse(wrong[i], &subnet));
        assert_int_equal(subnet.base, 7);
        assert_int_equal(subnet.bits, 8);
    }
}

static void overlap_goes_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool overlap;
    } cases[] = {
        {"10.0.0.0/8", "10.77.1.0/24", true},      {"10.77.1.0/24", "10.77.2.0/24", false},
        {"10.77.1.0/24", "10.77.1.9/32", true},    {"0.0.0.0/0", "10.77.1.0/24", true},
        {"10.77.1.0/25", "10.77.1.128/25", false}, {"10.77.1.0/24", "10.77.1.0/24", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(sandbox_subnet_overlap(net(cases[i].a), net(cases[i].b)),
                         cases[i].overlap);
        assert_int_equal(sandbox_subnet_overlap(net(cases[i].b), net(cases[i].a)),
                         cases[i].overlap);
    }
}

static void addresses_lie_in_the_subnet(void **state)
{
    (void)state;
    char text[SANDBOX_ADDRESS_TEXT];
    sandbox_address_format(net("10.20.30.0/24"), 21, text);
    assert_string_equal(text, "10.20.30.21");
    sandbox_address_format(net("10.20.30.0/24"), 256 + 5, text);
    assert_string_equal(text, "10.20.30.5");
}

/* Whatever the seed, the choice avoids all that is used, and successive choices differ. */
static void chooses_a_free_one(void **state)
{
    (void)state;
    const struct sandbox_subnet used[] = {net("10.64.0.0/11"), net("10.128.0.0/9"),
                                          net("127.0.0.0/10"), net("10.100.0.0/16")};
    for (uint64_t seed = 0; seed < 200000; seed += 97) {
        unsigned attempt = 0;
        struct sandbox_subnet first, second;
        assert_true(sandbox_subnet_choose(false, seed, used, 4, &attempt, &first, NULL));
        assert_true(sandbox_subnet_choose(false, seed, used, 4, &attempt, &second, NULL));
        for (size_t i = 0; i < 4; i++)
            assert_false(sandbox_subnet_overlap(first, used[i]));
        assert_int_equal(first.bits, 24);
        assert_int_equal(first.base >> 24, 10);
        assert_false(sandbox_subnet_overlap(first, second));
    }
}

static void loopback_choices_stay_in_127(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200000; seed += 31) {
        unsigned attempt = 0;
        struct sandbox_subnet subnet;
        assert_true(sandbox_subnet_choose(true, seed, NULL, 0, &attempt, &subnet, NULL));
        assert_int_equal(subnet.base >> 24, 127);
        assert_in_range(subnet.base >> 16 & 255, 64, 254);
    }
}

static void finds_the_last_free_one(void **state)
{
    (void)state;
    enum { SPAN = 192 * 256, FREE = 40000 };
    struct sandbox_subnet *used = calloc(SPAN, sizeof *used);
    size_t count = 0;
    for (uint32_t i = 0; i < SPAN; i++)
        if (i != FREE)
            used[count++] =
                (struct sandbox_subnet){(UINT32_C(10) << 24 | UINT32_C(64) << 16) + (i << 8), 24};
    unsigned attempt = 0;
    struct sandbox_subnet subnet;
    assert_true(sandbox_subnet_choose(false, 5, used, count, &attempt, &subnet, NULL));
    assert_int_equal(subnet.base, (UINT32_C(10) << 24 | UINT32_C(64) << 16) + (FREE << 8));
    free(used);
}

static void says_when_none_is_free(void **state)
{
    (void)state;
    const struct sandbox_subnet all = net("10.0.0.0/8");
    struct base_error err = {0};
    struct sandbox_subnet subnet = {3, 4};
    unsigned attempt = 0;
    assert_false(sandbox_subnet_choose(false, 1, &all, 1, &attempt, &subnet, &err));
    assert_int_equal(err.code, BASE_LIMIT);
    assert_non_null(strstr(err.message, "--subnet"));
    assert_int_equal(subnet.base, 3);
}

static void accepts_or_names_what_is_wrong(void **state)
{
    (void)state;
    const struct sandbox_subnet used = net("10.9.0.0/16");
    static const struct {
        const char *text;
        bool loopback;
        enum base_code code;
        const char *says;
    } cases[] = {
        {"10.20.30.0/24", false, BASE_OK, ""},
        {"127.20.30.0/24", true, BASE_OK, ""},
        {"10.20.30.0/16", false, BASE_INVALID, "10.20.30.0/24"},
        {"nonsense", false, BASE_INVALID, "nonsense"},
        {"127.20.30.0/24", false, BASE_INVALID, "127.0.0.0/8"},
        {"10.20.30.0/24", true, BASE_INVALID, "127.0.0.0/8"},
        {"10.9.30.0/24", false, BASE_UNAVAILABLE, "10.9.0.0/16"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct base_error err = {0};
        struct sandbox_subnet subnet;
        bool ok = sandbox_subnet_accept(cases[i].text, cases[i].loopback, &used, 1, &subnet, &err);
        assert_int_equal(ok, cases[i].code == BASE_OK);
        assert_int_equal(err.code, cases[i].code);
        assert_non_null(strstr(err.message, cases[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_clears_host_bits),
        cmocka_unit_test(refuses_what_is_no_network),
        cmocka_unit_test(overlap_goes_both_ways),
        cmocka_unit_test(addresses_lie_in_the_subnet),
        cmocka_unit_test(chooses_a_free_one),
        cmocka_unit_test(loopback_choices_stay_in_127),
        cmocka_unit_test(finds_the_last_free_one),
        cmocka_unit_test(says_when_none_is_free),
        cmocka_unit_test(accepts_or_names_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
