/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/random.h"
#include "hdr_base64.h"
#include "hdr_index.h"
#include "model/hdr.h"

/* The value 42 at 3 figures over 1..2, as two other libraries write it. */
static const char vector_a[] = "HISTFAAAAB542pNpmSzMwMDAxAABzFCaEUoz2X+AMIKZAEARAtM=";
static const char vector_b[] = "HISTFAAAACJ4nJNpmSzMwMDAxMDAwMjAwMDMAAGMUJoJxg9mAgA1TQGm";

static void encode(const struct hdr *hdr, struct base_buf *out)
{
    struct base_error err = {.code = BASE_OK};
    if (!hdr_encode(hdr, out, &err))
        fail_msg("%s", err.message);
}

static struct hdr decode(const char *text, size_t len)
{
    struct hdr hdr;
    struct base_error err = {.code = BASE_OK};
    if (!hdr_decode(text, len, &hdr, &err))
        fail_msg("%s", err.message);
    return hdr;
}

static void expect_corrupt(const char *text, size_t len)
{
    struct hdr hdr = {.total = 77};
    struct base_error err = {.code = BASE_OK};
    if (hdr_decode(text, len, &hdr, &err))
        fail_msg("damage was accepted: %.*s", (int)(len < 200 ? len : 200), text);
    assert_int_equal(err.code, BASE_CORRUPT);
    assert_int_equal(hdr.total, 77);
    assert_null(hdr.counts);
}

static void test_vectors(void **state)
{
    (void)state;
    struct hdr a = decode(vector_a, sizeof vector_a - 1);
    struct hdr b = decode(vector_b, sizeof vector_b - 1);
    assert_int_equal(a.lowest, 1);
    assert_int_equal(a.highest, 2);
    assert_int_equal(a.significant_figures, 3);
    assert_int_equal(a.total, 1);
    assert_int_equal(hdr_count_at(&a, 42), 1);
    assert_int_equal(hdr_max(&a), 42);
    assert_int_equal(hdr_min(&a), 42);
    assert_true(hdr_equal(&a, &b));
    struct base_buf text;
    base_buf_init(&text, 4096);
    encode(&a, &text);
    struct hdr again = decode(text.data, text.len);
    assert_true(hdr_equal(&a, &again));
    base_buf_fini(&text);
    hdr_fini(&again);
    hdr_fini(&b);
    hdr_fini(&a);
}

/* ---- building and opening envelopes by hand ---- */

static size_t inflate_text(const char *text, size_t len, unsigned char *out, size_t room)
{
    unsigned char packed[65536];
    size_t size;
    assert_true(hdr_base64_room(len) <= sizeof packed);
    assert_true(hdr_base64_decode(text, len, packed, &size));
    uLongf out_len = (uLongf)room;
    assert_int_equal(uncompress(out, &out_len, packed + 8, (uLong)(size - 8)), Z_OK);
    return (size_t)out_len;
}

/* Packs plain bytes as a writer with the highest compression would. */
static void pack(const unsigned char *plain, size_t len, struct base_buf *out)
{
    unsigned char bytes[70000] = {0x1c, 0x84, 0x93, 0x14};
    uLongf packed = sizeof bytes - 8;
    assert_int_equal(compress2(bytes + 8, &packed, plain, (uLong)len, 9), Z_OK);
    for (int i = 0; i < 4; i++)
        bytes[4 + i] = (unsigned char)(packed >> (24 - 8 * i));
    base_buf_clear(out);
    assert_true(hdr_base64_encode(bytes, packed + 8, out));
}

struct plain {
    unsigned char bytes[40 + 64];
    size_t len;
};

/* A header for 1..highest at `figures`, followed by the payload. */
static struct plain plain_of(int figures, uint64_t highest, const unsigned char *payload,
                             size_t payload_len)
{
    struct plain plain = {.bytes = {0x1c, 0x84, 0x93, 0x13}, .len = 40 + payload_len};
    plain.bytes[7] = (unsigned char)payload_len;
    plain.bytes[15] = (unsigned char)figures;
    plain.bytes[23] = 1;
    for (int i = 0; i < 8; i++)
        plain.bytes[24 + i] = (unsigned char)(highest >> (56 - 8 * i));
    plain.bytes[32] = 0x3f;
    plain.bytes[33] = 0xf0;
    memcpy(plain.bytes + 40, payload, payload_len);
    return plain;
}

