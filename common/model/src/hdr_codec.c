/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design notes: the V2 wire format of HdrHistogram, all integers big-endian.
 *
 *   envelope  u32 0x1c849314, i32 length of what follows, a zlib stream (RFC 1950) of
 *   header    u32 0x1c849313, i32 payload length, i32 normalizing index offset, i32 significant
 *             figures, i64 lowest, i64 highest, f64 ratio of integer to double values
 *   payload   the counts from index 0 up to that of the maximum, as zigzag LEB128 in at most nine
 *             bytes (the ninth carries eight bits): n >= 0 is a count, n < 0 a run of -n zeros
 *
 * The text form is the envelope in base64, which therefore always starts with "HISTF".
 *
 * Two known writers put 1 where the offset's 0 belongs, and the JavaScript one puts an integer
 * where the ratio's double belongs: 1 is taken for 0, and the ratio, of which integer histograms
 * make no use, is not looked at. A lone zero may be written as the count 0 and as a run of one.
 *
 * Reading trusts nothing. The stream is inflated piece by piece into a fixed buffer, so that a
 * small text cannot grow into much memory; the header decides the one allocation, at most 47 MiB
 * (5 figures over 63 bits), which the system only backs where counts are stored.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "hdr_base64.h"
#include "hdr_index.h"
#include "model/deflate.h"

enum { ENVELOPE_BYTES = 8, HEADER_BYTES = 40, COUNT_BYTES_MAX = 9 };
static const uint32_t envelope_cookie = UINT32_C(0x1c849314);
static const uint32_t header_cookie = UINT32_C(0x1c849313);

static unsigned char *put_be(unsigned char *at, uint64_t value, int bytes)
{
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        *at++ = (unsigned char)(value >> shift);
    return at;
}

