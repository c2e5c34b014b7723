/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/text.h"
#include "http_sight.h"

/* IPv4 with an option, TCP with an option, and two bytes. */
static const unsigned char packet4[] = {0x46, 0,    0,    50,   0, 0, 0x40, 0, 64, 6, 0, 0, 127,
                                        0,    0,    1,    127,  0, 0, 1,    1, 1,  1, 0, /* IP */
                                        0x9c, 0x40, 0x1f, 0x40, 0, 0, 0,    1, 0,  0, 0, 2, 0x60,
                                        0x18, 0,    0,    0,    0, 0, 0,    1, 1,  1, 1, /* TCP */
                                        'h',  'i'};

static void a_packet_is_read(void **state)
{
    (void)state;
    struct http_packet out;
    assert_true(http_packet_read(packet4, sizeof packet4, &out));
    assert_int_equal(out.from, 40000);
    assert_int_equal(out.to, 8000);
    assert_int_equal(out.len, 2);
    assert_memory_equal(out.data, "hi", 2);
    unsigned char packet6[40 + 20 + 2] = {0x60, 0, 0, 0, 0, 22, 6, 64};
    memcpy(packet6 + 40, packet4 + 24, 20);
    packet6[40 + 12] = 0x50;
    assert_true(http_packet_read(packet6, sizeof packet6, &out));
    assert_true(out.to == 8000 && out.len == 2);
    /* What a link adds behind a short packet is none of it. */
    packet6[5] = 20;
    assert_true(http_packet_read(packet6, sizeof packet6, &out));
    assert_int_equal(out.len, 0);
}

static void what_is_no_whole_tcp_packet_is_not(void **state)
{
    static const struct {
        size_t at;
        unsigned char value;
    } changes[] = {{0, 0x41}, {0, 0x56}, {0, 0x4f}, {3, 51},    {3, 30},
                   {6, 0x20}, {7, 1},    {9, 17},   {36, 0x40}, {36, 0xf0}};
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        unsigned char bad[sizeof packet4];
        struct http_packet out;
        memcpy(bad, packet4, sizeof bad);
        bad[changes[i].at] = changes[i].value;
        if (http_packet_read(bad, sizeof bad, &out))
            fail_msg("taken with %u at %zu", changes[i].value, changes[i].at);
    }
    for (size_t len = 0; len < sizeof packet4; len++) {
        unsigned char *cut = base_calloc(1, len + 1);
        unsigned char *end = memcpy(cut + 1, packet4, len); /* to the last byte of the block */
        struct http_packet out;
        assert_false(http_packet_read(end, len, &out));
        free(cut);
    }
}

static void whatever_comes_stays_within_its_bounds(void **state)
{
    (void)state;
    struct base_rng rng;
    base_rng_seed(&rng, 1);
    for (int i = 0; i < 200000; i++) {
        size_t len = base_rng_below(&rng, 80);
        unsigned char *bytes = base_calloc(1, len + 1);
        for (size_t k = 0; k < len; k++)
            bytes[k] = (unsigned char)base_rng_u64(&rng);
        if (len > 0)
            bytes[0] = (unsigned char)((i % 2 == 0 ? 0x40 : 0x60) | (bytes[0] & 15));
        struct http_packet out;
        if (http_packet_read(bytes, len, &out))
            assert_true((const unsigned char *)out.data >= bytes &&
                        (const unsigned char *)out.data + out.len <= bytes + len);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_is_read),
        cmocka_unit_test(what_is_no_whole_tcp_packet_is_not),
        cmocka_unit_test(whatever_comes_stays_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