static void expect_plain_corrupt(const struct plain *plain)
{
    struct base_buf text;
    base_buf_init(&text, 100000);
    pack(plain->bytes, plain->len, &text);
    expect_corrupt(text.data, text.len);
    base_buf_fini(&text);
}

static struct hdr decode_plain(const struct plain *plain)
{
    struct base_buf text;
    base_buf_init(&text, 100000);
    pack(plain->bytes, plain->len, &text);
    struct hdr hdr = decode(text.data, text.len);
    base_buf_fini(&text);
    return hdr;
}

static void test_bytes_written(void **state)
{
    (void)state;
    struct hdr hdr;
    struct base_buf text;
    unsigned char plain[1024];
    assert_true(hdr_init(&hdr, 1, 1000000, 3, NULL));
    hdr_record_n(&hdr, 0, 3);
    hdr_record_n(&hdr, 2, 64); /* one zero before it */
    hdr_record_n(&hdr, 70, 1); /* 67 zeros before it */
    base_buf_init(&text, 4096);
    encode(&hdr, &text);
    assert_memory_equal(text.data, "HISTF", 5);
    size_t len = inflate_text(text.data, text.len, plain, sizeof plain);
    static const unsigned char expected[] = {
        0x1c, 0x84, 0x93, 0x13, 0, 0, 0, 7, 0, 0, 0,    0,    0,    0,    0,    3,
        0,    0,    0,    0,    0, 0, 0, 1, 0, 0, 0,    0,    0,    0x0f, 0x42, 0x40,
        0x3f, 0xf0, 0,    0,    0, 0, 0, 0, 6, 0, 0x80, 0x01, 0x85, 0x01, 2};
    assert_int_equal(len, sizeof expected);
    assert_memory_equal(plain, expected, sizeof expected);
    base_buf_fini(&text);
    hdr_fini(&hdr);
}

static void test_empty_is_one_zero(void **state)
{
    (void)state;
    struct hdr hdr;
    struct base_buf text;
    unsigned char plain[1024];
    assert_true(hdr_init_latency(&hdr, NULL));
    base_buf_init(&text, 4096);
    encode(&hdr, &text);
    assert_int_equal(inflate_text(text.data, text.len, plain, sizeof plain), 41);
    assert_int_equal(plain[40], 0);
    struct hdr back = decode(text.data, text.len);
    assert_true(hdr_equal(&hdr, &back));
    assert_int_equal(back.min, INT64_MAX);
    assert_int_equal(back.max, 0);
    base_buf_fini(&text);
    hdr_fini(&back);
    hdr_fini(&hdr);
}

static void test_lone_zero_both_ways(void **state)
{
    (void)state;
    struct plain count = plain_of(3, 1000, (const unsigned char[]){2, 0, 2}, 3);
    struct plain run = plain_of(3, 1000, (const unsigned char[]){2, 1, 2}, 3);
    struct hdr a = decode_plain(&count);
    struct hdr b = decode_plain(&run);
    assert_true(hdr_equal(&a, &b));
    assert_int_equal(hdr_count_at(&a, 0), 1);
    assert_int_equal(hdr_count_at(&a, 2), 1);
    assert_int_equal(a.total, 2);
    assert_int_equal(a.min, 2);
    hdr_fini(&b);
    hdr_fini(&a);
}