static uint64_t get_be(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* ---- writing ---- */

static unsigned char *put_count(unsigned char *at, int64_t n)
{
    uint64_t bits = (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0);
    for (int i = 0; i < COUNT_BYTES_MAX - 1; i++) {
        if (bits < 0x80) {
            *at++ = (unsigned char)bits;
            return at;
        }
        *at++ = (unsigned char)(bits | 0x80);
        bits >>= 7;
    }
    *at++ = (unsigned char)bits;
    return at;
}

static unsigned char *put_header(unsigned char *at, const struct hdr *hdr, size_t payload)
{
    const double ratio = 1.0;
    uint64_t ratio_bits;
    memcpy(&ratio_bits, &ratio, sizeof ratio_bits);
    at = put_be(at, header_cookie, 4);
    at = put_be(at, payload, 4);
    at = put_be(at, 0, 4);
    at = put_be(at, (uint64_t)hdr->significant_figures, 4);
    at = put_be(at, (uint64_t)hdr->lowest, 8);
    at = put_be(at, (uint64_t)hdr->highest, 8);
    return put_be(at, ratio_bits, 8);
}

/* Header and payload, for the caller to free; NULL when memory is out. */
static unsigned char *plain_bytes(const struct hdr *hdr, size_t *out_len)
{
    int64_t limit = hdr_index_of(hdr, hdr->max) + 1;
    unsigned char *bytes = malloc(HEADER_BYTES + (size_t)limit * COUNT_BYTES_MAX);
    if (bytes == NULL)
        return NULL;
    unsigned char *at = bytes + HEADER_BYTES;
    for (int64_t i = 0; i < limit;) {
        int64_t zeros = 0;
        while (i + zeros < limit && hdr->counts[i + zeros] == 0)
            zeros++;
        at = put_count(at, zeros > 1 ? -zeros : hdr->counts[i]);
        i += zeros > 1 ? zeros : 1;
    }
    size_t payload = (size_t)(at - bytes) - HEADER_BYTES;
    (void)put_header(bytes, hdr, payload);
    *out_len = HEADER_BYTES + payload;
    return bytes;
}

static bool no_memory(struct base_error *err)
{
    return base_fail(err, BASE_LIMIT, "no memory to encode a histogram: free some and try again");
}

bool hdr_encode(const struct hdr *hdr, struct base_buf *out, struct base_error *err)
{
    size_t plain_len;
    BASE_AUTO_FREE unsigned char *plain = plain_bytes(hdr, &plain_len);
    if (plain == NULL)
        return no_memory(err);
    static const char envelope[ENVELOPE_BYTES] = {0};
    BASE_AUTO_BUF struct base_buf packed;
    base_buf_init(&packed, SIZE_MAX);
    if (!base_buf_append(&packed, envelope, sizeof envelope) ||
        !model_deflate(plain, plain_len, &packed))
        return no_memory(err);
    unsigned char *at = put_be((unsigned char *)packed.data, envelope_cookie, 4);
    (void)put_be(at, packed.len - ENVELOPE_BYTES, 4);
    if (!hdr_base64_encode((unsigned char *)packed.data, packed.len, out))
        return base_fail(err, BASE_LIMIT,
                         "an encoded histogram of %zu bytes does not fit behind the %zu of at most "
                         "%zu in its buffer: empty the buffer more often",
                         (packed.len + 2) / 3 * 4, out->len, out->max);
    return true;
}

/* ---- reading ---- */

static bool corrupt(struct base_error *err, const char *what)
{
    return base_fail(err, BASE_CORRUPT, "not an encoded histogram: %s; record or copy it again",
                     what);
}

struct payload {
    struct model_inflater *source;
    int64_t left; /* bytes */
};

static bool payload_count(struct payload *payload, int64_t *out)
{
    uint64_t bits = 0;
    for (int i = 0; i < COUNT_BYTES_MAX; i++) {
        int byte = payload->left > 0 ? model_inflater_byte(payload->source) : -1;
        if (byte < 0)
            return false;
        payload->left--;
        bool last = i == COUNT_BYTES_MAX - 1;
        bits |= (uint64_t)(last ? byte : byte & 0x7f) << (7 * i);
        if (last || (byte & 0x80) == 0)
            break;
    }
    *out = (int64_t)(bits >> 1 ^ ((bits & 1) != 0 ? UINT64_MAX : 0));
    return true;
}

static bool read_counts(struct model_inflater *source, int64_t payload_len, struct hdr *hdr,
                        struct base_error *err)
{
    struct payload payload = {.source = source, .left = payload_len};
    int64_t index = 0;
    while (payload.left > 0) {
        int64_t n;
        if (!payload_count(&payload, &n))
            return corrupt(err, "its counts end early");
        /* Compared below zero: the most negative number has no positive counterpart. */
        int64_t room = hdr->counts_len - index;
        if (room < 1 || n < -room)
            return corrupt(err, "it has more counts than its range");
        if (n >= 0)
            hdr->counts[index] = n;
        index += n < 0 ? -n : 1;
    }
    if (!model_inflater_done(source))
        return corrupt(err, "its compressed bytes are damaged or too many");
    if (!hdr_index_settle(hdr, index))
        return corrupt(err, "its counts add up to more than 2^63 - 1");
    return true;
}

static bool read_header(struct model_inflater *source, struct hdr *hdr, int64_t *payload_len,
                        struct base_error *err)
{
    unsigned char header[HEADER_BYTES];
    for (size_t i = 0; i < sizeof header; i++) {
        int byte = model_inflater_byte(source);
        if (byte < 0)
            return corrupt(err, "its compressed bytes are damaged or too few");
        header[i] = (unsigned char)byte;
    }
    uint64_t payload = get_be(header + 4, 4);
    uint64_t figures = get_be(header + 12, 4);
    if (get_be(header, 4) != header_cookie)
        return corrupt(err, "it is not in the V2 format");
    if (get_be(header + 8, 4) > 1)
        return corrupt(err, "its counts are shifted, which integer histograms never are");
    if (figures > 5)
        return corrupt(err, "its number of significant figures is not 1 to 5");
    struct base_error inner;
    struct hdr made;
    if (!hdr_init(&made, (int64_t)get_be(header + 16, 8), (int64_t)get_be(header + 24, 8),
                  (int)figures, &inner))
        return inner.code == BASE_INVALID ? corrupt(err, inner.message)
                                          : base_fail(err, inner.code, "%s", inner.message);
    if (payload > (uint64_t)made.counts_len * COUNT_BYTES_MAX) {
        hdr_fini(&made);
        return corrupt(err, "its counts are longer than its range allows");
    }
    *hdr = made;
    *payload_len = (int64_t)payload;
    return true;
}

static bool read_stream(unsigned char *bytes, size_t len, struct hdr *out, struct base_error *err)
{
    struct model_inflater *source = model_inflater_new(bytes, len);
    if (source == NULL)
        return base_fail(err, BASE_LIMIT, "no memory to decode a histogram: free some");
    struct hdr hdr = {.counts = NULL};
    int64_t payload_len = 0;
    bool ok =
        read_header(source, &hdr, &payload_len, err) && read_counts(source, payload_len, &hdr, err);
    model_inflater_free(source);
    if (ok)
        *out = hdr;
    else
        hdr_fini(&hdr);
    return ok;
}

bool hdr_decode(const char *text, size_t len, struct hdr *out, struct base_error *err)
{
    BASE_AUTO_FREE unsigned char *bytes = malloc(hdr_base64_room(len) + 1);
    if (bytes == NULL)
        return base_fail(err, BASE_LIMIT, "no memory to decode a histogram: free some");
    size_t size;
    if (!hdr_base64_decode(text, len, bytes, &size))
        return corrupt(err, "it is not base64");
    if (size < ENVELOPE_BYTES || get_be(bytes, 4) != envelope_cookie)
        return corrupt(err, "it does not start with HISTF");
    if (size - ENVELOPE_BYTES > INT32_MAX || get_be(bytes + 4, 4) != size - ENVELOPE_BYTES)
        return corrupt(err, "its length is not the one it declares");
    return read_stream(bytes + ENVELOPE_BYTES, size - ENVELOPE_BYTES, out, err);
}