static void test_ninth_byte_has_eight_bits(void **state)
{
    (void)state;
    struct plain most = plain_of(
        3, 1000, (const unsigned char[]){0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 9);
    struct hdr hdr = decode_plain(&most);
    assert_int_equal(hdr.total, INT64_MAX);
    struct base_buf text;
    unsigned char plain[256];
    base_buf_init(&text, 4096);
    encode(&hdr, &text);
    assert_int_equal(inflate_text(text.data, text.len, plain, sizeof plain), 49);
    assert_memory_equal(plain + 40, most.bytes + 40, 9);
    base_buf_fini(&text);
    hdr_fini(&hdr);
}

/* Every length of count, at both of its ends. */
static void test_round_trip_of_count_lengths(void **state)
{
    (void)state;
    struct base_buf text;
    base_buf_init(&text, 1 << 20);
    for (int bits = 0; bits < 61; bits++) {
        struct hdr hdr;
        assert_true(hdr_init(&hdr, 1, 1000, 3, NULL));
        hdr_record_n(&hdr, 3, (INT64_C(1) << bits));
        hdr_record_n(&hdr, 9, (INT64_C(1) << bits) - 1);
        hdr_record_n(&hdr, 10, (INT64_C(1) << bits) + 1);
        base_buf_clear(&text);
        encode(&hdr, &text);
        struct hdr back = decode(text.data, text.len);
        assert_true(hdr_equal(&hdr, &back));
        hdr_fini(&back);
        hdr_fini(&hdr);
    }
    base_buf_fini(&text);
}

static void test_round_trip_of_random_contents(void **state)
{
    (void)state;
    struct base_rng rng;
    struct base_buf text;
    base_buf_init(&text, 1 << 24);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        base_rng_seed(&rng, seed);
        struct hdr hdr;
        int64_t lowest = (int64_t)(1 + base_rng_below(&rng, 5000));
        int64_t highest =
            2 * lowest + (int64_t)(base_rng_u64(&rng) >> (2 + base_rng_below(&rng, 60)));
        assert_true(hdr_init(&hdr, lowest, highest, (int)(1 + base_rng_below(&rng, 4)), NULL));
        uint64_t values = base_rng_below(&rng, 3000);
        for (uint64_t i = 0; i < values; i++)
            hdr_record_n(&hdr, (int64_t)(base_rng_u64(&rng) >> (1 + base_rng_below(&rng, 63))),
                         (int64_t)(base_rng_u64(&rng) >> (14 + base_rng_below(&rng, 50))));
        base_buf_clear(&text);
        assert_true(base_buf_str(&text, "before ")); /* what is there stays */
        encode(&hdr, &text);
        struct hdr back = decode(text.data + 7, text.len - 7);
        assert_true(hdr_equal(&hdr, &back));
        assert_int_equal(hdr_max(&hdr), hdr_max(&back));
        assert_int_equal(hdr_min(&hdr), hdr_min(&back));
        assert_true(hdr_stddev(&hdr) == hdr_stddev(&back));
        hdr_fini(&back);
        hdr_fini(&hdr);
    }
    base_buf_fini(&text);
}

static void test_encode_needs_room(void **state)
{
    (void)state;
    struct hdr hdr;
    struct base_error err = {.code = BASE_OK};
    struct base_buf text;
    assert_true(hdr_init_latency(&hdr, NULL));
    base_buf_init(&text, 20);
    assert_true(base_buf_str(&text, "kept"));
    assert_false(hdr_encode(&hdr, &text, &err));
    assert_int_equal(err.code, BASE_LIMIT);
    assert_string_equal(text.data, "kept");
    base_buf_fini(&text);
    hdr_fini(&hdr);
}

static void test_header_damage(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        unsigned char byte;
    } bad[] = {
        {3, 0x01},  /* V1 */
        {3, 0x14},  /* an envelope within the envelope */
        {0, 0},     /* no cookie */
        {4, 0x80},  /* negative payload length */
        {5, 0x7f},  /* payload longer than the range */
        {7, 1},     /* shorter than what is there */
        {7, 4},     /* longer than what is there */
        {8, 0xff},  /* shifted counts */
        {11, 2},    /* shifted counts */
        {15, 0},    /* figures */
        {15, 6},    /* figures */
        {12, 0x80}, /* figures */
        {16, 0x80}, /* negative lowest */
        {16, 0x7f}, /* lowest above highest */
        {23, 0},    /* lowest 0 */
        {24, 0x80}, /* negative highest */
    };
    static const unsigned char payload[] = {2, 2, 2};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct plain plain = plain_of(3, 1000, payload, sizeof payload);
        plain.bytes[bad[i].offset] = bad[i].byte;
        expect_plain_corrupt(&plain);
    }
    struct plain good = plain_of(3, 1000, payload, sizeof payload);
    good.bytes[11] = 1; /* the offset some writers put */
    memset(good.bytes + 32, 0, 8);
    good.bytes[39] = 1; /* the ratio the JavaScript one puts */
    struct hdr hdr = decode_plain(&good);
    assert_int_equal(hdr.total, 3);
    hdr_fini(&hdr);
}

static void test_counts_beyond_the_range(void **state)
{
    (void)state;
    /* 1..2 at one figure has 32 counts: zigzag -32 is 63, -33 is 65. */
    struct plain all = plain_of(1, 2, (const unsigned char[]){63}, 1);
    struct hdr hdr = decode_plain(&all);
    assert_int_equal(hdr.total, 0);
    hdr_fini(&hdr);
    struct plain run = plain_of(1, 2, (const unsigned char[]){65}, 1);
    expect_plain_corrupt(&run);
    struct plain more = plain_of(1, 2, (const unsigned char[]){63, 2}, 2);
    expect_plain_corrupt(&more);
    unsigned char ones[33];
    memset(ones, 2, sizeof ones);
    struct plain counts = plain_of(1, 2, ones, 33);
    expect_plain_corrupt(&counts);
    struct plain fits = plain_of(1, 2, ones, 32);
    hdr = decode_plain(&fits);
    assert_int_equal(hdr.total, 32);
    hdr_fini(&hdr);
    /* The most negative run. */
    static const unsigned char least[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct plain negative = plain_of(1, 2, least, sizeof least);
    expect_plain_corrupt(&negative);
}

static void test_total_overflow(void **state)
{
    (void)state;
    static const unsigned char most[] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2};
    struct plain plain = plain_of(3, 1000, most, sizeof most);
    expect_plain_corrupt(&plain);
}

static void test_count_cut_short(void **state)
{
    (void)state;
    struct plain plain = plain_of(3, 1000, (const unsigned char[]){2, 0x80}, 2);
    expect_plain_corrupt(&plain);
}

static void test_text_damage(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "H",
        "HIST",
        "HISTF",
        "HISTFAAA",
        "HISTFAAAAAA=",
        "HISTFAAAAAAA",
        "====",
        "HISTFAAAAB542pNpmSzMwMDAxAABzFCaEUoz2X+AMIKZAEARAtM",    /* no padding */
        "HISTFAAAAB542pNpmSzMwMDAxAABzFCaEUoz2X+AMIKZAEARAtN=",   /* bits behind the end */
        "HISTFAAAAB542pNpmSzMwMDAxAABzFCaEUoz2X-AMIKZAEARAtM=",   /* the alphabet of URLs */
        "HISTFAAAAB542pNpmSzMwMDAxAABzFCaEUoz2X+AMIKZAEARAtM=\n", /* a line end */
        " HISTFAAAAB542pNpmSzMwMDAxAABzFCaEUoz2X+AMIKZAEARAtM=",
        "HISTFAAAAB542pNpmSzMwMDAxAABzFCaEUoz2X+AMIKZAEAR====",
        "HISTEAAAAB542pNpmSzMwMDAxAABzFCaEUoz2X+AMIKZAEARAtM=", /* another cookie */
        "HISTFAAAAC542pNpmSzMwMDAxAABzFCaEUoz2X+AMIKZAEARAtM=", /* another length */
        "HISTF/////542pNpmSzMwMDAxAABzFCaEUoz2X+AMIKZAEARAtM=", /* a negative length */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_corrupt(bad[i], strlen(bad[i]));
}

/* Cutting anywhere, and flipping any bit of the packed bytes, is noticed or changes nothing. */
static void test_every_cut_and_flip(void **state)
{
    (void)state;
    struct hdr hdr;
    struct base_rng rng;
    struct base_buf text;
    struct base_buf damaged;
    unsigned char packed[4096];
    size_t size;
    base_rng_seed(&rng, 3);
    assert_true(hdr_init_latency(&hdr, NULL));
    for (int i = 0; i < 30; i++)
        hdr_record(&hdr, (int64_t)base_rng_exponential(&rng, 1e6));
    base_buf_init(&text, 4096);
    base_buf_init(&damaged, 4096);
    encode(&hdr, &text);
    for (size_t len = 0; len < text.len; len++)
        expect_corrupt(text.data, len);
    assert_true(hdr_base64_decode(text.data, text.len, packed, &size));
    for (size_t bit = 0; bit < size * 8; bit++) {
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
        base_buf_clear(&damaged);
        assert_true(hdr_base64_encode(packed, size, &damaged));
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
        struct hdr back;
        struct base_error err = {.code = BASE_OK};
        if (!hdr_decode(damaged.data, damaged.len, &back, &err)) {
            assert_int_equal(err.code, BASE_CORRUPT);
            continue;
        }
        assert_true(hdr_equal(&hdr, &back)); /* zlib's level hint is the only idle field */
        hdr_fini(&back);
    }
    base_buf_fini(&damaged);
    base_buf_fini(&text);
    hdr_fini(&hdr);
}

/* A bomb: few bytes that inflate to many. They must not be stored, and are refused. */
static void test_zip_bomb(void **state)
{
    (void)state;
    enum { BOMB = 64 << 20 };
    unsigned char *plain = calloc(1, BOMB);
    unsigned char *packed = malloc(1 << 18);
    assert_non_null(plain);
    assert_non_null(packed);
    struct plain header = plain_of(1, 2, (const unsigned char[]){0}, 1);
    memcpy(plain, header.bytes, header.len);
    uLongf len = (1 << 18) - 8;
    assert_int_equal(compress2(packed + 8, &len, plain, BOMB, 9), Z_OK);
    memcpy(packed, (const unsigned char[]){0x1c, 0x84, 0x93, 0x14}, 4);
    for (int i = 0; i < 4; i++)
        packed[4 + i] = (unsigned char)(len >> (24 - 8 * i));
    struct base_buf text;
    base_buf_init(&text, 1 << 20);
    assert_true(hdr_base64_encode(packed, len + 8, &text));
    expect_corrupt(text.data, text.len);
    base_buf_fini(&text);
    free(packed);
    free(plain);
}

/* A byte behind the end of the zlib stream, within the length that the envelope declares. */
static void test_byte_behind_the_stream(void **state)
{
    (void)state;
    unsigned char packed[128];
    size_t size;
    struct base_buf text;
    assert_true(hdr_base64_decode(vector_a, sizeof vector_a - 1, packed, &size));
    packed[7]++;
    packed[size] = 0;
    base_buf_init(&text, 4096);
    assert_true(hdr_base64_encode(packed, size + 1, &text));
    expect_corrupt(text.data, text.len);
    base_buf_fini(&text);
}

static void test_base64(void **state)
{
    (void)state;
    static const char *const rfc4648[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof rfc4648 / sizeof rfc4648[0]; i++) {
        struct base_buf text;
        unsigned char back[16];
        size_t len = 99;
        const char *plain = rfc4648[i][0];
        base_buf_init(&text, 64);
        assert_true(hdr_base64_encode((const unsigned char *)plain, strlen(plain), &text));
        assert_string_equal(text.data, rfc4648[i][1]);
        assert_true(hdr_base64_decode(text.data, text.len, back, &len));
        assert_int_equal(len, strlen(plain));
        assert_memory_equal(back, plain, len);
        base_buf_fini(&text);
    }
    unsigned char all[256];
    unsigned char back[258];
    size_t len;
    struct base_buf text;
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (unsigned char)i;
    base_buf_init(&text, 1024);
    assert_true(hdr_base64_encode(all, sizeof all, &text));
    assert_true(hdr_base64_decode(text.data, text.len, back, &len));
    assert_int_equal(len, sizeof all);
    assert_memory_equal(all, back, len);
    base_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_bytes_written),
        cmocka_unit_test(test_empty_is_one_zero),
        cmocka_unit_test(test_lone_zero_both_ways),
        cmocka_unit_test(test_ninth_byte_has_eight_bits),
        cmocka_unit_test(test_round_trip_of_count_lengths),
        cmocka_unit_test(test_round_trip_of_random_contents),
        cmocka_unit_test(test_encode_needs_room),
        cmocka_unit_test(test_header_damage),
        cmocka_unit_test(test_counts_beyond_the_range),
        cmocka_unit_test(test_total_overflow),
        cmocka_unit_test(test_count_cut_short),
        cmocka_unit_test(test_text_damage),
        cmocka_unit_test(test_every_cut_and_flip),
        cmocka_unit_test(test_zip_bomb),
        cmocka_unit_test(test_byte_behind_the_stream),
        cmocka_unit_test(test_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
